//! The batcher's promises, under a paused clock and random failures.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use proptest::prelude::*;
use tokio::task::LocalSet;
use tokio::time::{Duration, Instant, sleep};

use super::*;
use crate::publish::memory::{fault, notification, under_a_paused_clock};

const LINGER: Duration = Duration::from_millis(5);
const LATENCY: Duration = Duration::from_millis(20);

const BATCHING: Batching =
    Batching { max_entries: 10, max_bytes: 1000, linger: LINGER, max_requests: 4 };

/// Notes each request; bodies that begin with `bad` are refused, `slow` ones fail for once.
#[derive(Debug, Default)]
struct Recorder {
    requests: RefCell<Vec<(Instant, Vec<String>)>>,
    accepted: RefCell<Vec<String>>,
    now: Cell<u16>,
    most: Cell<u16>,
    /// A batch with a bad entry is refused as a whole.
    whole: bool,
}

impl Recorder {
    fn answer(&self, body: &str) -> Result<MessageId, Fault> {
        if body.starts_with("bad") {
            return Err(fault(Scope::Message));
        }
        self.accepted.borrow_mut().push(body.to_owned());
        Ok(MessageId(body.to_owned()))
    }
}

impl Publish for Recorder {
    async fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        let bodies: Vec<_> = batch.iter().map(|notification| notification.body.clone()).collect();
        self.requests.borrow_mut().push((Instant::now(), bodies.clone()));
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        sleep(LATENCY).await;
        self.now.set(self.now.get() - 1);
        if self.whole && bodies.iter().any(|body| body.starts_with("bad")) {
            return Err(fault(Scope::Message));
        }
        Ok(bodies.iter().map(|body| self.answer(body)).collect())
    }
}

async fn publish(batcher: &Batcher<Recorder>, bodies: &[String]) -> Vec<Result<MessageId, Fault>> {
    let notes: Vec<_> = bodies.iter().map(|body| notification("t", body)).collect();
    join_all(notes.iter().map(|note| batcher.attempt(note, Taken::now()))).await
}

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

#[test]
fn an_event_alone_waits_for_the_linger_and_no_longer() {
    under_a_paused_clock(async {
        let batcher = Batcher::new(Recorder::default(), BATCHING);
        for _ in 0..3 {
            let begun = Instant::now();
            publish(&batcher, &numbered("a", 1)).await;
            let (sent, bodies) = batcher.place().requests.borrow().last().unwrap().clone();
            assert_eq!((sent - begun, bodies.len()), (LINGER, 1));
        }
    });
}

#[test]
fn a_full_batch_leaves_at_once() {
    under_a_paused_clock(async {
        let batcher = Batcher::new(Recorder::default(), BATCHING);
        let begun = Instant::now();
        publish(&batcher, &numbered("a", 10)).await;
        let requests = batcher.place().requests.borrow();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].0, begun);
    });
}

#[test]
fn more_is_asked_for_only_as_far_as_requests_can_carry_it() {
    under_a_paused_clock(async {
        let batcher = Rc::new(Batcher::new(Recorder::default(), BATCHING));
        let begun = Instant::now();
        for (number, body) in numbered("a", 40).into_iter().enumerate() {
            assert!(batcher.ready().now_or_never().is_some(), "{number} are here");
            let (batcher, note) = (Rc::clone(&batcher), notification("t", &body));
            tokio::task::spawn_local(async move { batcher.attempt(&note, Taken::now()).await });
            tokio::task::yield_now().await;
        }
        let woken = tokio::time::timeout(2 * LATENCY, batcher.ready()).await;
        woken.expect("whoever waits for room is told of it");
        assert_eq!(begun.elapsed(), LATENCY, "four requests of ten are under way until then");
    });
}

#[test]
fn what_lingers_keeps_no_other_topic_from_filling_its_batch() {
    under_a_paused_clock(async {
        let batcher = Batcher::new(Recorder::default(), BATCHING);
        let notes: Vec<_> = (0..200).map(|it| notification(&format!("t{it}"), "a")).collect();
        let attempts = join_all(notes.iter().map(|it| batcher.attempt(it, Taken::now())));
        let asking = async {
            let begun = Instant::now();
            batcher.ready().await;
            begun.elapsed()
        };
        assert_eq!(join(attempts, asking).await.1, Duration::ZERO);
    });
}

#[test]
fn events_that_only_together_are_too_large_go_in_two_requests() {
    under_a_paused_clock(async {
        let batcher = Batcher::new(Recorder::default(), BATCHING);
        let bodies: Vec<_> = (0..10).map(|_| "x".repeat(150)).collect();
        publish(&batcher, &bodies).await;
        let sizes: Vec<_> =
            batcher.place().requests.borrow().iter().map(|it| it.1.concat().len()).collect();
        assert_eq!(sizes, [900, 600]);
    });
}

#[test]
fn a_batch_of_one_needs_no_batch() {
    under_a_paused_clock(async {
        let single = Batching { max_entries: 1, ..BATCHING };
        let batcher = Batcher::new(Recorder::default(), single);
        publish(&batcher, &numbered("a", 5)).await;
        assert_eq!(batcher.place().requests.borrow().len(), 5);
    });
}

#[test]
fn one_bad_entry_takes_no_other_down() {
    under_a_paused_clock(async {
        let batcher = Batcher::new(Recorder { whole: true, ..Recorder::default() }, BATCHING);
        let mut bodies = numbered("good", 9);
        bodies.insert(4, "bad".to_owned());
        let answers = publish(&batcher, &bodies).await;
        assert!(answers[4].is_err());
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 9);
        assert_eq!(batcher.place().accepted.borrow().len(), 9, "one was sent twice");
    });
}

#[test]
fn a_caller_that_goes_away_is_not_published_if_its_batch_has_not_left() {
    under_a_paused_clock(async {
        let batcher = Batcher::new(Recorder::default(), BATCHING);
        let note = notification("t", "gone");
        {
            let mut attempt = Box::pin(batcher.attempt(&note, Taken::now()));
            let _ = futures_util::poll!(&mut attempt);
        }
        sleep(LATENCY * 2).await;
        assert!(batcher.place().requests.borrow().is_empty());
    });
}

#[test]
fn topics_take_turns() {
    under_a_paused_clock(async {
        let one = Batching { max_requests: 1, ..BATCHING };
        let batcher = Batcher::new(Recorder::default(), one);
        let notes: Vec<_> = (0..50)
            .map(|number| notification("busy", &format!("busy{number}")))
            .chain((0..10).map(|number| notification("quiet", &format!("quiet{number}"))))
            .collect();
        join_all(notes.iter().map(|note| batcher.attempt(note, Taken::now()))).await;
        let requests = batcher.place().requests.borrow();
        let quiet = requests.iter().position(|(_, bodies)| bodies[0].starts_with("quiet"));
        assert!(quiet.unwrap() <= 2, "the quiet topic waited for {quiet:?} requests");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_lost_or_doubled_and_every_limit_is_kept(
        events in prop::collection::vec((0_usize..3, 1_usize..400, 0_u64..15, prop::bool::weighted(0.1)), 1..80),
        max_entries in 1_usize..=10,
        max_requests in 1_u16..5,
        whole in any::<bool>(),
    ) {
        let batching = Batching { max_entries, max_requests, ..BATCHING };
        let batcher = Batcher::new(Recorder { whole, ..Recorder::default() }, batching);
        let notes: Vec<_> = events.iter().enumerate().map(|(number, (topic, size, _, bad))| {
            let kind = if *bad { "bad" } else { "good" };
            notification(&format!("t{topic}"), &format!("{kind}{number}-{}", "x".repeat(*size)))
        }).collect();
        let answers = under_a_paused_clock(async {
            let mut delay = 0;
            let publishing = notes.iter().zip(&events).map(|(note, (_, _, gap, _))| {
                delay += gap;
                let start = Duration::from_millis(delay);
                let batcher = &batcher;
                async move {
                    sleep(start).await;
                    batcher.attempt(note, Taken::now()).await
                }
            });
            join_all(publishing).await
        });
        let place = batcher.place();
        let expected: BTreeSet<_> =
            notes.iter().map(|it| &it.body).filter(|body| body.starts_with("good")).collect();
        let accepted = place.accepted.borrow();
        prop_assert_eq!(accepted.len(), expected.len(), "lost or doubled");
        prop_assert_eq!(accepted.iter().collect::<BTreeSet<_>>(), expected);
        for (note, answer) in notes.iter().zip(&answers) {
            prop_assert_eq!(answer.is_ok(), note.body.starts_with("good"));
        }
        prop_assert!(place.most.get() <= max_requests);
        let topics: BTreeMap<_, _> = notes.iter().map(|it| (&it.body, &it.topic)).collect();
        for (_, bodies) in place.requests.borrow().iter() {
            prop_assert!(bodies.len() <= max_entries);
            prop_assert!(bodies.len() == 1 || bodies.concat().len() <= batching.max_bytes);
            prop_assert!(bodies.iter().all(|body| topics[body] == topics[&bodies[0]]));
        }
    }
}

/// Throttles everything.
struct Throttling(Cell<usize>);

impl Publish for Rc<Throttling> {
    async fn publish_batch(
        &self,
        _: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        self.0.set(self.0.get() + 1);
        sleep(Duration::from_millis(1)).await;
        Err(Fault { code: "Throttling".to_owned(), ..fault(Scope::Transient) })
    }
}

#[test]
fn a_throttled_batcher_does_not_go_on_at_the_pace_of_the_refusals() {
    under_a_paused_clock(async {
        let place = Rc::new(Throttling(Cell::new(0)));
        let batcher = Batcher::new(Rc::clone(&place), BATCHING);
        let notes: Vec<_> = (0..100).map(|n| notification("t", &n.to_string())).collect();
        let hammering = join_all(notes.iter().map(async |note| {
            loop {
                batcher.attempt(note, Taken::now()).await.unwrap_err();
            }
        }));
        tokio::time::timeout(Duration::from_mins(1), hammering).await.unwrap_err();
        assert!(place.0.get() < 100, "{} requests in a minute", place.0.get());
    });
}

/// By the real clock, which may pass the linger while an entry is only just being queued.
#[tokio::test]
async fn an_entry_that_is_due_before_anybody_watches_over_it_is_sent() {
    let batching = Batching { linger: Duration::from_nanos(1), ..BATCHING };
    let sending = async {
        let batcher = Batcher::new(Recorder::default(), batching);
        let answer = tokio::time::timeout(Duration::from_secs(20), async {
            batcher.attempt(&notification("t", "{}"), Taken::now()).await
        });
        answer.await.expect("it stays behind").unwrap();
    };
    LocalSet::new().run_until(sending).await;
}
