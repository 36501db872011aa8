//! A stream is refused as a source's queue and as the dead-letter queue: it keeps what is acknowledged.

use lapin::types::{AMQPValue, FieldTable};

use crate::support::{Ended, Event, Program, Stand, Worker, binary, dlq, on_both_brokers, quorum};

const AS_IT_IS: (&str, &str) = ("AMQP__DECLARE", "false");

fn stream() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
    arguments
}

async fn check(stand: &Stand, declare: &str) -> Ended {
    Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration())
        .with("AMQP__DECLARE", declare)
        .run()
        .await
}

/// A stream is refused, and using it as it is is not advised.
async fn is_refused(stand: &Stand, queue: &str) {
    for declare in ["true", "false"] {
        let ended = check(stand, declare).await;
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        let line = ended.line(&format!("queue `{queue}` is a stream: "));
        assert!(line.starts_with("✗ ") && !line.contains("declare = false"), "{line}");
        let worker = Worker::spawn(stand, binary(), &[("AMQP__DECLARE", declare)]);
        let line = worker.logged("not_consuming").await["error"].to_string();
        assert!(line.contains(&format!("queue `{queue}` is a stream: ")), "{line}");
        assert!(!line.contains("declare = false"), "{line}");
        assert_eq!(worker.count("consuming"), 0, "{:#?}", worker.log());
    }
}

on_both_brokers! {
    async fn a_stream_as_a_sources_queue_is_refused_until_it_is_another_queue(stand: Stand) {
        stand.declare_dead_letters_by_hand().await;
        stand.bind_dead_letter_queue().await;
        stand.declare_events_with(stream()).await;
        stand.publish(Event::chat("ann@h", "bob@h", "into a stream")).await;
        is_refused(&stand, &stand.queue()).await;
        let worker = Worker::spawn(&stand, binary(), &[AS_IT_IS]);
        worker.logged("not_consuming").await;
        stand.delete(&stand.queue()).await;
        stand.declare_queue(&stand.queue(), quorum()).await;
        stand.bind(&stand.queue(), &stand.exchange(), "#").await;
        worker.logged("consuming").await;
        stand.publish(Event::chat("ann@h", "bob@h", "into a queue")).await;
        let received = stand.receive("pm", 1).await;
        assert!(received[0].body.contains("into a queue"), "{received:?}");
        worker.stop().await;
        stand.leave_nothing().await;
    }

    async fn a_stream_for_dead_letters_is_refused_and_not_looked_at(stand: Stand) {
        stand.declare_exchange(&stand.dead_letter_queue(), lapin::ExchangeKind::Fanout, true).await;
        stand.declare_queue(&stand.dead_letter_queue(), stream()).await;
        stand.bind_dead_letter_queue().await;
        let mut events = quorum();
        let dead = AMQPValue::LongString(stand.dead_letter_queue().into());
        events.insert("x-dead-letter-exchange".into(), dead);
        stand.declare_events_with(events).await;
        is_refused(&stand, &stand.dead_letter_queue()).await;
        for command in [&["list"][..], &["replay"], &["discard", "--all", "--yes"]] {
            let ended = dlq(&stand, command).await;
            assert_eq!(ended.code, Some(1), "{}", ended.all());
            let words = format!("queue `{}` is a stream: ", stand.dead_letter_queue());
            assert!(ended.all().contains(&words), "{}", ended.all());
        }
        assert_eq!(stand.ready(&stand.dead_letter_queue()).await, 0, "something was published to it");
        stand.delete(&stand.dead_letter_queue()).await;
        stand.leave_nothing().await;
    }

    async fn a_stream_for_parked_events_is_refused(stand: Stand) {
        stand.declare_all("quorum").await;
        stand.declare_queue(&stand.held_queue(), stream()).await;
        is_refused(&stand, &stand.held_queue()).await;
        stand.delete(&stand.held_queue()).await;
        stand.leave_nothing().await;
    }
}
