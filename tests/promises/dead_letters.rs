//! What a dead letter keeps, what it says, and that no event is lost on its way there.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString};
use tokio::net::TcpListener;

use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{Event, Stand, Totals, Worker, header};

const PERSISTENT: Option<u8> = Some(2);

/// No format knows it.
const GARBAGE: &[u8] = b"\xff\x00 garbage";

fn text(text: impl AsRef<[u8]>) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text.as_ref()))
}

/// A header of each type that AMQP has, nested ones among them.
fn every_type() -> FieldTable {
    let mut table = FieldTable::default();
    let mut set = |name: &str, value: AMQPValue| _ = table.insert(name.into(), value);
    set("bool", true.into());
    set("i8", AMQPValue::ShortShortInt(-8));
    set("u8", AMQPValue::ShortShortUInt(200));
    set("i16", AMQPValue::ShortInt(-16_000));
    set("u16", AMQPValue::ShortUInt(60_000));
    set("i32", AMQPValue::LongInt(i32::MIN));
    set("u32", AMQPValue::LongUInt(u32::MAX));
    set("i64", AMQPValue::LongLongInt(i64::MIN));
    set("float", AMQPValue::Float(0.5));
    set("double", AMQPValue::Double(-1.0e-300));
    set("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 12345 }));
    set("time", AMQPValue::Timestamp(1_700_000_000));
    set("text", text("ünïcode"));
    set("binary text", text([0, 255, 128]));
    set("bytes", AMQPValue::ByteArray(ByteArray::from(vec![0, 255, 128])));
    set("void", AMQPValue::Void);
    let mut nested = FieldTable::default();
    nested.insert("empty".into(), FieldTable::default().into());
    nested.insert("list".into(), FieldArray::from(vec![AMQPValue::Void, 7_i64.into()]).into());
    table.insert("array".into(), FieldArray::from(vec![text("a"), nested.clone().into()]).into());
    table.insert("table".into(), nested.into());
    table
}

/// The headers that neither the worker nor the queue that it is read from wrote.
fn foreign(letter: &Delivery) -> FieldTable {
    let mut foreign = FieldTable::default();
    for (name, value) in letter.properties.headers().iter().flatten() {
        if !name.as_str().starts_with("event-pusher-") && name.as_str() != "x-delivery-count" {
            foreign.insert(name.clone(), value.clone());
        }
    }
    foreign
}

#[tokio::test]
async fn a_dead_letter_keeps_body_properties_and_headers_exactly() {
    let stand = Stand::new("letter-kept").await;
    let worker = Worker::start(&stand).await;
    let properties = BasicProperties::default()
        .with_content_type("application/octet-stream".into())
        .with_content_encoding("identity".into())
        .with_message_id("message-1".into())
        .with_timestamp(1_700_000_000)
        .with_correlation_id("correlation-1".into())
        .with_reply_to("replies".into())
        .with_type("chat-event".into())
        .with_app_id("server".into())
        .with_cluster_id("cluster".into())
        .with_priority(7);
    let payload: Vec<u8> = (0..=255).collect();
    for delivery_mode in [None, Some(1), Some(2)] {
        let mut sent = properties.clone().with_headers(every_type());
        if let Some(mode) = delivery_mode {
            sent = sent.with_delivery_mode(mode);
        }
        stand.publish(Event { properties: sent, ..Event::new(payload.clone()) }).await;
        let letter = stand.take_dead_letters(1).await.remove(0);
        assert_eq!(letter.data, payload);
        assert_eq!(letter.routing_key.as_str(), "test");
        assert_eq!(foreign(&letter), every_type());
        let expected = properties
            .clone()
            .with_delivery_mode(2)
            .with_headers(letter.properties.headers().clone().unwrap());
        assert_eq!(letter.properties, expected, "sent with delivery mode {delivery_mode:?}");
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

/// Checks what every dead letter says; reason, attempts and whether it names a topic differ.
fn check_headers(letter: &Delivery, stand: &Stand, reason: &str, attempts: u32, topic: bool) {
    let value = |name: &str| header(letter, &format!("event-pusher-{name}"));
    let text = |name: &str| value(name).unwrap_or_else(|| panic!("no event-pusher-{name}"));
    assert_eq!(text("reason"), reason);
    assert_eq!(text("attempts"), attempts.to_string());
    assert_eq!(value("topic"), topic.then(|| stand.topic_arn("pm")));
    assert_eq!(text("exchange"), stand.exchange());
    assert_eq!(text("routing-key"), "some.key");
    assert_eq!(text("queue"), stand.queue());
    assert_eq!(text("replays"), "0");
    let error = text("error");
    assert!(!error.is_empty() && error.len() <= 1024 && !error.contains('\n'), "{error:?}");
    let host = gethostname::gethostname().into_string().unwrap();
    assert!(text("worker").contains(&host), "{}", text("worker"));
    assert!(text("worker").contains(env!("CARGO_PKG_VERSION")), "{}", text("worker"));
    let failed_at = text("failed-at");
    let age = Timestamp::now().duration_since(failed_at.parse().unwrap());
    assert!(failed_at.ends_with('Z') && age.as_secs() < 60, "{failed_at}");
    assert_eq!(*letter.properties.delivery_mode(), PERSISTENT);
}

fn chat_of(bytes: usize) -> Event {
    Event::chat("alice@localhost", "bob@localhost", &"x".repeat(bytes)).routed("some.key")
}

#[tokio::test]
async fn a_dead_letter_says_why_and_where_it_came_from() {
    let stand = Stand::new("letter-why").await;
    let worker = Worker::start(&stand).await;
    stand.publish(Event::new(GARBAGE).routed("some.key")).await;
    check_headers(&stand.take_dead_letters(1).await[0], &stand, "undecodable", 0, false);
    stand.publish(chat_of(300_000)).await;
    check_headers(&stand.take_dead_letters(1).await[0], &stand, "too_large", 0, true);
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_sns_refuses_is_dead_after_one_attempt() {
    let stand = Stand::new("letter-refused").await;
    let worker = Worker::start_with(&stand, &[("SNS__MAX_MESSAGE_BYTES", "1048576")]).await;
    stand.publish(chat_of(300_000)).await;
    check_headers(&stand.take_dead_letters(1).await[0], &stand, "rejected", 1, true);
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_event_out_of_retries_is_dead_after_all_of_its_attempts() {
    let stand = Stand::new("letter-retries").await;
    let sns = FakeSns::start();
    sns.fail_requests(next(u64::MAX, RequestFault::INTERNAL_ERROR));
    let settings = [
        ("SNS__SNS_HOST", &*sns.url()),
        ("SNS__PUBLISH_RETRY_COUNT", "3"),
        ("SNS__PUBLISH_RETRY_TIME_MS", "5"),
        ("OUTAGE__THRESHOLD", "1000"),
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish_all((0..20).map(|_| chat_of(1))).await;
    for letter in stand.take_dead_letters(20).await {
        check_headers(&letter, &stand, "retries_exhausted", 4, true);
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_dead_letter_neither_expires_nor_claims_to_be_another_users() {
    let stand = Stand::new("letter-expiry").await;
    let worker = Worker::start(&stand).await;
    let properties = BasicProperties::default()
        .with_expiration("600000".into())
        .with_user_id("guest".into())
        .with_delivery_mode(1);
    stand.publish(Event { properties, ..Event::new(GARBAGE) }).await;
    let letter = stand.take_dead_letters(1).await.remove(0);
    assert_eq!(letter.properties.expiration(), &None);
    assert_eq!(letter.properties.user_id(), &None);
    assert_eq!(header(&letter, "event-pusher-expiration").as_deref(), Some("600000"));
    assert_eq!(header(&letter, "event-pusher-user-id").as_deref(), Some("guest"));
    worker.stop().await;
    stand.leave_nothing().await;
}

/// The broker takes no frame above 128 KiB, and all headers have to be in one.
#[tokio::test]
async fn headers_that_fill_a_frame_leave_room_for_the_reason() {
    let stand = Stand::new("letter-frame").await;
    let worker = Worker::start(&stand).await;
    for (count, size) in [(1, 130_900), (100, 1_290)] {
        let mut headers = FieldTable::default();
        headers.insert("small".into(), text("kept"));
        for number in 0..count {
            headers.insert(format!("filler-{number}").into(), text("x".repeat(size)));
        }
        let properties = BasicProperties::default().with_headers(headers.clone());
        stand.publish(Event { properties, ..Event::new(GARBAGE) }).await;
        let letter = stand.take_dead_letters(1).await.remove(0);
        assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some("undecodable"));
        let kept = foreign(&letter);
        assert!(kept.contains_key("small"), "{count} headers: the smallest is not kept");
        let dropped = header(&letter, "event-pusher-dropped-headers").unwrap();
        for name in headers.inner().keys().map(lapin::types::ShortString::as_str) {
            let is_dropped = dropped.split(", ").any(|it| it == name);
            assert!(kept.contains_key(name) != is_dropped, "{name}, of {count}");
        }
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_original_is_acknowledged_only_after_its_dead_letter_is_safe() {
    let stand = Stand::new("letter-unbound").await;
    stand.declare_dead_letters_by_hand().await;
    stand.declare_events_by_hand().await;
    let by_hand = [("AMQP__DECLARE", "false")];
    let worker = Worker::start_with(&stand, &by_hand).await;
    stand.publish_all((0..3).map(|_| Event::new(GARBAGE))).await;
    let line = worker.logged("cannot_dead_letter").await["error"].to_string();
    assert!(line.contains("no queue is bound to it"), "{line}");
    worker.settles(3).await;
    assert_eq!(stand.ready(&stand.queue()).await, 0, "the events are not with the worker");
    worker.crash().await;
    stand.has_ready(&stand.queue(), 3).await;

    let worker = Worker::start_with(&stand, &by_hand).await;
    let line = worker.logged("cannot_dead_letter").await["error"].to_string();
    assert!(line.contains("no queue is bound to it"), "{line}");
    stand.bind_dead_letter_queue().await;
    assert_eq!(stand.take_dead_letters(3).await.len(), 3);
    worker.logged("dead_letters_taken_again").await;
    assert_eq!(worker.count("cannot_dead_letter"), 1, "{:#?}", worker.log());
    assert!(!worker.shows(&format!("{GARBAGE:?}")), "a log line shows a payload");
    let exit = worker.stop().await;
    let totals = Totals { received: 3, dead_lettered: 3, ..Totals::default() };
    assert_eq!((exit.totals(), exit.reasons()), (totals, "undecodable 3"), "{exit:?}");
    assert!(stand.dead_letter_now().await.is_none());
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_event_that_kills_its_worker_ends_with_the_dead_letters() {
    let stand = Stand::new("letter-killer").await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = [
        ("SNS__SNS_HOST", &*format!("http://{}", silent.local_addr().unwrap())),
        ("SNS__ATTEMPT_TIMEOUT_MS", "60000"),
        ("AMQP__DELIVERY_LIMIT", "2"),
    ];
    let mut worker = Worker::start_with(&stand, &settings).await;
    let event = chat_of(3).identified("killer");
    stand.publish(event.clone()).await;
    for death in 1..=3 {
        // An accepted request is the event in flight, which it stays: nobody answers.
        let request = silent.accept().await.unwrap();
        assert!(stand.dead_letter_now().await.is_none(), "dead before death {death}");
        worker.crash().await;
        drop(request);
        worker = Worker::start_with(&stand, &settings).await;
    }
    let letter = stand.take_dead_letters(1).await.remove(0);
    assert_eq!(letter.data, event.payload);
    assert_eq!(letter.properties.message_id(), event.properties.message_id());
    assert_eq!(header(&letter, "x-first-death-reason").as_deref(), Some("delivery_limit"));
    assert_eq!(header(&letter, "x-first-death-queue"), Some(stand.queue()));
    assert_eq!(header(&letter, "event-pusher-reason"), None);
    assert_eq!(worker.settled(), 0, "it was delivered once more");
    worker.stop().await;
    stand.leave_nothing().await;
}
