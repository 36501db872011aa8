//! Who may wait, for how long, and what becomes of the others.

use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn source(parks: bool) -> crate::config::Source {
    let inputs = crate::config::Inputs {
        files: vec![(
            "test".into(),
            format!(
                "[sns]\nregion = \"eu-west-1\"\nordering = \"{}\"",
                if parks { "none" } else { "per-key" }
            ),
        )],
        ..crate::config::Inputs::default()
    };
    let config = crate::config::Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap();
    config.amqp.sources[0].clone()
}

struct Case {
    world: Rc<World>,
    policy: Rc<FaultPolicy<Retry<Rc<World>>>>,
    budget: Rc<WaitBudget>,
}

type PublishResult = Result<Accepted, Unpublished>;

const PARK: PublishResult = Err(Unpublished::Overdue(Overdue::Park));
const REQUEUE: PublishResult = Err(Unpublished::Overdue(Overdue::Requeue));

impl Case {
    /// A prefetch of eight.
    fn new(parks: bool) -> Self {
        let world = Rc::new(World { topic_gone: Cell::new(true), ..World::default() });
        let policy = Rc::new(policy_to(Rc::clone(&world), 10));
        let budget = Rc::new(WaitBudget::new(&source(parks), 8, HOUR));
        Self { world, policy, budget }
    }

    fn spawn(&self, topic: &str) -> JoinHandle<PublishResult> {
        self.spawn_note(notification(topic, "{}"))
    }

    fn spawn_note(&self, note: Rc<Notification>) -> JoinHandle<PublishResult> {
        let (policy, budget) = (Rc::clone(&self.policy), Rc::clone(&self.budget));
        tokio::task::spawn_local(async move { policy.publish(&note, &budget.deadline()).await })
    }
}

async fn ended(events: &mut Vec<JoinHandle<PublishResult>>) -> Vec<PublishResult> {
    let mut answers = Vec::new();
    for event in std::mem::take(events) {
        if event.is_finished() {
            answers.push(event.await.unwrap());
        } else {
            events.push(event);
        }
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn a_held_topic_has_half_of_the_prefetch_and_what_comes_beyond_is_parked() {
    LocalSet::new()
        .run_until(async {
            let case = Case::new(true);
            let mut events: Vec<_> = (0..10).map(|_| case.spawn("gone")).collect();
            sleep(Duration::from_millis(100)).await;
            assert_eq!(ended(&mut events).await, vec![PARK; 6]);
            assert_eq!(case.policy.open_circuits()[0].waiting, 4);
            case.world.topic_gone.set(false);
            let answers = join_all(events).await;
            assert!(answers.into_iter().all(|it| it.unwrap().is_ok()));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_held_topic_has_one_event_to_probe_with_even_when_there_is_no_room() {
    LocalSet::new()
        .run_until(async {
            let case = Case::new(true);
            let first: Vec<_> = (0..10).map(|_| case.spawn("gone")).collect();
            sleep(Duration::from_millis(100)).await;
            case.world.fault.replace(Some(("other", fault(Scope::Route))));
            let mut second: Vec<_> = (0..3).map(|_| case.spawn("other")).collect();
            sleep(Duration::from_millis(100)).await;
            assert_eq!(ended(&mut second).await, vec![PARK; 2]);
            case.world.fault.take();
            timeout(LONGEST_PAUSE, second.remove(0)).await.unwrap().unwrap().unwrap();
            first.iter().for_each(JoinHandle::abort);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_must_keep_its_order_is_never_parked() {
    LocalSet::new()
        .run_until(async {
            let ordered = Notification {
                order: Some(crate::route::OrderKey::from("key".to_owned())),
                ..Notification::clone(&notification("gone", "{}"))
            };
            for (parks, note) in [(true, Rc::new(ordered)), (false, notification("gone", "{}"))] {
                let case = Case::new(parks);
                let mut events: Vec<_> =
                    (0..10).map(|_| case.spawn_note(Rc::clone(&note))).collect();
                sleep(Duration::from_mins(30)).await;
                assert_eq!(ended(&mut events).await, []);
                sleep(HOUR).await;
                assert_eq!(ended(&mut events).await, vec![REQUEUE; 10]);
                let held = case.budget.requeuing().unwrap();
                assert_eq!(held, Circuit::Topic(note.topic.clone()));
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn where_parking_is_refused_events_wait_and_it_is_tried_again_later() {
    LocalSet::new()
        .run_until(async {
            let case = Case::new(true);
            let mut events: Vec<_> = (0..5).map(|_| case.spawn("gone")).collect();
            sleep(Duration::from_millis(100)).await;
            assert_eq!(ended(&mut events).await, vec![PARK]);
            case.budget.cannot_park("no such queue");
            events.extend((0..4).map(|_| case.spawn("gone")));
            sleep(Duration::from_secs(30)).await;
            assert_eq!(ended(&mut events).await, []);
            sleep(Duration::from_mins(1)).await;
            assert_eq!(case.spawn("gone").await.unwrap(), PARK);
            events.iter().for_each(JoinHandle::abort);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_topic_for_too_long_is_parked_one_by_one() {
    LocalSet::new()
        .run_until(async {
            let case = Case::new(true);
            let mut early = vec![case.spawn("gone")];
            sleep(Duration::from_mins(30)).await;
            let mut late = vec![case.spawn("gone")];
            sleep(Duration::from_mins(45)).await;
            assert_eq!(ended(&mut early).await, vec![PARK]);
            assert_eq!(ended(&mut late).await, []);
            assert_eq!(case.budget.requeuing(), None);
            late.iter().for_each(JoinHandle::abort);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn when_the_service_is_held_for_too_long_all_of_a_source_leave_at_once() {
    LocalSet::new()
        .run_until(async {
            let case = Case::new(true);
            case.world.credentials_expired.set(true);
            let mut events = vec![case.spawn("t")];
            sleep(Duration::from_mins(45)).await;
            events.extend((0..5).map(|_| case.spawn("t")));
            events.extend((0..2).map(|_| case.spawn("gone")));
            let other_source = spawn(&case.policy, "t", "{}");
            sleep(Duration::from_mins(20)).await;
            assert_eq!(ended(&mut events).await, vec![REQUEUE; 8]);
            assert_eq!(case.budget.requeuing(), Some(Circuit::Service));
            assert!(!other_source.is_finished());
            case.world.credentials_expired.set(false);
            other_source.await.unwrap().unwrap();
            let next_in_its_lane = case.spawn("t").await.unwrap();
            assert_eq!(next_in_its_lane, REQUEUE, "it would overtake the one before it");
            case.budget.begin_anew();
            case.spawn("t").await.unwrap().unwrap();
        })
        .await;
}

/// Requeued again and again, they would spend their delivery limit.
#[tokio::test(start_paused = true)]
async fn in_one_outage_a_source_requeues_once_and_parks_what_waits_too_long_after_that() {
    LocalSet::new()
        .run_until(async {
            let case = Case::new(true);
            let outlast = async || {
                let mut events: Vec<_> = (0..3).map(|_| case.spawn("t")).collect();
                sleep(HOUR + LONGEST_PAUSE).await;
                let answers = ended(&mut events).await;
                case.budget.begin_anew();
                answers
            };
            case.world.credentials_expired.set(true);
            assert_eq!(outlast().await, vec![REQUEUE; 3]);
            assert_eq!(outlast().await, vec![PARK; 3]);
            // A session that ends for another reason changes nothing about that.
            case.budget.drain();
            case.budget.begin_anew();
            assert_eq!(outlast().await, vec![PARK; 3]);
            assert_eq!(case.budget.requeuing(), None);
            // Nor does an answer to a question.
            timeout(LONGEST_PAUSE * 2, async {
                case.world.credentials_expired.set(false);
                case.policy.wait_while_open(&Circuit::Service).await;
                case.world.credentials_expired.set(true);
            })
            .await
            .unwrap();
            assert_eq!(outlast().await, vec![PARK; 3]);
            case.world.credentials_expired.set(false);
            case.spawn("t").await.unwrap().unwrap();
            case.world.credentials_expired.set(true);
            assert_eq!(outlast().await, vec![REQUEUE; 3], "it is another outage");
        })
        .await;
}

/// A topic, or for `t` the service, is held, and the event that met that has gone.
async fn left_by_its_event(topic: &str) -> Case {
    let case = Case::new(true);
    case.world.credentials_expired.set(topic == "t");
    let event = case.spawn(topic);
    sleep(Duration::from_secs(1)).await;
    event.abort();
    case
}

#[tokio::test(start_paused = true)]
async fn a_source_without_events_finds_out_when_what_was_held_is_back() {
    LocalSet::new()
        .run_until(async {
            for topic in ["gone", "t"] {
                let case = left_by_its_event(topic).await;
                let held = case.policy.open_circuits().remove(0).circuit;
                let reopened =
                    timeout(Duration::from_hours(20), case.policy.wait_while_open(&held));
                let (waiting, ()) = tokio::join!(reopened, async {
                    sleep(HOUR).await;
                    assert_eq!(case.policy.open_circuits()[0].waiting, 0, "who asks is no event");
                });
                waiting.expect_err("it is held still");
                let requests = case.world.requests.get();
                case.world.credentials_expired.set(false);
                case.world.topic_gone.set(false);
                let reopened = case.policy.wait_while_open(&held);
                timeout(LONGEST_PAUSE, reopened).await.expect("it is back");
                assert_eq!(case.world.requests.get(), requests, "nothing was published");
                assert!(case.policy.open_circuits().is_empty());
                case.spawn(topic).await.unwrap().unwrap();
            }
        })
        .await;
}

/// As where another worker got the partition.
#[tokio::test(start_paused = true)]
async fn what_is_held_and_was_left_by_its_events_is_asked_for_and_is_back_when_it_is() {
    LocalSet::new()
        .run_until(async {
            for topic in ["gone", "t"] {
                let case = left_by_its_event(topic).await;
                let requests = case.world.requests.get();
                let asking = case.policy.ask_for_abandoned();
                timeout(HOUR, asking).await.expect_err("it never ends");
                assert_eq!(case.policy.open_circuits().len(), 1, "it is held still");
                case.world.credentials_expired.set(false);
                case.world.topic_gone.set(false);
                let asking = case.policy.ask_for_abandoned();
                timeout(LONGEST_PAUSE * 2, asking).await.expect_err("it never ends");
                assert!(case.policy.open_circuits().is_empty(), "{topic}");
                assert_eq!(case.world.requests.get(), requests, "nothing was published");
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_may_not_ask_for_the_topic_tries_with_events_again() {
    LocalSet::new()
        .run_until(async {
            let case = Case::new(true);
            let event = case.spawn("gone");
            sleep(Duration::from_secs(1)).await;
            let held = case.policy.open_circuits().remove(0).circuit;
            event.abort();
            let denial = Fault { code: "AuthorizationError".to_owned(), ..fault(Scope::Route) };
            case.world.fault.replace(Some(("gone", denial)));
            timeout(LONGEST_PAUSE, case.policy.wait_while_open(&held))
                .await
                .expect("an event can tell");
        })
        .await;
}
