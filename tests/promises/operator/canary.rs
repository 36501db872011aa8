//! A canary's fate decides about the others.

use lapin::BasicProperties;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use super::{expect, ids, stand};
use crate::fake_sns::{FakeSns, RequestFault};
use crate::support::{Event, GENTLY, Letter, Stand, Worker, dlq, header, message_id, wait_for};

/// A worker on a fake where no topic is there.
async fn worker_in_a_hold(stand: &Stand) -> (Worker, FakeSns) {
    let sns = FakeSns::start();
    sns.record();
    sns.fail_requests(|_| Some(RequestFault::NOT_FOUND));
    let settings = [("SNS__SNS_HOST", &*sns.url()), ("OUTAGE__PROBE_MAX_MS", "300")];
    (Worker::start_with(stand, &settings).await, sns)
}

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
async fn a_canary_that_is_published_lets_the_others_follow() {
    let stand = Stand::new("canary-well").await;
    let worker = Worker::start_with(&stand, &GENTLY).await;
    stand.bury_numbers(0..30).await;
    // However long the canary might take, the end is not watched for as long.
    let ended = dlq(&stand, &["replay", "--canary", "3", "--canary-watch", "1h"]).await;
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

#[tokio::test]
async fn a_canary_that_is_held_saves_the_others_and_says_what_holds_it() {
    let stand = Stand::new("canary-held").await;
    let (worker, sns) = worker_in_a_hold(&stand).await;
    stand.bury_numbers(0..30).await;
    let ended = dlq(&stand, &["replay", "--canary", "3", "--watch", "3s"]).await;
    let held = format!("the events of the canary wait: topic `{}` is held", stand.topic_arn("pm"));
    expect(&ended, 1, &[&held, "replayed 3 of 30", "27  not replayed"]);
    stand.has_ready(&stand.dead_letter_queue(), 27).await;
    sns.heal();
    wait_for("the canary", async || (sns.accepted().len() >= 3).then_some(())).await;
    stand.drain_dead_letters(27).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

/// All of it is sent before a worker can tell.
#[tokio::test]
async fn a_replay_that_is_sent_at_once_into_a_hold_says_so_last_and_has_failed() {
    let stand = Stand::new("replay-held").await;
    let (worker, sns) = worker_in_a_hold(&stand).await;
    stand.bury_numbers(0..30).await;
    let ended = dlq(&stand, &["replay"]).await;
    let held = format!("topic `{}` is held: replayed events wait", stand.topic_arn("pm"));
    expect(&ended, 1, &[&held, "replayed 30 of 30", "replay none of them again"]);
    assert!(ended.stderr.lines().last().unwrap().contains(&held), "{}", ended.all());
    stand.bury_numbers(30..40).await;
    let ended = dlq(&stand, &["replay", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &report["ended"]), (Some(1), &"held".into()), "{report}");
    assert_eq!((&report["why"], &report["left"]), (&stand.topic_arn("pm").into(), &0.into()));
    sns.heal();
    wait_for("all of them", async || (sns.accepted().len() >= 40).then_some(())).await;
    // Into what flows it is no failure.
    stand.bury_numbers(40..50).await;
    expect(&dlq(&stand, &["replay"]).await, 0, &["replayed 10 of 10"]);
    worker.settles(50).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn nobody_can_tell_of_a_canary_that_a_program_without_reports_takes() {
    let stand = stand("canary-foreign", "quorum").await;
    stand.bury_numbers(0..5).await;
    // Such as a worker of a former version, or one of another fleet.
    let channel = stand.another_channel().await;
    let (queue, options) = (stand.queue(), BasicConsumeOptions::default());
    let consumer =
        channel.basic_consume((&*queue).into(), "".into(), options, FieldTable::default());
    let _consumer = consumer.await.unwrap();
    let times = ["--canary-watch", "1s", "--watch", "1h"];
    let ended = dlq(&stand, &[&["replay", "--canary", "3"], &times[..]].concat()).await;
    let no_report = "no worker has reported in 1s what became of 3 events";
    expect(&ended, 1, &["the result of the canary is unknown", no_report, "replayed 3 of 5"]);
    channel.close(200, "bye".into()).await.unwrap();
    stand.drain(&queue, 3).await;
    stand.drain_dead_letters(2).await;
    stand.leave_nothing().await;
}

/// The lock of the dead-letter queue's browsers, as a replay has it; and how many messages arrive there.
async fn lock(stand: &Stand) -> (lapin::Channel, String) {
    let channel = stand.another_channel().await;
    let name = format!("{}.look", stand.dead_letter_queue());
    let options = QueueDeclareOptions { auto_delete: true, ..Default::default() };
    channel.queue_declare((&*name).into(), options, FieldTable::default()).await.unwrap();
    (channel, name)
}

#[tokio::test]
async fn no_header_of_a_producer_makes_a_worker_publish_anywhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, [7; 32]).unwrap();
    let keyed = [GENTLY[0], ("AMQP__SIGNING_KEY_FILE", file.to_str().unwrap())];
    for (name, settings, reports) in [("plain", &GENTLY[..1], 1), ("keyed", &keyed[..], 0)] {
        let stand = Stand::new(&format!("reports-{name}")).await;
        let (channel, lock) = lock(&stand).await;
        let worker = Worker::start_with(&stand, settings).await;
        let mut headers = FieldTable::default();
        for (name, text) in [
            ("replay-id", "00000000000000ab.1.7"),
            ("outcome", &stand.queue()),
            ("topic", &stand.queue()),
            ("queue", &stand.queue()),
        ] {
            let text = lapin::types::AMQPValue::LongString(text.into());
            headers.insert(format!("event-pusher-{name}").into(), text);
        }
        let properties = BasicProperties::default()
            .with_headers(headers)
            .with_reply_to((&*stand.queue()).into());
        stand.publish(Event { properties, ..Event::chat("ann@h", "bob@h", "hi") }).await;
        stand.receive("pm", 1).await;
        // It has reported before it ends.
        worker.stop().await;
        stand.has_ready(&lock, reports).await;
        if reports > 0 {
            let report = stand.get(&lock).await.unwrap();
            assert_eq!(header(&report, "event-pusher-outcome").as_deref(), Some("published"));
            assert!(report.data.is_empty());
        }
        channel.queue_delete((&*lock).into(), QueueDeleteOptions::default()).await.unwrap();
        stand.leave_nothing().await;
    }
}

/// Two queues get each event: one worker skips it, and the other's topic is held.
#[tokio::test]
async fn a_canary_through_an_exchange_passes_only_if_no_worker_of_any_queue_holds_it() {
    let stand = Stand::new("canary-spread").await;
    let (worker, _sns) = worker_in_a_hold(&stand).await;
    let second = format!("{}.second", stand.queue());
    let skips = [
        ("AMQP__SOURCES__EVENTS__QUEUE", &*second),
        ("SNS__PM_MESSAGES_TOPIC", ""),
        ("LOG__FILTER", "info"),
    ];
    let other = Worker::start_with(&stand, &skips).await;
    stand.bury_numbers(0..10).await;
    let replay = ["replay", "--canary", "3", "--to-exchange", "--watch", "4s"];
    let ended = dlq(&stand, &replay).await;
    expect(&ended, 1, &["the events of the canary wait", "replayed 3 of 10"]);
    other.stop().await;
    worker.stop().await;
    stand.drain_dead_letters(7).await;
    stand.drain(&stand.queue(), 3).await;
    for queue in [second.clone(), format!("{second}.held")] {
        stand.delete(&queue).await;
    }
    stand.leave_nothing().await;
}
