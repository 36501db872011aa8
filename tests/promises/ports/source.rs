//! [`Source`], [`Session`] and [`Settle`]: a queue in memory, and RabbitMQ's.

use std::time::Duration;

use event_pusher_sns::outcome::{DeadLetter, MessageId, Outcome, Reason};
use event_pusher_sns::pipeline::memory::{MemoryQueue, QueueOptions};
use event_pusher_sns::pipeline::ports::{Delivery, Session, Source};
use event_pusher_sns::pipeline::ports::{NotParked, Settle, StaleReceipt};
use event_pusher_sns::pipeline::settle::settle;
use futures_util::FutureExt;

use super::queue::{Queue, Rabbit, id_of, text};
use crate::support::PATIENCE;

pub fn published() -> Outcome {
    Outcome::Published(MessageId("1".to_owned()))
}

fn letter() -> DeadLetter {
    DeadLetter {
        reason: Reason::Undecodable,
        error: "no event".to_owned(),
        attempts: 0,
        topic: None,
    }
}

type SessionOf<Q> = <<Q as Queue>::Source as Source>::Session;
type ReceiptOf<Q> = <SessionOf<Q> as Session>::Receipt;

pub async fn open<Q: Queue>(queue: &Q) -> SessionOf<Q> {
    queue.source().open().await.unwrap()
}

/// Takes as many deliveries as are expected, in this order.
pub async fn take<S: Session>(session: &mut S, expected: &[&str]) -> Vec<Delivery<S::Receipt>> {
    let mut taken = Vec::new();
    for payload in expected {
        let next = tokio::time::timeout(PATIENCE, session.next()).await;
        let delivery = next.unwrap_or_else(|_| panic!("{payload} never came")).unwrap();
        assert_eq!(text(&delivery.envelope.payload), *payload);
        assert_eq!(delivery.envelope.message_id, Some(id_of(payload)));
        taken.push(delivery);
    }
    taken
}

pub async fn take_and_ack<S: Session>(session: &mut S, expected: &[&str]) {
    let settler = session.settler();
    for delivery in take(session, expected).await {
        settle(&settler, delivery, &published()).await.unwrap();
    }
}

async fn unacked_come_again_in_order(queue: impl Queue) {
    for payload in ["a", "b", "c", "d"] {
        queue.publish(payload).await;
    }
    let mut session = open(&queue).await;
    let settler = session.settler();
    let mut taken = take(&mut session, &["a", "b", "c", "d"]).await;
    settle(&settler, taken.remove(1), &published()).await.unwrap();
    session.close().await;
    drop(taken);

    let mut session = open(&queue).await;
    queue.publish("e").await;
    take_and_ack(&mut session, &["a", "c", "d", "e"]).await;
    session.close().await;
    queue.leave_nothing().await;
}

async fn receipts_end_with_their_session<Q: Queue>(queue: Q) {
    queue.publish("a").await;
    queue.publish("b").await;
    let mut session = open(&queue).await;
    let settler = session.settler();
    let old: Vec<ReceiptOf<Q>> =
        take(&mut session, &["a", "b"]).await.into_iter().map(|it| it.receipt).collect();
    session.close().await;
    let mut session = open(&queue).await;
    let again = take(&mut session, &["a", "b"]).await;
    let envelope = &again[0].envelope;
    for receipt in old {
        // Whoever buries it now would see it come again, and bury it again.
        assert_eq!(settler.dead_letter(envelope, &receipt, &letter()).await, Err(StaleReceipt));
        let parked = settler.park(envelope, &receipt).await;
        assert_eq!(parked, Err(NotParked::Stale(StaleReceipt)));
        assert_eq!(settler.ack(receipt).await, Err(StaleReceipt));
    }
    assert_eq!(queue.dead_letters(0).await, []);
    assert_eq!(queue.parked().await, 0);
    for delivery in again {
        settle(&session.settler(), delivery, &published()).await.unwrap();
    }
    session.close().await;
    queue.leave_nothing().await;
}

async fn buried_are_dead_letters(queue: impl Queue) {
    queue.publish("bad").await;
    queue.publish("good").await;
    let mut session = open(&queue).await;
    let settler = session.settler();
    let bad = take(&mut session, &["bad"]).await.remove(0);
    settle(&settler, bad, &Outcome::DeadLettered(letter())).await.unwrap();
    take_and_ack(&mut session, &["good"]).await;
    session.close().await;
    let row = ("bad".to_owned(), id_of("bad"), "undecodable".to_owned());
    assert_eq!(queue.dead_letters(1).await, [row]);
    queue.leave_nothing().await;
}

async fn parked_are_out_of_the_way(queue: impl Queue) {
    for payload in ["held", "good"] {
        queue.publish(payload).await;
    }
    let mut session = open(&queue).await;
    let settler = session.settler();
    let held = take(&mut session, &["held"]).await.remove(0);
    settle(&settler, held, &Outcome::Parked).await.unwrap();
    take_and_ack(&mut session, &["good"]).await;
    assert_eq!(queue.parked().await, 1);
    session.close().await;
    // It is acknowledged: the session's end brings nothing back.
    queue.publish("next").await;
    let mut session = open(&queue).await;
    take_and_ack(&mut session, &["next"]).await;
    session.close().await;
    queue.leave_nothing().await;
}

async fn parked_come_back_behind_the_others(queue: impl Queue) {
    queue.publish("held").await;
    let mut session = open(&queue).await;
    let held = take(&mut session, &["held"]).await.remove(0);
    let settler = session.settler();
    settle(&settler, held, &Outcome::Parked).await.unwrap();
    session.close().await;
    queue.publish("next").await;
    queue.brings_parked_back().await;
    let mut session = open(&queue).await;
    take_and_ack(&mut session, &["next", "held"]).await;
    session.close().await;
    assert_eq!(queue.parked().await, 0);
    queue.leave_nothing().await;
}

async fn requeued_keep_their_place(queue: impl Queue) {
    for payload in ["a", "b", "c"] {
        queue.publish(payload).await;
    }
    let mut session = open(&queue).await;
    let settler = session.settler();
    for (delivery, outcome) in
        take(&mut session, &["a", "b"]).await.into_iter().zip([Outcome::Requeued, published()])
    {
        settle(&settler, delivery, &outcome).await.unwrap();
    }
    session.close().await;
    let mut session = open(&queue).await;
    take_and_ack(&mut session, &["a", "c"]).await;
    session.close().await;
    queue.leave_nothing().await;
}

async fn next_can_be_dropped(queue: impl Queue) {
    let mut session = open(&queue).await;
    let mut settled = 0;
    assert!(session.next().now_or_never().is_none());
    let names: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    for name in &names {
        queue.publish(name).await;
        if let Some(delivery) = session.next().now_or_never() {
            let delivery = delivery.unwrap();
            assert_eq!(text(&delivery.envelope.payload), names[settled]);
            settle(&session.settler(), delivery, &published()).await.unwrap();
            settled += 1;
        }
    }
    let rest: Vec<_> = names[settled..].iter().map(String::as_str).collect();
    take_and_ack(&mut session, &rest).await;
    session.close().await;
    queue.leave_nothing().await;
}

async fn stopping_loses_nothing(queue: impl Queue) {
    for payload in ["a", "b", "c"] {
        queue.publish(payload).await;
    }
    let mut session = open(&queue).await;
    let settler = session.settler();
    let first = take(&mut session, &["a"]).await.remove(0);
    session.stop_taking().await;
    // What was taken before can still be settled.
    settle(&settler, first, &published()).await.unwrap();
    session.close().await;
    let mut session = open(&queue).await;
    take_and_ack(&mut session, &["b", "c"]).await;
    session.close().await;
    queue.leave_nothing().await;
}

/// As in the program, where acknowledgements run beside the worker.
pub async fn on_one_thread(case: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(case).await;
}

/// Parked for a second.
const BRIEF: QueueOptions =
    QueueOptions { prefetch: None, delivery_limit: None, parked_for: Some(Duration::from_secs(1)) };

macro_rules! conformance_of_a_queue {
    ($name:ident, $queue:ty) => {
        mod $name {
            use super::*;

            async fn queue() -> $queue {
                <$queue as Queue>::with(QueueOptions::default()).await
            }

            #[tokio::test]
            async fn what_was_not_acked_comes_again_in_order_and_nothing_else() {
                on_one_thread(async { unacked_come_again_in_order(queue().await).await }).await;
            }

            #[tokio::test]
            async fn a_receipt_is_stale_when_its_session_has_ended() {
                on_one_thread(async { receipts_end_with_their_session(queue().await).await }).await;
            }

            #[tokio::test]
            async fn what_is_buried_is_a_dead_letter_with_its_envelope() {
                on_one_thread(async { buried_are_dead_letters(queue().await).await }).await;
            }

            #[tokio::test]
            async fn what_is_parked_is_out_of_the_way() {
                on_one_thread(async { parked_are_out_of_the_way(queue().await).await }).await;
            }

            #[tokio::test]
            async fn what_is_parked_comes_back_as_it_was_and_behind_the_others() {
                on_one_thread(async {
                    parked_come_back_behind_the_others(<$queue as Queue>::with(BRIEF).await).await
                })
                .await;
            }

            #[tokio::test]
            async fn what_is_requeued_keeps_its_place() {
                on_one_thread(async { requeued_keep_their_place(queue().await).await }).await;
            }

            #[tokio::test]
            async fn waiting_for_the_next_can_be_given_up_without_loss() {
                on_one_thread(async { next_can_be_dropped(queue().await).await }).await;
            }

            #[tokio::test]
            async fn a_stop_loses_nothing_and_makes_no_receipt_stale() {
                on_one_thread(async { stopping_loses_nothing(queue().await).await }).await;
            }
        }
    };
}

conformance_of_a_queue!(memory_queue, MemoryQueue);
conformance_of_a_queue!(rabbit_queue, Rabbit);
