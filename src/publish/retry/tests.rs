use std::cell::RefCell;

use tokio::time::Instant;

use super::*;
use crate::publish::MemoryTopics;
use crate::publish::memory::{fault, notification};

/// Answers with one scope for ever and notes when it was asked.
struct Refusing {
    scope: Scope,
    asked: RefCell<Vec<Instant>>,
}

impl Attempt for Refusing {
    async fn attempt(&self, _: &Rc<Notification>, _: Taken) -> Result<MessageId, Fault> {
        self.asked.borrow_mut().push(Instant::now());
        Err(fault(self.scope))
    }
}

fn retry(scope: Scope, count: u32) -> Retry<Refusing> {
    let place = Refusing { scope, asked: RefCell::default() };
    Retry::new(place, count, Duration::from_millis(50))
}

#[tokio::test(start_paused = true)]
async fn a_transient_fault_is_retried_so_often_and_no_oftener() {
    for count in [0, 1, 2, 5] {
        let retry = retry(Scope::Transient, count);
        let failure = retry.publish(&notification("t", "{}"), Taken::now()).await.unwrap_err();
        assert_eq!(failure.attempts, count + 1);
        assert_eq!(retry.place.asked.borrow().len(), count as usize + 1);
        assert_eq!(failure.fault.scope, Scope::Transient);
    }
}

#[tokio::test(start_paused = true)]
async fn each_pause_is_drawn_between_the_bounds_of_mongooseim() {
    let base = 50.0;
    let mut means = [0.0; 5];
    for _ in 0..200 {
        let retry = retry(Scope::Transient, 5);
        retry.publish(&notification("t", "{}"), Taken::now()).await.unwrap_err();
        let asked = retry.place.asked.borrow();
        for (k, pair) in asked.windows(2).enumerate() {
            let pause = (pair[1] - pair[0]).as_secs_f64() * 1000.0;
            let most = base * f64::from(1 << k);
            // The timer rounds up to its next millisecond.
            assert!(pause >= most - base && pause <= most + 1.0, "pause {k} was {pause} ms");
            means[k] += pause / 200.0;
        }
    }
    for (k, mean) in means.iter().enumerate() {
        let middle = base * f64::from(1 << k) - base / 2.0;
        assert!((mean - middle).abs() < 6.0, "pause {k} is {mean} ms in the mean, not {middle}");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_of_other_scopes_are_not_retried() {
    for scope in [Scope::Message, Scope::Route, Scope::Service] {
        let retry = retry(scope, 5);
        let failure = retry.publish(&notification("t", "{}"), Taken::now()).await.unwrap_err();
        assert_eq!((failure.attempts, failure.fault.scope), (1, scope));
    }
}

/// Throttles nine of ten, and takes up to two seconds to say so.
struct Busy(RefCell<fastrand::Rng>);

impl Attempt for Busy {
    async fn attempt(&self, _: &Rc<Notification>, _: Taken) -> Result<MessageId, Fault> {
        let (latency, accepts) = {
            let mut random = self.0.borrow_mut();
            (Duration::from_millis(random.u64(..2000)), random.u8(..10) == 0)
        };
        tokio::time::sleep(latency).await;
        if accepts {
            return Ok(MessageId(String::new()));
        }
        Err(throttled())
    }
}

fn throttled() -> Fault {
    Fault { code: "Throttling".to_owned(), ..fault(Scope::Transient) }
}

#[tokio::test(start_paused = true)]
async fn as_long_as_others_get_through_a_throttled_event_waits_its_turn() {
    let retry =
        Retry::new(Busy(RefCell::new(fastrand::Rng::with_seed(1))), 2, Duration::from_millis(50));
    retry.accepted_at.set(Some(Instant::now()));
    let note = notification("t", "{}");
    let answers =
        futures_util::future::join_all((0..500).map(|_| retry.publish(&note, Taken::now()))).await;
    let dead = answers.iter().filter(|it| it.is_err()).count();
    // The last ones have nobody left who would show them that SNS is alive.
    assert!(dead <= 5, "{dead} of 500 are dead letters");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_gets_through_a_throttle_is_a_fault_like_others() {
    let place = MemoryTopics::default();
    (0..9).for_each(|_| place.fail_next(throttled()));
    let retry = Retry::new(place, 2, Duration::from_millis(50));
    let note = notification("t", "{}");
    assert_eq!(
        retry.publish(&note, Taken::now()).await.unwrap_err().attempts,
        3,
        "nothing ever did"
    );
    retry.accepted_at.set(Some(Instant::now()));
    tokio::time::advance(LIVELY).await;
    assert_eq!(
        retry.publish(&note, Taken::now()).await.unwrap_err().attempts,
        3,
        "it was too long ago"
    );
    retry.accepted_at.set(Some(Instant::now()));
    assert_eq!(retry.publish(&note, Taken::now()).await.unwrap().attempts, 4);
}

#[test]
fn a_huge_retry_count_overflows_nothing() {
    let mut pauses = MongooseImPauses { count: 200, base: Duration::from_hours(1), drawn: 0 };
    assert_eq!(std::iter::from_fn(|| pauses.next_backoff()).count(), 200);
}
