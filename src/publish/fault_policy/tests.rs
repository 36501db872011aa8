//! The fault policy's promises, under a paused clock.

mod budgets;
mod outage;
mod random;

use std::cell::Cell;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::outcome::MessageId;
use crate::publish::MemoryTopics;
use crate::publish::Taken;
use crate::publish::hold::WaitBudget;
use crate::publish::memory::{fault, notification};

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_hours(24);

fn policy_to<P: Attempt>(place: P, threshold: u32) -> FaultPolicy<Retry<P>> {
    FaultPolicy::new(Retry::new(place, 0, Duration::ZERO), threshold, LONGEST_PAUSE)
}

fn policy(threshold: u32) -> FaultPolicy<Retry<MemoryTopics>> {
    policy_to(MemoryTopics::default(), threshold)
}

fn place(policy: &FaultPolicy<Retry<MemoryTopics>>) -> &MemoryTopics {
    policy.retry.place()
}

/// Publishes, with all the time there is.
async fn publish<P: Attempt>(
    policy: &FaultPolicy<Retry<P>>,
    note: &Rc<Notification>,
) -> Result<Accepted, Failure> {
    let budget = WaitBudget::without_deadline(10_000, false);
    match policy.publish(note, &budget.deadline()).await {
        Ok(accepted) => Ok(accepted),
        Err(Unpublished::Failed(failure)) => Err(failure),
        Err(Unpublished::Overdue(overdue)) => panic!("{overdue:?}"),
    }
}

/// A service that has its troubles; each request takes 5 ms.
#[derive(Debug, Default)]
struct World {
    credentials_expired: Cell<bool>,
    /// The topic `gone` is.
    topic_gone: Cell<bool>,
    /// Met by every event of this topic, or of all if that is empty.
    fault: RefCell<Option<(&'static str, Fault)>>,
    requests: Cell<usize>,
    in_flight: Cell<usize>,
}

impl World {
    fn answer(&self, topic: &TopicArn) -> Result<(), Fault> {
        if let Some((name, fault)) = &*self.fault.borrow()
            && (name.is_empty() || *name == topic.name())
        {
            return Err(fault.clone());
        }
        if self.credentials_expired.get() {
            return Err(fault(Scope::Service));
        }
        if self.topic_gone.get() && topic.name() == "gone" {
            return Err(fault(Scope::Route));
        }
        Ok(())
    }
}

impl Attempt for Rc<World> {
    async fn attempt(&self, notification: &Rc<Notification>, _: Taken) -> Result<MessageId, Fault> {
        self.requests.set(self.requests.get() + 1);
        self.in_flight.set(self.in_flight.get() + 1);
        sleep(Duration::from_millis(5)).await;
        self.in_flight.set(self.in_flight.get() - 1);
        if notification.body == "poison" {
            return Err(fault(Scope::Service));
        }
        self.answer(&notification.topic).map(|()| MessageId(String::new()))
    }

    async fn find_topic(&self, topic: &TopicArn) -> Result<(), Fault> {
        sleep(Duration::from_millis(5)).await;
        self.answer(topic)
    }
}

/// Publishes in the background.
fn spawn(
    policy: &Rc<FaultPolicy<Retry<Rc<World>>>>,
    topic: &str,
    body: &str,
) -> JoinHandle<Result<Accepted, Failure>> {
    let (policy, note) = (Rc::clone(policy), notification(topic, body));
    tokio::task::spawn_local(async move { publish(&policy, &note).await })
}

#[tokio::test(start_paused = true)]
async fn a_service_fault_holds_everything_and_dead_letters_nothing() {
    let policy = policy(10);
    for _ in 0..30 {
        place(&policy).fail_next(fault(Scope::Service));
    }
    let notes: Vec<_> = (0..20).map(|n| notification("t", &n.to_string())).collect();
    let begun = Instant::now();
    let answers = join_all(notes.iter().map(|note| publish(&policy, note))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(place(&policy).published().len(), 20);
    assert!(begun.elapsed() > LONGEST_PAUSE, "probed too eagerly");
}

#[tokio::test(start_paused = true)]
async fn a_held_topic_lets_the_others_flow() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World { topic_gone: Cell::new(true), ..World::default() });
            let policy = Rc::new(policy_to(Rc::clone(&world), 10));
            (0..5).for_each(|_| drop(spawn(&policy, "gone", "held")));
            sleep(Duration::from_secs(5)).await;
            let good = notification("good", "flows");
            timeout(Duration::from_millis(10), publish(&policy, &good)).await.unwrap().unwrap();
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_recovers_is_not_blocked_by_a_topic_that_is_still_gone() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World { topic_gone: Cell::new(true), ..World::default() });
            let policy = Rc::new(policy_to(Rc::clone(&world), 10));
            (0..200).for_each(|_| drop(spawn(&policy, "gone", "held")));
            sleep(Duration::from_mins(2)).await;
            world.credentials_expired.set(true);
            sleep(Duration::from_secs(40)).await;
            world.credentials_expired.set(false);
            let good = notification("good", "flows");
            timeout(DAY, publish(&policy, &good)).await.expect("held for a day").unwrap();
        })
        .await;
}

/// They had the topic's permit before its circuit opened.
#[tokio::test(start_paused = true)]
async fn what_waited_for_the_service_does_not_rush_to_a_topic_that_is_held_meanwhile() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World { credentials_expired: Cell::new(true), ..World::default() });
            let policy = Rc::new(policy_to(Rc::clone(&world), 10));
            drop(spawn(&policy, "good", "held"));
            sleep(Duration::from_millis(10)).await;
            (0..200).for_each(|_| drop(spawn(&policy, "gone", "held")));
            sleep(Duration::from_millis(10)).await;
            world.topic_gone.set(true);
            world.credentials_expired.set(false);
            let before = world.requests.get();
            sleep(Duration::from_mins(1)).await;
            let requests = world.requests.get() - before;
            assert!((2..20).contains(&requests), "{requests} requests in a minute");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_event_that_only_looks_like_an_outage_does_not_hold_the_others_for_ever() {
    LocalSet::new()
        .run_until(async {
            let policy = Rc::new(policy_to(Rc::new(World::default()), 10));
            drop(spawn(&policy, "t", "poison"));
            sleep(Duration::from_secs(1)).await;
            let fine = notification("t", "fine");
            timeout(LONGEST_PAUSE * 2, publish(&policy, &fine)).await.expect("held").unwrap();
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_probes_with_one_request_at_a_time() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World { credentials_expired: Cell::new(true), ..World::default() });
            let policy = Rc::new(policy_to(Rc::clone(&world), 10));
            (0..100).for_each(|_| drop(spawn(&policy, "t", "held")));
            sleep(Duration::from_millis(10)).await;
            let in_flight_when_it_began = world.requests.get();
            sleep(Duration::from_mins(5)).await;
            let probes = world.requests.get() - in_flight_when_it_began;
            assert!((8..30).contains(&probes), "{probes} probes in five minutes");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn out_of_retries_is_a_dead_letter_until_the_threshold_says_outage() {
    let policy = policy(3);
    for _ in 0..6 {
        place(&policy).fail_next(fault(Scope::Transient));
    }
    let note = notification("t", "{}");
    for _ in 0..2 {
        publish(&policy, &note).await.unwrap_err();
    }
    let accepted = publish(&policy, &note).await.unwrap();
    assert_eq!(accepted.attempts, 5, "four failures and the success that opened the policy");
    place(&policy).fail_next(fault(Scope::Transient));
    publish(&policy, &note).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_runs_out_of_retries_is_no_dead_letter() {
    for scope in [Scope::Service, Scope::Route] {
        let policy = policy(10);
        place(&policy).fail_next(fault(scope));
        place(&policy).fail_next(fault(Scope::Transient));
        publish(&policy, &notification("t", "{}")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_fault_during_a_probe_closes_the_circuit() {
    let policy = policy(10);
    place(&policy).fail_next(fault(Scope::Service));
    place(&policy).fail_next(fault(Scope::Message));
    let note = notification("t", "{}");
    assert_eq!(publish(&policy, &note).await.unwrap_err().attempts, 2);
    assert!(!policy.service.is_open());
    assert!(policy.service.acquire().now_or_never().is_some());
}
