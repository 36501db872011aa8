//! What a queue is declared and consumed with: prefetch, delivery limit, and whether there is a queue to park in.

use event_pusher_sns::outcome::Outcome;
use event_pusher_sns::pipeline::memory::{MemoryQueue, QueueOptions};
use event_pusher_sns::pipeline::ports::Session;
use event_pusher_sns::pipeline::settle::{Unsettled, settle};
use futures_util::FutureExt;

use super::queue::{Queue, Rabbit, text};
use super::source::{on_one_thread, open, published, take, take_and_ack};

const DEFAULT: QueueOptions = QueueOptions::DEFAULT;
const ONE: QueueOptions = QueueOptions { prefetch: Some(1), ..DEFAULT };
const TWO: QueueOptions = QueueOptions { prefetch: Some(2), ..DEFAULT };
const ONCE: QueueOptions = QueueOptions { delivery_limit: Some(1), ..DEFAULT };
const NOWHERE_TO_PARK: QueueOptions = QueueOptions { parked_for: None, ..DEFAULT };

async fn no_more_come_than_the_prefetch(queue: impl Queue) {
    for payload in ["a", "b", "c"] {
        queue.publish(payload).await;
    }
    let mut session = open(&queue).await;
    let mut taken = take(&mut session, &["a", "b"]).await;
    queue.has_ready(1).await;
    assert!(session.next().now_or_never().is_none(), "a third one has come");
    settle(&session.settler(), taken.remove(0), &published()).await.unwrap();
    take_and_ack(&mut session, &["c"]).await;
    settle(&session.settler(), taken.remove(0), &published()).await.unwrap();
    session.close().await;
    queue.leave_nothing().await;
}

async fn what_comes_back_is_counted(queue: impl Queue) {
    queue.publish("a").await;
    queue.publish("b").await;
    for _ in 0..2 {
        let mut session = open(&queue).await;
        drop(take(&mut session, &["a"]).await);
        session.close().await;
    }
    queue.has_ready(2).await;
    assert_eq!(queue.returns(2).await, [2, 0]);
    let mut session = open(&queue).await;
    take_and_ack(&mut session, &["a"]).await;
    take_and_ack(&mut session, &["b"]).await;
    session.close().await;
    queue.leave_nothing().await;
}

async fn what_comes_back_too_often_is_dead(queue: impl Queue) {
    queue.publish("bad").await;
    queue.publish("good").await;
    let mut session = open(&queue).await;
    drop(take(&mut session, &["bad", "good"]).await);
    session.close().await;
    let mut session = open(&queue).await;
    let good = take(&mut session, &["bad", "good"]).await.remove(1);
    settle(&session.settler(), good, &published()).await.unwrap();
    session.close().await;
    assert_eq!(queue.exceeded(1).await, ["bad"]);
    queue.has_ready(0).await;
    queue.leave_nothing().await;
}

/// Returns why it is not parked.
async fn what_cannot_be_parked_stays(queue: &impl Queue) -> String {
    queue.publish("held").await;
    let mut session = open(queue).await;
    let held = take(&mut session, &["held"]).await.remove(0);
    let unsettled = settle(&session.settler(), held, &Outcome::Parked).await.unwrap_err();
    let Unsettled::NotParked { delivery, why } = unsettled else { panic!("{unsettled:?}") };
    assert_eq!(text(&delivery.envelope.payload), "held");
    settle(&session.settler(), delivery, &published()).await.unwrap();
    session.close().await;
    why
}

macro_rules! conformance_of_a_limited_queue {
    ($name:ident, $queue:ty) => {
        mod $name {
            use super::*;

            async fn limited(options: QueueOptions) -> $queue {
                <$queue as Queue>::with(options).await
            }

            #[tokio::test]
            async fn no_more_come_than_the_prefetch_until_one_is_settled() {
                on_one_thread(async { no_more_come_than_the_prefetch(limited(TWO).await).await })
                    .await;
            }

            #[tokio::test]
            async fn what_comes_back_is_counted_each_by_itself() {
                on_one_thread(async { what_comes_back_is_counted(limited(ONE).await).await }).await;
            }

            #[tokio::test]
            async fn what_comes_back_more_often_than_the_limit_is_dead_lettered_by_the_queue() {
                on_one_thread(async {
                    what_comes_back_too_often_is_dead(limited(ONCE).await).await
                })
                .await;
            }

            #[tokio::test]
            async fn what_cannot_be_parked_stays_with_the_worker() {
                on_one_thread(async {
                    let queue = limited(NOWHERE_TO_PARK).await;
                    what_cannot_be_parked_stays(&queue).await;
                    queue.leave_nothing().await;
                })
                .await;
            }
        }
    };
}

conformance_of_a_limited_queue!(memory_queue, MemoryQueue);
conformance_of_a_limited_queue!(rabbit_queue, Rabbit);

#[tokio::test]
async fn without_a_queue_to_park_in_rabbitmqs_refusal_tells_how_to_make_one() {
    let case = async {
        let queue = Rabbit::with(NOWHERE_TO_PARK).await;
        let why = what_cannot_be_parked_stays(&queue).await;
        assert!(why.contains(&queue.stand.held_queue()) && why.contains("create it"), "{why}");
        queue.leave_nothing().await;
    };
    on_one_thread(Box::pin(case)).await;
}
