//! The workers that run, compared with a configuration that may be that of the next one: the keys by which partitions keep order.

use std::time::Instant;

use super::partitions::differences;
use super::{Fingerprint, Members, PartitionsReport, SourceReport};
use crate::config::{Config, Key, Source};

/// What a source's queues, and the way to them, depend on.
const OF_A_SOURCE: [&str; 6] =
    ["exchange", "exchange_type", "routing_keys", "queue", "partitions", "partition_by"];
const OF_QUEUES: [&str; 3] =
    ["amqp.dead_letter_exchange", "amqp.delivery_limit", "amqp.queue_type"];

/// What a configuration says of partitions.
#[derive(Debug)]
pub struct Compared {
    configuration: Fingerprint,
    keys: Vec<String>,
    sources: Vec<SourceReport>,
    /// Workers that have no such key have nothing to do with it.
    only_with: Option<String>,
}

/// How the workers that are heard compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many are heard.
    pub heard: usize,
    /// Those that have something otherwise, with the keys.
    pub differing: Vec<(String, Vec<String>)>,
}

impl Compared {
    /// Of a configuration; `None`: no source has partitions.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let amqp = &config.amqp;
        let source = |source: &Source| {
            let partitioning = source.partitioning()?;
            let (of, prefetch) = (partitioning.count, amqp.prefetch_of_each(partitioning.count));
            let (of, prefetch) = (of.into(), prefetch.into());
            let partitions = Some(PartitionsReport { of, prefetch, ..PartitionsReport::default() });
            Some(SourceReport { name: source.name.clone(), partitions, ..SourceReport::default() })
        };
        let sources: Vec<_> = amqp.sources.iter().filter_map(source).collect();
        let of_source = |it: &SourceReport| {
            let key = Key::from(["amqp", "sources", &it.name]);
            ["partitions", "partition_by"].map(|name| key.child(name).to_string())
        };
        let of_all = ["amqp.prefetch", "sns.pool_size"].map(str::to_owned);
        let keys = of_all.into_iter().chain(sources.iter().flat_map(of_source)).collect();
        let configuration = Fingerprint::of(&config.effective);
        (!sources.is_empty()).then_some(Self { configuration, keys, sources, only_with: None })
    }

    /// What a move of a source's partitions depends on.
    #[must_use]
    pub fn for_move(config: &Config, source: &str) -> Self {
        let of_source = Key::from(["amqp", "sources", source]);
        let of_source = |name: &str| of_source.child(name).to_string();
        let keys = OF_A_SOURCE.map(of_source).into_iter().chain(OF_QUEUES.map(str::to_owned));
        let (keys, only_with) = (keys.collect(), Some(of_source("queue")));
        let configuration = Fingerprint::of(&config.effective);
        Self { configuration, keys, sources: Vec::new(), only_with }
    }
}

impl Members {
    /// How those that are heard compare with a configuration.
    #[must_use]
    pub fn compare(&self, with: &Compared, now: Instant) -> Comparison {
        let mut workers = self.picture(now).workers;
        if let Some(key) = &with.only_with {
            let tells =
                |id: &str| self.others.get(id).is_some_and(|it| it.configuration.tells(key));
            workers.retain(|it| tells(&it.report.id));
        }
        let differing = workers.iter().filter_map(|worker| {
            let theirs = &self.others.get(&worker.report.id)?.configuration;
            // Of a version that has other keys, only those that both have.
            let mut keys = with.configuration.differences(theirs, false);
            keys.retain(|it| with.keys.contains(it));
            if !theirs.tells("amqp.prefetch") {
                // Their numbers follow the broker, which may have fewer partitions than are configured.
                keys.extend(differences(&worker.report, &with.sources));
            }
            keys.sort_unstable();
            keys.dedup();
            (!keys.is_empty()).then(|| (worker.name.clone(), keys))
        });
        Comparison { heard: workers.len(), differing: differing.collect() }
    }
}
