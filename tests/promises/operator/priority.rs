//! Replayed events with a priority of their own.

use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};

use super::{expect, ids};
use crate::support::{
    Event, Letter, Program, Stand, dlq, header, message_id, on_both_brokers, quorum,
};

const LOW: (&str, &str) = ("OUTAGE__PARKED_PRIORITY", "0");

/// The arguments by which parked events come back.
fn way_back(stand: &Stand) -> FieldTable {
    let mut arguments = quorum();
    for (name, value) in [("exchange", ""), ("routing-key", &*stand.queue())] {
        let value = AMQPValue::LongString(value.into());
        arguments.insert(format!("x-dead-letter-{name}").into(), value);
    }
    arguments
}

async fn replay(stand: &Stand, arguments: &[&str]) {
    let replayed = dlq(stand, &[&["replay", "--watch", "0s"], arguments].concat()).await;
    expect(&replayed, 0, &["replayed 6 of 6 dead letters"]);
}

/// The priority of a replayed event, and what its header says of the one that it came with.
fn priorities(event: &Delivery) -> (Option<u8>, Option<String>) {
    (*event.properties.priority(), header(event, "event-pusher-priority"))
}

on_both_brokers! {
    /// Before RabbitMQ 4.3 quorum queues have no such priorities.
    async fn live_events_pass_replayed_ones_of_a_low_priority_where_the_broker_knows_priorities(stand: Stand) {
        stand.declare_all("quorum").await;
        stand.bury_numbers(0..6).await;
        replay(&stand, &["--priority", "0"]).await;
        stand.publish_all(ids(6..12).iter().map(|id| Event::new("{}").identified(id))).await;
        let delivered = stand.drain(&stand.queue(), 12).await;
        let passed = ids((6..12).chain(0..6));
        let expected = if stand.is_newest() { passed } else { ids(0..12) };
        assert_eq!(delivered.iter().map(message_id).collect::<Vec<_>>(), expected);
        stand.leave_nothing().await;
    }

    async fn a_priority_without_an_effect_is_said_by_check_and_once_by_a_replay(stand: Stand) {
        stand.declare_all("quorum").await;
        stand.bury_numbers(0..6).await;
        let (no_effect, is_newest) = (format!("has no effect in queue `{}`", stand.queue()), stand.is_newest());
        let replayed = async |arguments: &[&str]| {
            let replayed = dlq(&stand, &[&["replay", "--watch", "0s"], arguments].concat()).await;
            assert_eq!(replayed.code, Some(0), "{replayed:?}");
            replayed.stderr.lines().filter(|it| it.starts_with("warning: --priority")).map(str::to_owned).collect::<Vec<_>>()
        };
        let checked = async |settings: &[(&str, &str)]| {
            let program = Program::new(&["check", "--config", "stand.toml"])
                .with_file("stand.toml", &stand.configuration())
                .with("AMQP__DECLARE", "false");
            let ended = settings.iter().fold(program, |it, (key, value)| it.with(key, value)).run().await;
            assert_eq!(ended.code, Some(0), "{}", ended.all());
            ended.stdout
        };
        stand.declare_queue(&stand.held_queue(), way_back(&stand)).await;
        assert_eq!(replayed(&["--dry-run"]).await, [""; 0]);
        assert!(!checked(&[]).await.contains("parked_priority"));
        let (said, in_check) = (replayed(&["--priority", "0", "--dry-run"]).await, checked(&[LOW]).await);
        if is_newest {
            assert!(said.is_empty() && !in_check.contains("parked_priority"), "{said:?} {in_check}");
        } else {
            assert!(said.len() == 1 && said[0].contains(&no_effect), "{said:?}");
            assert!(in_check.contains(&format!("outage.parked_priority = 0 {no_effect}")), "{in_check}");
        }
        // A classic one knows none on either.
        stand.delete(&stand.queue()).await;
        let mut classic = FieldTable::default();
        classic.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
        stand.declare_queue(&stand.queue(), classic).await;
        let in_check = checked(&[LOW]).await;
        assert!(in_check.contains(&format!("outage.parked_priority = 0 {no_effect}, which is a classic")), "{in_check}");
        let said = replayed(&["--priority", "9"]).await;
        assert!(said.len() == 1 && said[0].contains(&no_effect), "{said:?}");
        assert_eq!(stand.drain(&stand.queue(), 6).await.len(), 6);
        stand.leave_nothing().await;
    }

    async fn a_replay_with_a_priority_forgets_none_that_an_event_came_with(stand: Stand) {
        stand.declare_all("quorum").await;
        for (own, said) in [(None, "none"), (Some(9), "9")] {
            let letter = |number| {
                let Letter { properties, headers, body } = Letter::number(&stand, number);
                let properties = own.map_or(properties.clone(), |own| properties.with_priority(own));
                Letter { properties, headers, body }
            };
            stand.bury((0..6).map(letter)).await;
            replay(&stand, &["--priority", "1"]).await;
            let replayed = stand.drain(&stand.queue(), 6).await;
            assert!(replayed.iter().all(|it| priorities(it) == (Some(1), Some(said.to_owned()))));
            // As if each were dead-lettered again.
            let again = replayed.into_iter().map(|it| {
                let headers = it.properties.headers().clone().unwrap();
                let letter = Letter { properties: it.properties, headers, body: it.data };
                letter.saying("reason", "rejected").saying("queue", &stand.queue())
            });
            stand.bury(again).await;
            replay(&stand, &[]).await;
            let replayed = stand.drain(&stand.queue(), 6).await;
            assert!(replayed.iter().all(|it| priorities(it) == (own, None)));
        }
        stand.leave_nothing().await;
    }
}

#[tokio::test]
async fn a_priority_that_amqp_has_no_room_for_is_refused() {
    let stand = Stand::new("replay-priority").await;
    for wrong in ["256", "-1", "low", ""] {
        let refused = dlq(&stand, &["replay", &format!("--priority={wrong}")]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("--priority"), "{refused:?}");
    }
}
