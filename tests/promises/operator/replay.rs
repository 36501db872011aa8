//! What a replay sends where, what it leaves alone, and what it says.

use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{expect, ids, on_both, stand};
use crate::support::{
    Event, GENTLY, Letter, Program, Stand, Worker, dlq, dlq_program, header, message_id,
};

/// The report, as machines get it.
async fn replay(program: Program, code: i32) -> Value {
    let ended = program.run().await;
    assert_eq!(ended.code, Some(code), "{}", ended.all());
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

fn replaying(stand: &Stand, arguments: &[&str]) -> Program {
    dlq_program(stand, &[&["replay", "--json", "--watch", "0s"], arguments].concat())
}

#[tokio::test]
async fn what_failed_is_published_once_its_cause_is_mended() {
    let stand = Stand::new("replay").await;
    let too_small = [GENTLY[0], ("SNS__MAX_MESSAGE_BYTES", "10")];
    let worker = Worker::start_with(&stand, &too_small).await;
    let chat = |number: u32| Event::chat("alice@localhost", "bob@localhost", &number.to_string());
    stand.publish_all((0..20).map(chat)).await;
    stand.has_ready(&stand.dead_letter_queue(), 20).await;
    worker.stop().await;
    let worker = Worker::start_with(&stand, &GENTLY).await;
    let report = replay(replaying(&stand, &["--reason", "too_large"]), 0).await;
    assert_eq!((&report["replayed"], &report["left"]), (&20.into(), &0.into()));
    let received = stand.receive("pm", 20).await;
    let text = |it: &crate::support::Received| it.json()["message"].as_str()?.parse().ok();
    let mut numbers: Vec<u32> = received.iter().filter_map(text).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert!(stand.dead_letter_now().await.is_none());
    worker.stop().await;
    stand.leave_nothing().await;
}

/// All that an event can have, but what a dead letter keeps in headers.
fn properties() -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("trace".into(), AMQPValue::ByteArray(vec![0, 255].into()));
    let mut nested = FieldTable::default();
    nested.insert("empty".into(), FieldTable::default().into());
    headers.insert("nested".into(), nested.into());
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("identity".into())
        .with_message_id("message-1".into())
        .with_timestamp(1_700_000_000)
        .with_correlation_id("correlation-1".into())
        .with_reply_to("replies".into())
        .with_type("chat-event".into())
        .with_app_id("server".into())
        .with_priority(7)
        .with_delivery_mode(2)
        .with_headers(headers)
}

#[tokio::test]
async fn a_replayed_event_is_as_it_was_but_for_its_count_of_replays() {
    let stand = Stand::new("replay-exact").await;
    let body: Vec<u8> = (0..=255).collect();
    for target in ["--to-queue", "--to-exchange"] {
        let worker = Worker::start(&stand).await;
        let sent = Event { properties: properties(), ..Event::new(body.clone()) };
        stand.publish(sent.routed("some.key")).await;
        stand.has_ready(&stand.dead_letter_queue(), 1).await;
        worker.stop().await;
        replay(replaying(&stand, &[target]), 0).await;
        let back = stand.drain(&stand.queue(), 1).await.remove(0);
        assert_eq!(back.data, body);
        let (straight, queue) = (target == "--to-queue", stand.queue());
        let (exchange, key) =
            if straight { (String::new(), &*queue) } else { (stand.exchange(), "some.key") };
        assert_eq!((back.exchange.as_str(), back.routing_key.as_str()), (&*exchange, key));
        assert_eq!(header(&back, "event-pusher-replays").as_deref(), Some("1"));
        let origin = header(&back, "event-pusher-exchange");
        assert_eq!(origin, straight.then(|| stand.exchange()));
        let headers = back.properties.headers().clone().unwrap();
        let ours = ["replays", "replay-id", "exchange", "routing-key"];
        let mut foreign = headers.inner().clone();
        foreign.retain(|name, _| {
            ours.iter().all(|ours| name.as_str() != format!("event-pusher-{ours}"))
        });
        assert_eq!(Some(FieldTable::from(foreign)), *properties().headers(), "{target}");
        assert_eq!(back.properties, properties().with_headers(headers), "{target}");
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn by_default_no_other_consumer_of_the_exchange_sees_an_event_twice() {
    let stand = stand("replay-once", "quorum").await;
    let other = format!("{}.other", stand.id);
    stand.declare_queue(&other, FieldTable::default()).await;
    stand.bind(&other, &stand.exchange(), "#").await;
    stand.bury_numbers(0..5).await;
    replay(replaying(&stand, &["--limit", "3"]), 0).await;
    assert_eq!(stand.ready(&other).await, 0);
    replay(replaying(&stand, &["--to-exchange"]), 0).await;
    assert_eq!((stand.ready(&other).await, stand.ready(&stand.queue()).await), (2, 5));
    let straight = stand.drain(&stand.queue(), 5).await;
    assert_eq!(straight.iter().map(message_id).collect::<Vec<_>>(), ids(0..5));
    stand.drain(&other, 2).await;
    stand.delete(&other).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_worker_reads_what_came_straight_to_its_queue_by_its_first_routing_key() {
    let stand = Stand::new("replay-origin").await;
    let worker = Worker::start_with(&stand, &GENTLY).await;
    let sent = serde_json::json!({
        "from_user_id": "alice@localhost/phone", "to_user_id": "bob@localhost", "message": "hi",
    });
    let letter = Letter { body: sent.to_string().into(), ..Letter::number(&stand, 0) };
    stand.bury([letter.saying("routing-key", "alice@localhost.chat_msg_sent")]).await;
    replay(replaying(&stand, &[]), 0).await;
    assert_eq!(stand.receive("pm", 1).await[0].json()["message"], "hi");
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_comes_back_dead_is_counted_and_not_replayed_again() {
    on_both(async |queue_type| {
        let stand = Stand::new(&format!("replay-again-{queue_type}")).await;
        let classic = [("AMQP__QUEUE_TYPE", queue_type)];
        let worker = Worker::start_with(&stand, &classic).await;
        stand
            .publish_all(
                (0..30).map(|number| {
                    Event::new(&b"garbage"[..]).identified(&crate::support::id(number))
                }),
            )
            .await;
        stand.has_ready(&stand.dead_letter_queue(), 30).await;
        // It watches no longer than until all are back.
        let ended = dlq(&stand, &["replay", "--rate", "200/s", "--watch", "10m"]).await;
        let said = [
            "replayed 30 of 30 dead letters in",
            "     30  dead-lettered again: undecodable: line 1, column 1",
        ];
        expect(&ended, 1, &said);
        stand.has_ready(&stand.dead_letter_queue(), 30).await;
        let letters = stand.drain(&stand.dead_letter_queue(), 30).await;
        for letter in &letters {
            assert_eq!(header(letter, "event-pusher-replays").as_deref(), Some("1"));
            assert_eq!(header(letter, "event-pusher-exchange"), Some(stand.exchange()));
            assert_eq!(header(letter, "event-pusher-routing-key").as_deref(), Some("test"));
        }
        worker.stop().await;
        stand.leave_nothing().await;
    })
    .await;
}

#[tokio::test]
async fn it_stops_when_as_many_failed_as_it_was_told() {
    let stand = Stand::new("replay-failures").await;
    let worker = Worker::start(&stand).await;
    stand.publish_all((0..200).map(|_| Event::new(&b"garbage"[..]))).await;
    stand.has_ready(&stand.dead_letter_queue(), 200).await;
    let arguments = ["--max-failures", "5", "--rate", "10/s"];
    let report = replay(replaying(&stand, &arguments), 1).await;
    assert_eq!(report["ended"], "too_many_failures");
    let (replayed, came_back) =
        (report["replayed"].as_u64().unwrap(), report["came_back"].as_u64().unwrap());
    assert!((5..200).contains(&replayed) && came_back >= 5, "{report}");
    stand.has_ready(&stand.dead_letter_queue(), 200).await;
    stand.drain_dead_letters(200).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_rabbitmq_dead_lettered_goes_home_too() {
    on_both(async |queue_type| {
        let stand = stand("replay-broker", queue_type).await;
        let properties = BasicProperties::default().with_expiration("1".into());
        let late = Event { properties, ..Event::chat("alice@localhost", "bob@localhost", "late") };
        stand.publish(late.routed("some.key").identified("late")).await;
        stand.has_ready(&stand.dead_letter_queue(), 1).await;
        replay(replaying(&stand, &["--reason", "expired"]), 0).await;
        let back = stand.drain(&stand.queue(), 1).await.remove(0);
        assert_eq!(message_id(&back), "late");
        assert_eq!(header(&back, "event-pusher-exchange"), Some(stand.exchange()));
        assert_eq!(header(&back, "event-pusher-routing-key").as_deref(), Some("some.key"));
        assert_eq!(header(&back, "x-death"), None, "it would count as a circle");
        stand.leave_nothing().await;
    })
    .await;
}

#[tokio::test]
async fn it_keeps_to_its_rate() {
    let stand = stand("replay-rate", "quorum").await;
    stand.bury_numbers(0..101).await;
    let began = Instant::now();
    let report = replay(replaying(&stand, &["--rate", "100/s"]), 0).await;
    assert!(report["seconds"].as_f64().unwrap() >= 1.0, "{report}");
    assert!(began.elapsed() >= Duration::from_secs(1));
    let replayed = stand.drain(&stand.queue(), 101).await;
    assert_eq!(replayed.iter().map(message_id).collect::<Vec<_>>(), ids(0..101));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn ctrl_c_stops_between_two_letters() {
    for (queue_type, signal) in [("quorum", Signal::SIGINT), ("classic", Signal::SIGTERM)] {
        let stand = stand("replay-stop", queue_type).await;
        stand.bury_numbers(0..500).await;
        let running = replaying(&stand, &["--rate", "100/s"]).start();
        // It is under way.
        crate::support::wait_for("the first replayed ones", async || {
            (stand.ready(&stand.queue()).await >= 5).then_some(())
        })
        .await;
        running.signal(signal);
        let ended = running.wait().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["ended"], "stopped");
        let replayed = usize::try_from(report["replayed"].as_u64().unwrap()).unwrap();
        assert_eq!(report["left"], 500 - replayed);
        stand.has_ready(&stand.dead_letter_queue(), u32::try_from(500 - replayed).unwrap()).await;
        assert_eq!(stand.drain_dead_letters(500 - replayed).await, ids(replayed..500));
        let sent = stand.drain(&stand.queue(), replayed).await;
        assert_eq!(sent.iter().map(message_id).collect::<Vec<_>>(), ids(0..replayed));
        stand.leave_nothing().await;
    }
}

/// The broker takes back what is held for too long; so it is put back before, and taken again.
#[tokio::test]
async fn a_replay_that_outlasts_what_may_be_held_goes_on_with_the_rest() {
    on_both(async |queue_type| {
        let stand = stand("replay-rounds", queue_type).await;
        stand.bury_numbers(0..300).await;
        let patient = [("OUTAGE__HAND_BACK_AFTER_S", "2"), ("SNS__ATTEMPT_TIMEOUT_MS", "100")];
        let patient = patient.iter().chain(&[("SNS__CONNECT_TIMEOUT_MS", "100")]);
        let arguments = ["--rate", "50/s", "--limit", "250"];
        let program = patient
            .fold(replaying(&stand, &arguments), |program, (key, value)| program.with(key, value));
        let report = replay(program, 0).await;
        assert_eq!((&report["matching"], &report["replayed"]), (&250.into(), &250.into()));
        let sent = stand.drain(&stand.queue(), 250).await;
        assert_eq!(sent.iter().map(message_id).collect::<Vec<_>>(), ids(0..250), "{queue_type}");
        assert_eq!(stand.drain_dead_letters(50).await, ids(250..300), "{queue_type}");
        stand.leave_nothing().await;
    })
    .await;
}

#[tokio::test]
async fn at_a_terminal_a_bar_shows_how_far_it_is_how_fast_and_how_long_it_will_take() {
    let at = async |kind: &str, has_bar: bool| {
        let stand = stand(&format!("replay-bar-{kind}"), "quorum").await;
        stand.bury_numbers(0..60).await;
        let arguments = ["replay", "--rate", "10/s", "--watch", "0s"];
        let (ended, shown) = dlq_program(&stand, &arguments).run_at_terminal(kind, None).await;
        expect(&ended, 0, &["replayed 60 of 60 dead letters"]);
        let bar = ["/60  ", "/s  ", "s left"];
        assert!(has_bar || shown.contains("of 60"), "on {kind}: {shown:?}");
        assert_eq!(bar.map(|part| shown.contains(part)), [has_bar; 3], "on {kind}: {shown:?}");
        stand.drain(&stand.queue(), 60).await;
        stand.leave_nothing().await;
    };
    futures_util::future::join(at("xterm", true), at("dumb", false)).await;
}
