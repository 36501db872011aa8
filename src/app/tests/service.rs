//! SNS as a test wants it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::arn::TopicArn;
use crate::outcome::{Fault, MessageId, Scope};
use crate::plugin::Attributes;
use crate::publish::Publish;
use crate::publish::classify::scope_of;
use crate::publish::memory::fault;
use crate::route::Notification;

/// A round trip in a data centre.
const LATENCY: Duration = Duration::from_millis(10);

/// What a request meets: `None` if it is accepted. Of a question for a topic, there are no notifications.
type Faults = Box<dyn FnMut(&TopicArn, &[&Notification]) -> Option<Fault>>;

/// What an entry of an accepted request meets.
type EntryFaults = Box<dyn FnMut(&Notification) -> Option<Fault>>;

/// Whether the answer to a request of this number is lost.
type Losses = Box<dyn FnMut(u64) -> bool>;

/// What SNS says with this code.
pub(super) fn answered(code: &str) -> Fault {
    Fault { scope: scope_of(code, 400, ""), code: code.to_owned(), detail: String::new() }
}

/// Accepts what it has no fault for, and keeps it.
#[derive(Clone, Default)]
pub(super) struct Service(Rc<State>);

#[derive(Default)]
struct State {
    faults: RefCell<Option<Faults>>,
    entries: RefCell<Option<EntryFaults>>,
    losses: RefCell<Option<Losses>>,
    accepted: RefCell<Vec<Accepted>>,
    requests: Cell<u64>,
    /// Of a topic, whether it is there.
    questions: Cell<u64>,
    /// Beside that of the network.
    latency: Cell<Duration>,
}

/// A notification that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    /// The topic's name.
    pub topic: String,
    pub body: String,
    pub attributes: Attributes,
    pub group: Option<String>,
    pub dedup_id: Option<String>,
    /// Counted from 1.
    pub request: u64,
}

impl Accepted {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The text of its message, as a number.
    pub(super) fn number(&self) -> usize {
        self.json()["message"].as_str().unwrap().parse().unwrap()
    }
}

impl Service {
    /// From now on requests meet what this returns of them.
    pub(super) fn fail_requests(
        &self,
        faults: impl FnMut(&TopicArn, &[&Notification]) -> Option<Fault> + 'static,
    ) {
        self.0.faults.replace(Some(Box::new(faults)));
    }

    /// The same of single entries.
    pub(super) fn fail_entries(
        &self,
        faults: impl FnMut(&Notification) -> Option<Fault> + 'static,
    ) {
        self.0.entries.replace(Some(Box::new(faults)));
    }

    /// Takes what it has no fault for, and lets nobody know of the requests for which this is true.
    pub(super) fn lose_answers(&self, losses: impl FnMut(u64) -> bool + 'static) {
        self.0.losses.replace(Some(Box::new(losses)));
    }

    /// Answers take so much longer.
    pub(super) fn set_latency(&self, latency: Duration) {
        self.0.latency.set(latency);
    }

    /// From now on a topic of this name is not there.
    pub(super) fn delete_topic(&self, name: &'static str) {
        self.fail_requests(move |topic, _| (topic.name() == name).then(|| answered("NotFound")));
    }

    /// From now on no message is taken, for which questions are no reason to complain.
    pub(super) fn refuse_messages(&self, code: &'static str) {
        self.fail_requests(move |_, batch| (!batch.is_empty()).then(|| answered(code)));
    }

    pub(super) fn heal(&self) {
        self.0.faults.take();
        self.0.entries.take();
        self.0.losses.take();
        self.0.latency.take();
    }

    pub(super) fn requests(&self) -> u64 {
        self.0.requests.get()
    }

    /// How often it was asked whether a topic is there.
    pub(super) fn questions(&self) -> u64 {
        self.0.questions.get()
    }

    pub(super) fn accepted(&self) -> Vec<Accepted> {
        self.0.accepted.borrow().clone()
    }

    /// What a topic has got, in order.
    pub(super) fn of(&self, topic: &str) -> Vec<Accepted> {
        self.accepted().into_iter().filter(|it| it.topic == topic).collect()
    }

    /// How many different messages a topic has got.
    pub(super) fn distinct(&self, topic: &str) -> usize {
        self.of(topic).into_iter().map(|it| it.body).collect::<BTreeSet<_>>().len()
    }

    fn fault_of(&self, topic: &TopicArn, batch: &[&Notification]) -> Option<Fault> {
        self.0.faults.borrow_mut().as_mut().and_then(|faults| faults(topic, batch))
    }

    fn entry(&self, notification: &Notification, request: u64) -> Result<MessageId, Fault> {
        let met = self.0.entries.borrow_mut().as_mut().and_then(|faults| faults(notification));
        if let Some(fault) = met {
            return Err(fault);
        }
        let mut accepted = self.0.accepted.borrow_mut();
        accepted.push(Accepted {
            topic: notification.topic.name().to_owned(),
            body: notification.body.clone(),
            attributes: notification.attributes.clone(),
            group: notification.group.as_ref().map(|it| it.as_str().to_owned()),
            dedup_id: notification.dedup_id.clone(),
            request,
        });
        Ok(MessageId(accepted.len().to_string()))
    }
}

impl Publish for Service {
    async fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        let request = self.0.requests.get() + 1;
        self.0.requests.set(request);
        // Requests overtake each other: each takes another time.
        sleep(LATENCY + self.0.latency.get() + Duration::from_millis(request * 7 % 30)).await;
        if let Some(fault) = self.fault_of(&batch[0].topic, batch) {
            return Err(fault);
        }
        let answers = batch.iter().map(|it| self.entry(it, request)).collect();
        let is_lost = self.0.losses.borrow_mut().as_mut().is_some_and(|losses| losses(request));
        if is_lost { Err(fault(Scope::Transient)) } else { Ok(answers) }
    }

    async fn find_topic(&self, topic: &TopicArn) -> Result<(), Fault> {
        self.0.questions.set(self.0.questions.get() + 1);
        sleep(LATENCY + self.0.latency.get()).await;
        self.fault_of(topic, &[]).map_or(Ok(()), Err)
    }
}
