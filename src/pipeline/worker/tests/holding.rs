//! A hold of hours, and a stop in the midst of one.

use std::cell::Cell;

use tokio::time::Instant;

use super::*;

/// Of an outage: more than the delivery limit's 20 times 20 minutes.
const LONG: Duration = Duration::from_hours(8);

/// Refuses what is published to a topic, or to any if that is empty, and answers every question.
#[derive(Debug)]
struct Refusing {
    topic: &'static str,
    scope: Scope,
    until: Cell<Option<Instant>>,
    latency: Duration,
    accepted: RefCell<Vec<String>>,
    in_flight: Cell<usize>,
    most_in_flight: Cell<usize>,
}

fn refusing(topic: &'static str, scope: Scope) -> Refusing {
    Refusing {
        topic,
        scope,
        until: Cell::new(None),
        latency: Duration::from_millis(5),
        accepted: RefCell::default(),
        in_flight: Cell::default(),
        most_in_flight: Cell::default(),
    }
}

impl Refusing {
    fn heals_after(&self, time: Duration) {
        self.until.set(Some(Instant::now() + time));
    }

    fn accepted(&self) -> Vec<(String, usize)> {
        self.accepted.borrow().iter().map(|body| read(body)).collect()
    }
}

impl Publish for Rc<Refusing> {
    async fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        self.in_flight.set(self.in_flight.get() + batch.len());
        self.most_in_flight.set(self.most_in_flight.get().max(self.in_flight.get()));
        sleep(self.latency).await;
        self.in_flight.set(self.in_flight.get() - batch.len());
        let is_over = self.until.get().is_some_and(|until| Instant::now() >= until);
        if !is_over && (self.topic.is_empty() || self.topic == batch[0].topic.name()) {
            return Err(fault(self.scope));
        }
        self.accepted.borrow_mut().extend(batch.iter().map(|it| it.body.clone()));
        Ok(batch.iter().map(|_| Ok(MessageId("accepted".to_owned()))).collect())
    }
}

fn presence(user: usize) -> Envelope {
    let payload = format!(r#"{{"type":"presence","user_id":"u{user}@h","present":true}}"#);
    Envelope { payload: payload.into_bytes(), ..Envelope::default() }
}

fn queue_of_chats(count: usize) -> MemoryQueue {
    let queue = MemoryQueue::default();
    let users = (0_u8..4).cycle();
    users.zip(0..count).for_each(|(user, number)| queue.publish(chat(user, number)));
    queue
}

/// Lets a worker run while something happens, then stops it. Returns how long the stop took.
async fn run_while<P: Publish + 'static>(
    worker: &Worker<MemoryQueue, P>,
    something: impl Future<Output = ()>,
) -> Duration {
    let (ask, stop) = watch::channel(false);
    let asking = async {
        something.await;
        ask.send_replace(true);
        Instant::now()
    };
    let running = async { join(worker.run(stop), asking).await.1.elapsed() };
    LocalSet::new().run_until(running).await
}

/// An outage of hours that asking does not show. Returns how often events came back, all and each.
async fn outage(ordering: &str, topic: &str, scope: Scope) -> (u32, u32) {
    let (queue, place) = (queue_of_chats(40), Rc::new(refusing("", scope)));
    let case = Case { ordering, topic, prefetch: 8, ..IN_ORDER };
    let worker = worker(queue.clone(), Rc::clone(&place), case);
    place.heals_after(LONG);
    run_while(&worker, sleep(LONG + Duration::from_hours(1))).await;
    let (accepted, dead) = (place.accepted(), queue.dead_letters().len());
    assert!(dead < 3, "{dead} dead letters, with a threshold of three");
    assert_eq!(accepted.len(), 40 - dead);
    assert_eq!(accepted.iter().collect::<BTreeSet<_>>().len(), 40 - dead);
    if (ordering, topic) != ("none", "pm") {
        assert!(by_key(&accepted).values().all(|numbers| numbers.is_sorted()), "{accepted:?}");
    }
    queue.returns()
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_asking_does_not_show_hands_back_once_and_spends_no_delivery_limit() {
    for scope in [Scope::Service, Scope::Transient] {
        let (returns, most) = outage("none", "pm", scope).await;
        assert!((37..=40).contains(&returns) && most == 1, "{returns}, {most} of one event");
    }
}

#[tokio::test(start_paused = true)]
async fn where_order_is_kept_all_come_back_together_and_in_their_order() {
    for (ordering, topic) in [("per-key", "pm"), ("none", "pm.fifo")] {
        for scope in [Scope::Service, Scope::Route] {
            let (returns, most) = outage(ordering, topic, scope).await;
            assert!((20..=25).contains(&most), "{most} times in eight hours, every 20 minutes");
            assert_eq!(returns, 40 * most, "RabbitMQ would put a single one behind the others");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_and_gone_does_not_keep_the_worker_small() {
    let (queue, place) = (queue_of_chats(1), Rc::new(refusing("pm", Scope::Route)));
    let worker = worker(queue.clone(), Rc::clone(&place), Case { prefetch: 8, ..IN_ORDER });
    let others = async {
        sleep(Duration::from_mins(15)).await;
        while queue.ready() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        // Another worker gets the only one that is held, in the moment in which it is handed back.
        let mut another = queue.open().await.unwrap();
        let delivery = another.next().now_or_never().unwrap().unwrap();
        another.settler().ack(delivery.receipt).await.unwrap();
        (0..200).for_each(|user| queue.publish(presence(user)));
        sleep(Duration::from_mins(1)).await;
    };
    run_while(&worker, others).await;
    assert_eq!(place.accepted.borrow().len(), 200);
    assert!(place.most_in_flight.get() >= 4, "{} at once", place.most_in_flight.get());
}

#[tokio::test(start_paused = true)]
async fn a_stop_hands_back_at_once_what_is_held() {
    for scope in [Scope::Service, Scope::Route, Scope::Transient] {
        for ordering in ["none", "per-key"] {
            let (queue, place) = (queue_of_chats(40), Rc::new(refusing("", scope)));
            let worker = worker(queue.clone(), place, Case { ordering, ..IN_ORDER });
            let took = run_while(&worker, sleep(Duration::from_mins(5))).await;
            assert!(took < Duration::from_millis(500), "{scope}, {ordering}: {took:?}");
            assert_eq!(queue.ready() + queue.dead_letters().len(), 40);
            assert_eq!(worker.monitor.metrics().reading().totals().in_flight, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_under_way_while_something_else_is_held() {
    let latency = Duration::from_secs(3);
    let place = Rc::new(Refusing { latency, ..refusing("pm", Scope::Route) });
    let queue = queue_of_chats(10);
    let worker = worker(queue.clone(), Rc::clone(&place), Case { ordering: "none", ..IN_ORDER });
    let something = async {
        sleep(Duration::from_secs(10)).await;
        (0..10).for_each(|user| queue.publish(presence(user)));
        sleep(Duration::from_secs(1)).await;
    };
    let took = run_while(&worker, something).await;
    assert!((2..6).contains(&took.as_secs()), "{took:?}");
    assert_eq!((place.accepted.borrow().len(), queue.ready()), (10, 10));
}

/// A probe that is under way at the stop may close the circuit: what is behind the others of their key must
/// not overtake them then.
#[tokio::test(start_paused = true)]
async fn a_stop_in_the_midst_of_a_recovery_breaks_no_order() {
    for after in 0..60 {
        let (queue, place) = (queue_of_chats(30), Rc::new(refusing("", Scope::Service)));
        let stopped = worker(queue.clone(), Rc::clone(&place), IN_ORDER);
        place.heals_after(Duration::from_secs(20));
        run_while(&stopped, sleep(Duration::from_millis(20_000 + after * 300))).await;
        let next = worker(queue.clone(), Rc::clone(&place), IN_ORDER);
        run_while(&next, sleep(Duration::from_mins(10))).await;
        let accepted = place.accepted();
        assert_eq!(accepted.len(), 30, "{after}");
        assert!(by_key(&accepted).values().all(|numbers| numbers.is_sorted()), "{accepted:?}");
    }
}
