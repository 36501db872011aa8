//! Which sources have a topic for what they may carry, and which topics a variable takes away.

use super::key::{Key, Origin};
use super::layer::Layer;
use super::problem::{Problem, Problems};
use super::schema;
use super::settings::{Config, EmptiedTopic, ExchangeType, Ordering, Source};
use super::value::{at, is_unset, leaves};
use crate::event::{EventKind, Format};
use crate::route::Routing;

impl Config {
    /// The kinds of event that a source may carry, as far as its format, exchange and bindings tell.
    #[must_use]
    pub fn kinds_of(&self, source: &Source) -> Vec<EventKind> {
        // Others hand on everything, whatever the bindings' keys are; and of a queue that is somebody else's, its bindings are, too.
        let is_bound_by_key =
            matches!(source.exchange_type, ExchangeType::Topic | ExchangeType::Direct);
        if source.format == Format::Mongooseim && !(self.amqp.declare && is_bound_by_key) {
            return EventKind::ALL.into();
        }
        let keys: Vec<_> = source.routing_keys.iter().map(String::as_str).collect();
        source.format.kinds(&source.exchange, &keys)
    }

    /// Whether anything that a source may carry is published in order: always on a FIFO topic.
    #[must_use]
    pub fn keeps_order(&self, source: &Source) -> bool {
        let (kinds, mut all) = (self.kinds_of(source), self.routings());
        let is_fifo = |routing: &Routing| kinds.iter().any(|kind| routing.has_fifo_topic(*kind));
        self.sns.ordering == Ordering::PerKey || all.any(is_fifo)
    }

    /// The keys of `[sns]` of which one must be set before anything of this source can be published, in words; `None` if a
    /// topic is set for something that the source may carry, or if `discard` lets all of it be skipped.
    #[must_use]
    pub fn missing_topics(&self, source: &Source) -> Option<String> {
        let kinds = self.kinds_of(source);
        let is_served = source.discard || self.has_topic(&kinds);
        (!is_served).then(|| self.keys_of(&kinds))
    }

    /// Refuses a configuration with which a worker would only throw events away. Other commands can do without topics.
    ///
    /// # Errors
    ///
    /// If no event of any source could be published, unless all of them may discard theirs.
    pub fn require_topics(&self) -> Result<(), Problems> {
        let sources = &self.amqp.sources;
        let lacking: Vec<_> =
            sources.iter().filter(|it| self.missing_topics(it).is_some()).collect();
        if lacking.is_empty() || sources.iter().any(|it| self.has_topic(&self.kinds_of(it))) {
            return Ok(());
        }
        let names: Vec<_> = lacking.iter().map(|it| &*it.name).collect();
        let kinds: Vec<_> = lacking.iter().flat_map(|it| self.kinds_of(it)).collect();
        let emptied = self.emptied_topics.iter().map(|EmptiedTopic { variable, file, .. }| {
            format!("; besides, {variable} is empty and takes away the topic that {file} sets")
        });
        let wrong = format!(
            "sets no topic for the events of any source ({}), so that all of them would be taken from their queues and skipped{}",
            names.join(", "),
            emptied.collect::<String>()
        );
        let remedy = format!(
            "set {}, here or for a domain in [hosts.\"DOMAIN\".sns]; for a source whose events are to be skipped, set discard = true \
             in [amqp.sources.NAME]",
            self.keys_of(&kinds)
        );
        Err(Problem::new(&Origin::Default, Key::from("sns"), wrong, remedy).into())
    }

    /// Whether a topic is set, or may be set, for one of these kinds, for any domain.
    #[must_use]
    pub fn has_topic(&self, kinds: &[EventKind]) -> bool {
        kinds.iter().any(|kind| self.kinds_in_doubt.contains(kind))
            || self.routings().any(|routing| kinds.iter().any(|kind| routing.has_topic(*kind)))
    }

    /// That of `[sns]`, and those of single domains.
    pub(crate) fn routings(&self) -> impl Iterator<Item = &Routing> {
        std::iter::once(&self.sns.routing).chain(self.hosts.values())
    }

    /// The keys of topics for these kinds, in words.
    fn keys_of(&self, kinds: &[EventKind]) -> String {
        let named = EventKind::ALL.into_iter().zip(self.sns.routing.topics_by_kind());
        let of_kinds = named.filter(|(kind, _)| kinds.contains(kind));
        let mut keys: Vec<_> = of_kinds.map(|(_, (name, _))| format!("sns.{name}")).collect();
        if kinds.contains(&EventKind::Groupchat) {
            keys.push("a room's domain in sns.muc_topics".to_owned());
        }
        keys.join(" or ")
    }
}

/// The topics that files set and variables empty.
pub(super) fn emptied(files: &[Layer], variables: &Layer) -> Vec<EmptiedTopic> {
    let values = leaves(Key::default(), &variables.tree).into_iter();
    let empty =
        values.filter(|(key, value)| schema::format(key) == Some("topic") && is_unset(value));
    let emptied = empty.filter_map(|(key, value)| {
        let set = files.iter().rev().find_map(|file| at(&file.tree, &key))?;
        let (variable, file) = (Origin::of(value), Origin::of(set));
        (!is_unset(set)).then_some(EmptiedTopic { key, variable, file })
    });
    emptied.collect()
}
