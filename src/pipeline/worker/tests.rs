//! The whole way between a queue and topics in memory, under a paused clock and random faults.

mod holding;
mod order;
mod reconnecting;
mod taking;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join;
use proptest::prelude::*;
use tokio::task::LocalSet;

use super::*;
use crate::config::{Config, Inputs};
use crate::event::Envelope;
use crate::observe::metrics::{Metrics, Totals};
use crate::outcome::{Fault, MessageId, Reason, Scope};
use crate::pipeline::memory::MemoryQueue;
use crate::plugin::{DefaultPlugin, Plugins};
use crate::publish;
use crate::publish::memory::{fault, under_a_paused_clock};
use crate::route::Notification;

const CONFIGURATION: &str = r#"
    [sns]
    region = "us-east-1"
    account_id = "123456789012"
    presence_updates_topic = "presence"
    batch_max_entries = 4
    pool_size = 3
    attempt_timeout_ms = 100
    connect_timeout_ms = 100
    [outage]
    threshold = 3
"#;

/// What a request or an entry meets.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is not accepted.
    Refused(Scope),
    /// It is accepted, and nobody hears of it.
    AnswerLost,
}

/// Meets each request and each entry with the next fate of a list, then accepts for ever.
#[derive(Debug, Default)]
struct Flaky {
    fates: RefCell<Vec<Option<Fate>>>,
    requests: RefCell<u64>,
    accepted: Rc<RefCell<Vec<String>>>,
}

impl Flaky {
    fn next(&self) -> Option<Fate> {
        self.fates.borrow_mut().pop().flatten()
    }

    /// Requests overtake each other: each takes another time.
    fn latency(&self) -> Duration {
        let mut requests = self.requests.borrow_mut();
        *requests += 1;
        Duration::from_millis(1 + *requests * 7 % 30)
    }

    fn entry(&self, notification: &Notification) -> Result<MessageId, Fault> {
        let fate = self.next();
        if let Some(Fate::Refused(scope)) = fate {
            return Err(fault(scope));
        }
        self.accepted.borrow_mut().push(notification.body.clone());
        if fate.is_some() {
            return Err(fault(Scope::Transient));
        }
        Ok(MessageId("accepted".to_owned()))
    }
}

impl Publish for Flaky {
    async fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        tokio::time::sleep(self.latency()).await;
        let fate = self.next();
        if let Some(Fate::Refused(scope)) = fate {
            return Err(fault(scope));
        }
        let answers = batch.iter().map(|notification| self.entry(notification)).collect();
        if fate.is_some() {
            return Err(fault(Scope::Transient));
        }
        Ok(answers)
    }
}

fn chat(user: u8, number: usize) -> Envelope {
    let payload = format!(
        r#"{{"type":"chat","from_user_id":"u{user}@h","to_user_id":"x@h","message":"{number}"}}"#
    );
    Envelope { payload: payload.into_bytes(), ..Envelope::default() }
}

/// Sender and number of a published body.
fn read(body: &str) -> (String, usize) {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    (text("from_user_id"), text("message").parse().unwrap())
}

struct Run {
    accepted: Vec<(String, usize)>,
    dead: Vec<Reason>,
    totals: Totals,
    left: usize,
}

/// How a worker is set up, and what happens to it.
#[derive(Debug, Clone, Copy)]
struct Case<'a> {
    ordering: &'a str,
    /// Of messages between two users.
    topic: &'a str,
    prefetch: u16,
    hand_back_after_s: u64,
    /// The connection is cut after each of these milliseconds.
    cuts: &'a [u64],
}

const IN_ORDER: Case<'static> =
    Case { ordering: "per-key", topic: "pm", prefetch: 1500, hand_back_after_s: 1200, cuts: &[] };

fn worker<S: Source, P: Publish + 'static>(source: S, place: P, case: Case<'_>) -> Worker<S, P> {
    let Case { ordering, topic, prefetch, hand_back_after_s, .. } = case;
    let set = [
        ("EVENT_PUSHER__SNS__ORDERING".to_owned(), ordering.to_owned()),
        ("EVENT_PUSHER__SNS__PM_MESSAGES_TOPIC".to_owned(), topic.to_owned()),
        ("EVENT_PUSHER__OUTAGE__HAND_BACK_AFTER_S".to_owned(), hand_back_after_s.to_string()),
    ];
    let inputs = Inputs {
        files: vec![("test".into(), CONFIGURATION.into())],
        environment: set.into_iter().collect(),
    };
    let config = Config::load(&inputs, &[DefaultPlugin::NAME]).unwrap();
    let router = Rc::new(config.router(&Plugins::default()).unwrap());
    let publisher = Rc::new(publish::stack(&config.sns, &config.outage, place));
    Worker {
        name: "test".to_owned(),
        source,
        relay: Relay::new(crate::event::Format::Native, router, publisher),
        budget: WaitBudget::new(&config.amqp.sources[0], prefetch, config.outage.hand_back_after),
        monitor: Rc::new(Monitor::new("test", Arc::default())),
        grace: Duration::from_secs(10),
        is_lane: false,
    }
}

/// Works the events off.
fn work_off(events: &[Envelope], fates: Vec<Option<Fate>>, case: Case<'_>) -> Run {
    under_a_paused_clock(async {
        let place = Flaky { fates: RefCell::new(fates), ..Flaky::default() };
        let accepted = Rc::clone(&place.accepted);
        let queue = MemoryQueue::default();
        events.iter().cloned().for_each(|event| queue.publish(event));
        let metrics = Arc::new(Metrics::new());
        let monitor = Rc::new(Monitor::new("test", Arc::clone(&metrics)));
        let worker = Worker { monitor, ..worker(queue.clone(), place, case) };
        let (ask, stop) = watch::channel(false);
        let watching = async {
            for pause in case.cuts {
                tokio::time::sleep(Duration::from_millis(*pause)).await;
                // A cut before all that came back is taken again breaks the order on quorum queues before
                // RabbitMQ 4, as README says.
                while queue.returned() > 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                queue.cut();
            }
            // A virtual day is enough for any hold to end.
            tokio::time::sleep(Duration::from_hours(24)).await;
            ask.send_replace(true);
        };
        join(worker.run(stop), watching).await;
        let totals = metrics.reading().totals();
        assert_eq!((totals.in_flight, totals.unaccounted()), (0, 0), "{totals}");
        let accepted = accepted.borrow().iter().map(|body| read(body)).collect();
        let dead = queue.dead_letters().iter().map(|(_, letter)| letter.reason).collect();
        Run { accepted, dead, totals, left: queue.ready() + queue.unacked() + queue.parked() }
    })
}

fn any_fate() -> impl Strategy<Value = Option<Fate>> {
    prop_oneof![
        3 => Just(None),
        2 => Just(Some(Fate::Refused(Scope::Transient))),
        1 => Just(Some(Fate::Refused(Scope::Message))),
        1 => Just(Some(Fate::Refused(Scope::Route))),
        1 => Just(Some(Fate::Refused(Scope::Service))),
        1 => Just(Some(Fate::AnswerLost)),
    ]
}

fn events_of(users: &[u8]) -> Vec<Envelope> {
    users.iter().enumerate().map(|(number, user)| chat(*user, number)).collect()
}

/// Each key's events, in the order in which they were accepted.
fn by_key(accepted: &[(String, usize)]) -> BTreeMap<&str, Vec<usize>> {
    let mut keys: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (user, number) in accepted {
        keys.entry(user).or_default().push(*number);
    }
    keys
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn nothing_is_overtaken_by_its_own_key_whatever_is_held_retried_or_handed_back(
        users in prop::collection::vec(0_u8..4, 1..60),
        fates in prop::collection::vec(any_fate(), 0..120),
        hand_back_after_s in 1_u64..4,
    ) {
        let events = events_of(&users);
        let lost = fates.iter().any(|fate| matches!(fate, Some(Fate::AnswerLost)));
        let run = work_off(&events, fates, Case { hand_back_after_s, ..IN_ORDER });
        for (user, numbers) in by_key(&run.accepted) {
            prop_assert!(numbers.is_sorted(), "{user} came as {numbers:?}");
        }
        let distinct: BTreeSet<_> = run.accepted.iter().map(|(_, number)| number).collect();
        if !lost {
            prop_assert_eq!(run.accepted.len(), distinct.len(), "something came twice");
            prop_assert_eq!(distinct.len() + run.dead.len(), events.len());
        }
        prop_assert!(distinct.len() + run.dead.len() >= events.len(), "something is lost");
        prop_assert_eq!(run.left, 0);
        prop_assert_eq!(run.totals.published, (events.len() - run.dead.len()) as u64);
    }

    #[test]
    fn a_cut_connection_loses_nothing_and_what_comes_first_comes_in_order(
        users in prop::collection::vec(0_u8..4, 1..60),
        fates in prop::collection::vec(any_fate(), 0..60),
        cuts in prop::collection::vec(1_u64..2000, 0..5),
    ) {
        let events = events_of(&users);
        let run = work_off(&events, fates, Case { cuts: &cuts, ..IN_ORDER });
        let mut seen = BTreeSet::new();
        let firsts: Vec<_> =
            run.accepted.iter().filter(|(_, number)| seen.insert(*number)).cloned().collect();
        for (user, numbers) in by_key(&firsts) {
            prop_assert!(numbers.is_sorted(), "{user} came as {numbers:?}");
        }
        prop_assert!(firsts.len() + run.dead.len() >= events.len());
        prop_assert_eq!(run.left, 0);
    }

    #[test]
    fn what_is_parked_or_handed_back_comes_again_and_ends_once(
        users in prop::collection::vec(0_u8..4, 1..60),
        fates in prop::collection::vec(any_fate(), 0..120),
        prefetch in 1_u16..20,
        hand_back_after_s in 1_u64..4,
    ) {
        let events = events_of(&users);
        let lost = fates.iter().any(|fate| matches!(fate, Some(Fate::AnswerLost)));
        let case = Case { ordering: "none", prefetch, hand_back_after_s, ..IN_ORDER };
        let run = work_off(&events, fates, case);
        let distinct: BTreeSet<_> = run.accepted.iter().map(|(_, number)| number).collect();
        if !lost {
            prop_assert_eq!(run.accepted.len(), distinct.len(), "something came twice");
            prop_assert_eq!(distinct.len() + run.dead.len(), events.len());
        }
        prop_assert!(distinct.len() + run.dead.len() >= events.len(), "something is lost");
        prop_assert_eq!(run.left, 0);
    }
}
