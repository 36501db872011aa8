//! A canary's fate decides about the others.

use super::{expect, ids, stand};
use crate::support::{Event, GENTLY, Letter, Stand, Worker, dlq, message_id};

#[tokio::test]
async fn a_canary_that_comes_back_saves_the_others() {
    let stand = Stand::new("canary-dead").await;
    let worker = Worker::start(&stand).await;
    stand.publish_all((0..50).map(|_| Event::new(&b"garbage"[..]))).await;
    stand.has_ready(&stand.dead_letter_queue(), 50).await;
    // It says so at once, however long it would have watched.
    let ended = dlq(&stand, &["replay", "--canary", "3", "--watch", "10m"]).await;
    expect(&ended, 1, &["the canary failed", "dead-lettered again: undecodable"]);
    // The first can be back before the last has left.
    let of_canary = (1..=3).any(|sent| {
        let sums = [format!("replayed {sent} of 50"), format!("{}  not replayed", 50 - sent)];
        sums.iter().all(|it| ended.all().contains(it))
    });
    assert!(of_canary, "{}", ended.all());
    stand.has_ready(&stand.dead_letter_queue(), 50).await;
    stand.drain_dead_letters(50).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_canary_that_stays_away_lets_the_others_follow() {
    let stand = Stand::new("canary-well").await;
    let worker = Worker::start_with(&stand, &GENTLY).await;
    stand.bury_numbers(0..30).await;
    let ended = dlq(&stand, &["replay", "--canary", "3", "--watch", "1s"]).await;
    expect(&ended, 0, &["replayed 3 of 30; waiting", "replayed 30 of 30 dead letters in"]);
    stand.receive("pm", 30).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn nobody_can_tell_of_a_canary_that_nobody_takes() {
    let stand = stand("canary-unknown", "quorum").await;
    stand.bury_numbers(0..30).await;
    let ended = dlq(&stand, &["replay", "--canary", "3", "--watch", "1s"]).await;
    let why = format!("no worker consumes from queue `{}`; start one", stand.queue());
    expect(&ended, 1, &["the result of the canary is unknown", &why, "replayed 3 of 30"]);
    assert_eq!(stand.drain_dead_letters(27).await, ids(3..30));
    let sent = stand.drain(&stand.queue(), 3).await;
    assert_eq!(sent.iter().map(message_id).collect::<Vec<_>>(), ids(0..3));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_canary_that_reaches_no_queue_saves_the_others() {
    let stand = stand("canary-unroutable", "quorum").await;
    stand.unbind(&stand.queue(), &stand.exchange(), "#").await;
    stand.bury((0..30).map(|number| Letter::number(&stand, number))).await;
    let ended = dlq(&stand, &["replay", "--canary", "3", "--to-exchange"]).await;
    expect(&ended, 1, &["the canary failed", "replayed 0 of 30", "no queue is bound there"]);
    assert_eq!(stand.drain_dead_letters(30).await, ids(0..30));
    stand.leave_nothing().await;
}
