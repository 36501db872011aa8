//! Publishes the workers' status to the admin thread, from within their own thread.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::Status;
use super::paused::PausedNow;
use crate::arn::TopicArn;
use crate::observe::metrics::Metrics;
use crate::observe::monitor::{Monitor, SourceObservation, State};
use crate::observe::recent::RecentErrors;
use crate::outcome::Circuit;
use crate::pipeline::worker::Stop;
use crate::publish::hold::OpenCircuit;
use crate::publish::{Publish, Publisher};

/// Between two readings of the status.
pub(super) const STATUS_EVERY: Duration = Duration::from_millis(250);

/// What the status is read from.
#[derive(Debug)]
pub(crate) struct StatusPublisher<P> {
    pub(crate) monitors: Vec<Rc<Monitor>>,
    /// Sources that are not consumed.
    pub(crate) not_consumed: Vec<SourceObservation>,
    pub(crate) publisher: Rc<Publisher<P>>,
    pub(crate) topics: Vec<TopicArn>,
    pub(crate) recent: Rc<RecentErrors>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: Stop,
    pub(crate) status: watch::Sender<Status>,
}

impl<P: Publish + 'static> StatusPublisher<P> {
    /// Reads and publishes the status again and again. To be polled in one future with the workers, so that it stops when they do.
    pub(crate) async fn run(&self) {
        let mut stopping_since = None;
        loop {
            if *self.stop.borrow() && stopping_since.is_none() {
                stopping_since = Some(Timestamp::now());
            }
            let status = self.read(stopping_since);
            self.measure(&status);
            self.status.send_replace(status);
            tokio::time::sleep(STATUS_EVERY).await;
        }
    }

    fn read(&self, stopping_since: Option<Timestamp>) -> Status {
        let seen = self.monitors.iter().map(|monitor| monitor.seen());
        Status {
            at: Instant::now(),
            clock: Timestamp::now(),
            stopping_since,
            sources: seen.chain(self.not_consumed.iter().cloned()).collect(),
            holds: self.publisher.open_circuits(),
            paused: PausedNow::all(self.publisher.pauses()),
            errors: self.recent.all().to_vec(),
        }
    }

    /// What is not counted as it happens.
    fn measure(&self, status: &Status) {
        self.monitors.iter().for_each(|monitor| monitor.refresh());
        let is_well = |seen: &SourceObservation| {
            seen.state.is_connected() || matches!(seen.state, State::Paused | State::NoTopic)
        };
        self.metrics.connected.set(status.sources.iter().all(is_well).into());
        for SourceObservation { source, state, .. } in &status.sources {
            for label in State::LABELS {
                let gauge = self.metrics.source_state.with_label_values(&[&**source, label]);
                gauge.set((label == state.label()).into());
            }
        }
        let is_held = |circuit: &Circuit| {
            status.holds.iter().any(|hold: &OpenCircuit| hold.circuit == *circuit)
        };
        let show = |labels: [&str; 2], is_held: bool| {
            self.metrics.held.with_label_values(&labels).set(is_held.into());
        };
        show(["service", ""], is_held(&Circuit::Service));
        // Two topics of different accounts or regions may have the same name.
        let of_topic = |topic: &&TopicArn| is_held(&Circuit::Topic((*topic).clone()));
        let held: BTreeSet<_> = self.topics.iter().filter(of_topic).map(TopicArn::name).collect();
        for topic in &self.topics {
            show(["route", topic.name()], held.contains(topic.name()));
        }
        self.measure_pauses(status);
    }

    /// Of what this worker has: a name of no source or topic of its own would be a label that stays.
    fn measure_pauses(&self, status: &Status) {
        let show = |labels: [&str; 2], is_paused: bool| {
            self.metrics.paused.with_label_values(&labels).set(is_paused.into());
        };
        let is_paused = |scope, name: &str| {
            let targets = status.paused.iter().map(|it| &it.pause.target);
            targets.into_iter().any(|it| it.scope() == scope && it.name() == name)
        };
        show(["all", ""], is_paused("all", ""));
        for SourceObservation { source, .. } in &status.sources {
            show(["source", source], is_paused("source", source));
        }
        let of_topic = |topic: &&TopicArn| is_paused("topic", topic.as_str());
        let paused: BTreeSet<_> = self.topics.iter().filter(of_topic).map(TopicArn::name).collect();
        for topic in &self.topics {
            show(["topic", topic.name()], paused.contains(topic.name()));
        }
    }
}
