//! SNS as a test wants it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::arn::TopicArn;
use crate::outcome::{Fault, MessageId, Scope};
use crate::publish::Publish;
use crate::publish::memory::fault;
use crate::route::Notification;

/// A round trip in a data centre.
const LATENCY: Duration = Duration::from_millis(10);

/// What a request meets: `None` if it is accepted. Of a question for a topic, there are no notifications.
type Faults = Box<dyn FnMut(&TopicArn, &[&Notification]) -> Option<Fault>>;

/// What an entry of an accepted request meets.
type EntryFaults = Box<dyn FnMut(&Notification) -> Option<Fault>>;

/// Accepts what it has no fault for, and keeps it.
#[derive(Clone, Default)]
pub(super) struct Service(Rc<State>);

#[derive(Default)]
struct State {
    faults: RefCell<Option<Faults>>,
    entries: RefCell<Option<EntryFaults>>,
    accepted: RefCell<Vec<Accepted>>,
    requests: Cell<u64>,
}

/// A notification that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    /// The topic's name.
    pub topic: String,
    pub body: String,
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

    /// From now on a topic of this name is not there.
    pub(super) fn delete_topic(&self, name: &'static str) {
        self.fail_requests(move |topic, _| (topic.name() == name).then(|| fault(Scope::Route)));
    }

    pub(super) fn heal(&self) {
        self.0.faults.take();
        self.0.entries.take();
    }

    pub(super) fn requests(&self) -> u64 {
        self.0.requests.get()
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
        sleep(LATENCY + Duration::from_millis(request * 7 % 30)).await;
        match self.fault_of(&batch[0].topic, batch) {
            Some(fault) => Err(fault),
            None => Ok(batch.iter().map(|it| self.entry(it, request)).collect()),
        }
    }

    async fn find_topic(&self, topic: &TopicArn) -> Result<(), Fault> {
        sleep(LATENCY).await;
        self.fault_of(topic, &[]).map_or(Ok(()), Err)
    }
}
