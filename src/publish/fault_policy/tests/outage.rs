//! What is held when, and how it opens.

use super::*;

fn transient(code: &str) -> Fault {
    Fault { scope: Scope::Transient, code: code.to_owned(), detail: String::new() }
}

fn unreachable() -> Fault {
    transient(crate::publish::fault::UNREACHABLE)
}

/// Retries twice, and holds after `threshold`.
fn retrying(world: &Rc<World>, threshold: u32) -> Rc<FaultPolicy<Retry<Rc<World>>>> {
    let retry = Retry::new(Rc::clone(world), 2, Duration::from_millis(50));
    Rc::new(FaultPolicy::new(retry, threshold, LONGEST_PAUSE))
}

fn held(policy: &FaultPolicy<Retry<Rc<World>>>) -> Vec<String> {
    policy.open_circuits().iter().map(|hold| hold.circuit.to_string()).collect()
}

async fn dead(events: Vec<JoinHandle<Result<Accepted, Failure>>>) -> usize {
    join_all(events).await.into_iter().filter(|it| it.as_ref().unwrap().is_err()).count()
}

#[tokio::test(start_paused = true)]
async fn with_everything_refused_from_the_start_no_more_than_the_threshold_are_dead() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World::default());
            world.fault.replace(Some(("", transient("InternalError"))));
            let policy = retrying(&world, 10);
            // In the order and the company in which a prefetch gets there.
            let mut events = Vec::new();
            for _ in 0..100 {
                events.extend((0..20).map(|_| spawn(&policy, "t", "{}")));
                sleep(Duration::from_millis(3)).await;
            }
            sleep(Duration::from_mins(10)).await;
            assert_eq!(held(&policy), ["service"]);
            world.fault.take();
            assert!(dead(events).await < 10);
            assert!(policy.open_circuits().is_empty());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_comes_and_goes_costs_no_more_dead_letters() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World::default());
            world.fault.replace(Some(("", transient("InternalError"))));
            let policy = retrying(&world, 10);
            let events: Vec<_> = (0..500).map(|_| spawn(&policy, "t", "{}")).collect();
            for _ in 0..8 {
                sleep(Duration::from_mins(1)).await;
                // Down again before the first who go have brought the others along.
                world.fault.take();
                let before = world.requests.get();
                while world.requests.get() < before + 8 {
                    sleep(Duration::from_millis(1)).await;
                }
                world.fault.replace(Some(("", transient("InternalError"))));
            }
            world.fault.take();
            assert!(dead(events).await < 10);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_half_open_circuit_lets_few_go_first_and_twice_as_many_with_every_round() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World { credentials_expired: Cell::new(true), ..World::default() });
            let policy = retrying(&world, 10);
            let events: Vec<_> = (0..500).map(|_| spawn(&policy, "t", "{}")).collect();
            sleep(Duration::from_mins(2)).await;
            world.credentials_expired.set(false);
            while !policy.open_circuits().is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
            let mut rounds = Vec::new();
            while world.in_flight.get() > 0 {
                rounds.push(world.in_flight.get());
                sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(rounds[..7], [2, 4, 8, 16, 32, 64, 128], "{rounds:?}");
            assert_eq!(dead(events).await, 0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_topic_that_fails_while_the_others_get_through_is_held_alone() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World::default());
            world.fault.replace(Some(("bad", transient("InternalError"))));
            let policy = retrying(&world, 10);
            let mut events = Vec::new();
            for _ in 0..100 {
                events.push(spawn(&policy, "bad", "{}"));
                let good = notification("good", "{}");
                timeout(Duration::from_millis(10), publish(&policy, &good)).await.unwrap().unwrap();
            }
            sleep(Duration::from_secs(1)).await;
            assert_eq!(held(&policy), ["arn:aws:sns:us-east-1:123456789012:bad"]);
            world.fault.take();
            assert!(dead(events).await < 10);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_out_of_reach_is_held_after_the_retries_and_costs_nothing() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World::default());
            world.fault.replace(Some(("", unreachable())));
            let policy = retrying(&world, 10);
            let only = spawn(&policy, "t", "{}");
            sleep(Duration::from_secs(1)).await;
            assert_eq!(held(&policy), ["service"]);
            world.fault.take();
            assert_eq!(only.await.unwrap().map(|it| it.attempts > 3), Ok(true));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_regions_endpoint_out_of_reach_holds_its_topics_alone() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World::default());
            world.fault.replace(Some(("far", unreachable())));
            let policy = retrying(&world, 10);
            let far = spawn(&policy, "far", "{}");
            for _ in 0..100 {
                publish(&policy, &notification("near", "{}")).await.unwrap();
            }
            assert_eq!(held(&policy), ["arn:aws:sns:us-east-1:123456789012:far"]);
            far.abort();
        })
        .await;
}

/// Takes a second for its first answer, which is good; all others are prompt and bad.
struct SlowSuccess(Cell<usize>);

impl Attempt for SlowSuccess {
    async fn attempt(&self, _: &Rc<Notification>, _: Taken) -> Result<MessageId, Fault> {
        self.0.set(self.0.get() + 1);
        if self.0.get() == 1 {
            sleep(Duration::from_secs(1)).await;
            return Ok(MessageId(String::new()));
        }
        Err(fault(Scope::Service))
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_what_left_before_the_hold_does_not_end_it() {
    let policy = policy_to(SlowSuccess(Cell::new(0)), 10);
    let (early, late) = (notification("t", "early"), notification("t", "late"));
    let both = async { tokio::join!(publish(&policy, &early), publish(&policy, &late)) };
    timeout(Duration::from_secs(5), both).await.unwrap_err();
    assert_eq!(policy.open_circuits().len(), 1);
    assert!(
        policy.open_circuits()[0].lasted > Duration::from_secs(4),
        "{:?}",
        policy.open_circuits()
    );
}

/// Fails each event once: `early` after five seconds and by itself, others at once and as an outage.
#[derive(Default)]
struct FailsOnce(RefCell<Vec<String>>);

impl Attempt for FailsOnce {
    async fn attempt(&self, notification: &Rc<Notification>, _: Taken) -> Result<MessageId, Fault> {
        if self.0.borrow().contains(&notification.body) {
            return Ok(MessageId(String::new()));
        }
        self.0.borrow_mut().push(notification.body.clone());
        if notification.body == "early" {
            sleep(Duration::from_secs(5)).await;
            return Err(transient("InternalError"));
        }
        Err(fault(Scope::Service))
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_retries_ran_out_during_a_hold_is_tried_again_after_it() {
    let policy = policy_to(FailsOnce::default(), 10);
    let (early, late) = (notification("t", "early"), notification("t", "late"));
    let begun = Instant::now();
    let (early, ()) = tokio::join!(publish(&policy, &early), async {
        publish(&policy, &late).await.unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "the hold is over before the retries are"
        );
    });
    assert_eq!(early.map(|it| it.attempts), Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_hold_tells_what_since_when_how_many_wait_and_what_to_do() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World { topic_gone: Cell::new(true), ..World::default() });
            let policy = Rc::new(policy_to(Rc::clone(&world), 10));
            let events: Vec<_> = (0..7).map(|_| spawn(&policy, "gone", "{}")).collect();
            sleep(Duration::from_millis(10)).await;
            let hold = policy.open_circuits().remove(0);
            assert_eq!((hold.circuit.scope(), hold.waiting), (Scope::Route, 7));
            assert!(hold.next_probe > Duration::from_millis(100), "{hold:?}");
            while world.in_flight.get() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(policy.open_circuits()[0].waiting, 7, "one that probes waits, too");
            assert!(hold.circuit.to_string().ends_with(":gone"), "{hold:?}");
            assert!(jiff::Timestamp::now().duration_since(hold.since).as_secs() < 60, "{hold:?}");
            assert_eq!(hold.fault.code, "Test");
            assert!(hold.advice.contains("create the topic"), "{hold:?}");
            world.topic_gone.set(false);
            assert_eq!(dead(events).await, 0);
            assert!(policy.open_circuits().is_empty());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waits_for_its_topic_and_for_the_service_counts_once_at_each_moment() {
    LocalSet::new()
        .run_until(async {
            let world = Rc::new(World { topic_gone: Cell::new(true), ..World::default() });
            let policy = Rc::new(policy_to(Rc::clone(&world), 10));
            let event = spawn(&policy, "gone", "{}");
            sleep(Duration::from_secs(1)).await;
            world.credentials_expired.set(true);
            for _ in 0..60_000 {
                let holds = policy.open_circuits();
                let waiting: usize = holds.iter().map(|it| it.waiting).sum();
                assert_eq!(waiting, 1, "{holds:?}");
                sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(held(&policy).len(), 2);
            event.abort();
        })
        .await;
}
