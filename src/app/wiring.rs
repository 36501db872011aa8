//! Wires a worker for each source and one publisher for all, generic over their ports: RabbitMQ and SNS in `run`, memory
//! in tests.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admin::{Status, StatusPublisher};
use crate::arn::TopicArn;
use crate::config::{self, Config};
use crate::observe::incidents::{Announcement, Incidents};
use crate::observe::metrics::{Metrics, sum};
use crate::observe::monitor::{Monitor, SharedDepth, SourceObservation, State};
use crate::observe::recent::RecentErrors;
use crate::observe::trace::{Spans, Tracer};
use crate::pipeline::ports::{Lanes, Source};
use crate::pipeline::relay::Relay;
use crate::pipeline::worker::{Stop, Worker};
use crate::publish::hold::WaitBudget;
use crate::publish::{self, PauseGate, Publish, PublishMetrics, Publisher};
use crate::route::Router;

const REPORT_EVERY: Duration = Duration::from_mins(1);

/// What the workers of all sources have in common.
pub(super) struct Wiring<P> {
    router: Rc<Router>,
    topics: Vec<TopicArn>,
    pub(super) publisher: Rc<Publisher<P>>,
    recent: Rc<RecentErrors>,
    pub(super) incidents: Rc<Incidents>,
    dead_letters: Rc<SharedDepth>,
    pub(super) metrics: Arc<Metrics>,
    spans: Option<Spans>,
}

impl<P: Publish + 'static> Wiring<P> {
    pub(super) fn new(
        config: &Config,
        router: Rc<Router>,
        metrics: Arc<Metrics>,
        spans: Option<Spans>,
        place: P,
        pauses: Rc<PauseGate>,
    ) -> Self {
        let topics: Vec<_> = config.topics().map(|(_, topic)| topic.clone()).collect();
        let recent = Rc::new(RecentErrors::default());
        let incidents = Rc::<Incidents>::default();
        let measures = PublishMetrics::new(Arc::clone(&metrics), &topics)
            .noting(Rc::clone(&recent))
            .announcing(Rc::clone(&incidents));
        let (sns, outage) = (&config.sns, &config.outage);
        let publisher = publish::measured_stack(sns, outage, place, measures, pauses);
        let (publisher, dead_letters) = (Rc::new(publisher), Rc::default());
        Self { router, topics, publisher, recent, incidents, dead_letters, metrics, spans }
    }

    /// Works until all sources have stopped. `lanes_of` gives each its queues.
    pub(super) async fn run<S: Source>(
        self,
        config: &Config,
        lanes_of: impl Fn(&config::Source, &Rc<Monitor>) -> Lanes<S>,
        stop: Stop,
        status: watch::Sender<Status>,
    ) {
        let (mut workers, mut not_consumed) = (Vec::new(), Vec::new());
        for source in &config.amqp.sources {
            match config.missing_topics(source) {
                None => workers.extend(self.workers(config, source, &lanes_of)),
                Some(keys) => not_consumed.push(without_topic(source, &keys)),
            }
        }
        let (pauses, publisher) = (Rc::clone(self.publisher.pauses()), Rc::clone(&self.publisher));
        let status_publisher = StatusPublisher {
            monitors: monitors_of(&workers),
            not_consumed,
            publisher: self.publisher,
            topics: self.topics,
            recent: self.recent,
            metrics: Arc::clone(&self.metrics),
            stop: stop.clone(),
            status,
        };
        let working = join_all(workers.iter().map(|worker| worker.run(stop.clone())));
        tokio::select! {
            _ = working => {}
            () = report_progress(&self.metrics) => {}
            _ = self.incidents.announce() => {}
            () = status_publisher.run() => {}
            () = pauses.end_in_time() => {}
            () = publisher.ask_for_abandoned() => {}
        }
        self.incidents.rest(Instant::now()).iter().for_each(Announcement::log);
    }

    /// One for each lane.
    fn workers<S: Source>(
        &self,
        config: &Config,
        source: &config::Source,
        lanes_of: impl Fn(&config::Source, &Rc<Monitor>) -> Lanes<S>,
    ) -> Vec<Worker<S, P>> {
        let prefetch = config.amqp.prefetch;
        let monitor = Monitor::new(&source.name, Arc::clone(&self.metrics));
        let monitor = monitor.noting(Rc::clone(&self.recent));
        let monitor = monitor.sharing(Rc::clone(&self.dead_letters));
        let monitor = monitor.announcing(Rc::clone(&self.incidents)).with_prefetch(prefetch);
        let monitor = Rc::new(monitor);
        let limit = config.sns.max_message_bytes;
        let tracer = Tracer::new(&config.trace, limit, &source.queue, self.spans.clone());
        let relay = Relay::new(source.format, Rc::clone(&self.router), Rc::clone(&self.publisher));
        let relay = relay.traced(tracer);
        let Lanes { first, others } = lanes_of(source, &monitor);
        let worker = |(lane, prefetch, is_lane)| {
            let budget = WaitBudget::new(source, prefetch, config.outage.hand_back_after)
                .announcing(Rc::clone(&self.incidents));
            Worker {
                name: source.name.clone(),
                relay: relay.clone(),
                budget: budget.with_bytes(config.amqp.in_flight_bytes_of_a_source()),
                source: lane,
                monitor: Rc::clone(&monitor),
                grace: config.shutdown.grace,
                is_lane,
            }
        };
        let others = others.into_iter().map(|(lane, prefetch)| (lane, prefetch, true));
        std::iter::once((first, prefetch, false)).chain(others).map(worker).collect()
    }
}

/// Lanes of a source share one.
fn monitors_of<S, P>(workers: &[Worker<S, P>]) -> Vec<Rc<Monitor>> {
    let whole = workers.iter().filter(|worker| !worker.is_lane);
    whole.map(|worker| Rc::clone(&worker.monitor)).collect()
}

/// Says why nothing is consumed from a source.
fn without_topic(source: &config::Source, keys: &str) -> SourceObservation {
    let config::Source { name, queue, .. } = source;
    tracing::warn!(
        event = "source_without_topic",
        source = name,
        queue,
        keys,
        "source is not consumed: no topic is set for the events that it carries; set one of the keys, or set discard = true \
         for it to skip its events; without the source, delete its queue or the queue's bindings, else the queue fills"
    );
    SourceObservation::now(name, State::NoTopic)
}

/// Says each minute what has come since, so that the log tells more than how it began.
async fn report_progress(metrics: &Metrics) {
    let mut before = metrics.reading().totals();
    loop {
        tokio::time::sleep(REPORT_EVERY).await;
        let now = metrics.reading().totals();
        if now.received != before.received || now.ended() != before.ended() {
            tracing::info!(
                event = "progress",
                received = now.received,
                published = now.published,
                skipped = sum(&now.skipped),
                dead_lettered = sum(&now.dead_lettered),
                handed_back = now.handed_back,
                reasons = now.reasons(),
                in_flight = now.in_flight,
                "so far: {now}"
            );
        }
        before = now;
    }
}
