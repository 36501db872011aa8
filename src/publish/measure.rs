//! Counts requests, retries and accepted messages by topic, and records errors.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use prometheus::{Histogram, IntCounter};
use tokio::time::Instant;

use super::fault::{is_throttle, is_unreachable};
use crate::arn::TopicArn;
use crate::observe::incidents::{IncidentKind, Incidents};
use crate::observe::metrics::Metrics;
use crate::observe::recent::RecentErrors;
use crate::outcome::{Fault, MessageId, Scope};

/// The answer to a request: to all of it, or entry by entry.
pub(super) type Answers = Result<Vec<Result<MessageId, Fault>>, Fault>;

/// The metrics that a publisher counts in.
#[derive(Debug, Clone)]
pub struct PublishMetrics {
    pub(super) metrics: Arc<Metrics>,
    topics: Rc<RefCell<HashMap<TopicArn, Rc<TopicMetrics>>>>,
    recent: Rc<RecentErrors>,
    pub(super) incidents: Rc<Incidents>,
}

/// The metrics of one topic.
#[derive(Debug)]
struct TopicMetrics {
    accepted: IntCounter,
    published: IntCounter,
    seconds: Histogram,
}

impl PublishMetrics {
    /// These topics show from the beginning, so that what happens to them first is an increase.
    pub fn new<'a>(metrics: Arc<Metrics>, topics: impl IntoIterator<Item = &'a TopicArn>) -> Self {
        let measures = Self {
            metrics,
            topics: Rc::default(),
            recent: Rc::default(),
            incidents: Rc::default(),
        };
        topics.into_iter().for_each(|topic| drop(measures.of(topic)));
        measures
    }

    /// Errors are noted there.
    #[must_use]
    pub fn noting(self, recent: Rc<RecentErrors>) -> Self {
        Self { recent, ..self }
    }

    /// Requests that fail, and circuits that open, are announced there.
    #[must_use]
    pub fn announcing(self, incidents: Rc<Incidents>) -> Self {
        Self { incidents, ..self }
    }

    pub(super) fn request(
        &self,
        topic: &TopicArn,
        entries: usize,
        began: Instant,
        answers: &Answers,
    ) {
        let of_topic = self.of(topic);
        self.incidents.tried(topic.name());
        of_topic.seconds.observe(began.elapsed().as_secs_f64());
        #[allow(clippy::cast_precision_loss, reason = "ten at most")]
        self.metrics.batch_entries.observe(entries as f64);
        let accepted = answers.as_ref().map_or(0, |it| it.iter().filter(|it| it.is_ok()).count());
        of_topic.published.inc_by(accepted as u64);
        let note = |fault: &Fault| self.recent.note(topic.name(), &fault.code, fault);
        let (result, last) = match answers {
            Ok(_) if accepted == entries => return of_topic.accepted.inc(),
            Ok(answers) => {
                answers.iter().filter_map(|it| it.as_ref().err()).for_each(note);
                ("partial", answers.iter().rev().find_map(|it| it.as_ref().err()))
            }
            Err(fault) => {
                note(fault);
                (result_label(fault), Some(fault))
            }
        };
        if let Some(fault) = last {
            self.incidents.met(IncidentKind::RequestFailed, topic.name(), result, fault);
        }
        self.metrics.publish_requests.with_label_values(&[topic.name(), result]).inc();
    }

    pub(super) fn retry(&self, topic: &TopicArn, fault: &Fault) {
        self.metrics.retries.with_label_values(&[topic.name(), result_label(fault)]).inc();
    }

    fn of(&self, topic: &TopicArn) -> Rc<TopicMetrics> {
        if let Some(known) = self.topics.borrow().get(topic) {
            return Rc::clone(known);
        }
        let name = topic.name();
        let Metrics { publish_requests, published, publish_seconds, .. } = &*self.metrics;
        let of_topic = Rc::new(TopicMetrics {
            accepted: publish_requests.with_label_values(&[name, "accepted"]),
            published: published.with_label_values(&[name]),
            seconds: publish_seconds.with_label_values(&[name]),
        });
        self.topics.borrow_mut().insert(topic.clone(), Rc::clone(&of_topic));
        of_topic
    }
}

impl Default for PublishMetrics {
    fn default() -> Self {
        Self::new(Arc::default(), [])
    }
}

/// What was met, as one of few words: SNS's codes are not ours to bound.
fn result_label(fault: &Fault) -> &'static str {
    match fault.scope {
        Scope::Message => "message_fault",
        Scope::Route => "topic_fault",
        Scope::Service => "service_fault",
        Scope::Transient if is_throttle(fault) => "throttled",
        Scope::Transient if is_unreachable(fault) => "unreachable",
        Scope::Transient if fault.code == "timeout" => "timeout",
        Scope::Transient => "failed",
    }
}
