//! Dead letters of sorted events: they say where the producer had published them, and can be replayed.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable, LongString};
use serde_json::Value;

use super::{BY_CONVERSATION, Crew, SORTED, leave_nothing_sorted, recording_sns};
use crate::fake_sns::RequestFault;
use crate::order::conversations::{Conversations, spoken_event_of};
use crate::poison::poison_ends_once;
use crate::support::raw::{Raw, RawPublisher};
use crate::support::{ADMIN, Admin, Event, Worker, dlq, dlq_program, header, on_both_brokers};

/// No format knows it.
const GARBAGE: &[u8] = b"\xff\x00 garbage";

const COUNT: usize = 20;

/// What RabbitMQ would refuse, or send elsewhere, of a copy that is published as it came.
fn odd() -> BasicProperties {
    let mut headers = FieldTable::default();
    let text = |it: &str| AMQPValue::LongString(LongString::from(it));
    headers.insert("CC".into(), FieldArray::from(vec![text("another.key")]).into());
    headers.insert("event-pusher-order-key".into(), text("forged"));
    headers.insert("event-pusher-exchange".into(), text("forged"));
    headers.insert("own".into(), text("value"));
    BasicProperties::default()
        .with_headers(headers)
        .with_user_id("guest".into())
        .with_expiration("600000".into())
        .with_message_id("odd".into())
}

on_both_brokers! {
    async fn no_byte_of_a_producer_stops_a_sorter_and_each_poison_ends_once_behind_it(stand: Stand) {
        poison_ends_once(&stand, &SORTED).await;
        leave_nothing_sorted(stand).await;
    }

    async fn what_can_not_be_read_is_a_dead_letter_from_where_it_was_published_and_others_are_sorted_on(stand: Stand) {
        let worker = Worker::start_with(&stand, &SORTED).await;
        stand.publish(Event { properties: odd(), ..Event::new(GARBAGE).routed("bad.key") }).await;
        let letter = stand.take_dead_letters(1).await.remove(0);
        for (name, value) in [
            ("exchange", &*stand.exchange()),
            ("routing-key", "bad.key"),
            ("queue", &stand.queue()),
            ("reason", "undecodable"),
            ("user-id", "guest"),
            ("expiration", "600000"),
        ] {
            let found = header(&letter, &format!("event-pusher-{name}"));
            assert_eq!(found.as_deref(), Some(value), "{name}");
        }
        assert_eq!(letter.data, GARBAGE);
        assert_eq!(header(&letter, "own").as_deref(), Some("value"));
        assert_eq!(header(&letter, "event-pusher-order-key"), None);
        // One that only its routing key makes unreadable, which the sorter alone has seen as it was.
        let good = Event::chat("ann@h", "bob@h", "hi").payload;
        let mut publisher = RawPublisher::connect(&stand.amqp_uri).await;
        publisher.publish(&stand.exchange(), &Raw::new(good).routed(b"k\xff")).await;
        let letter = stand.take_dead_letters(1).await.remove(0);
        let error = header(&letter, "event-pusher-error").unwrap();
        assert!(error.contains("the routing key is not UTF-8"), "{error}");
        let event = spoken_event_of(0, 0);
        stand.publish(Event { properties: odd(), ..event }).await;
        let received = stand.receive("pm", 1).await;
        assert_eq!(received[0].json()["message"], "0 0");
        worker.stop().await;
        leave_nothing_sorted(stand).await;
    }

    async fn a_sorted_event_that_expires_says_where_its_producer_had_published_it_and_is_sorted_again(stand: Stand) {
        let sns = recording_sns();
        sns.fail_requests(|_| Some(RequestFault::NOT_FOUND));
        let mut crew = Crew::new(&stand, &sns, "4", &[BY_CONVERSATION, ("AMQP__PREFETCH", "4"), ("OUTAGE__THRESHOLD", "1")]);
        crew.grow(1).await;
        stand.publish(spoken_event_of(0, 0)).await;
        crew.workers[0].logged("held").await;
        let mut behind = spoken_event_of(0, 1);
        behind.properties = behind.properties.with_expiration("100".into());
        stand.publish(behind).await;
        stand.has_ready(&stand.dead_letter_queue(), 1).await;
        let listed = dlq(&stand, &["list", "--each", "--json"]).await;
        let letter: Value = serde_json::from_str(&listed.stdout).unwrap();
        let origin = &letter["origin"];
        let event = spoken_event_of(0, 1);
        assert_eq!((&origin["exchange"], &origin["routing_key"]), (&stand.exchange().into(), &event.routing_key.into()), "{letter}");
        sns.heal();
        let replay = SORTED.iter().fold(dlq_program(&stand, &["replay"]), |it, (key, value)| it.with(key, value));
        let ended = replay.run().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        crew.ends_in_order(&Conversations::in_turn(1, 2)).await;
        leave_nothing_sorted(stand).await;
    }

    async fn letters_that_are_replayed_are_sorted_and_the_replay_hears_of_their_outcomes(stand: Stand) {
        let too_small = [&SORTED[..], &[("SNS__MAX_MESSAGE_BYTES", "10")]].concat();
        let worker = Worker::start_with(&stand, &too_small).await;
        stand.publish_all((0..COUNT).map(|number| spoken_event_of(0, number))).await;
        stand.has_ready(&stand.dead_letter_queue(), u32::try_from(COUNT).unwrap()).await;
        worker.stop().await;
        let worker = Worker::start_with(&stand, &[&SORTED[..], &[ADMIN]].concat()).await;
        let ended = dlq(&stand, &["replay"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.line("replayed 20 of 20");
        stand.receive("pm", COUNT).await;
        let sorted = Admin::of(&worker).await.scrape().await.sum("sorted_total", &["source=\"events\""]);
        assert_eq!(usize::try_from(sorted).unwrap(), COUNT);
        worker.stop().await;
        leave_nothing_sorted(stand).await;
    }
}
