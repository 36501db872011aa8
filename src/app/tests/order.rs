//! Order, where it is asked for. What chance does to it is tried by `pipeline/worker/tests.rs`.

use std::collections::BTreeMap;

use super::*;
use crate::outcome::Scope;
use crate::publish::memory::fault;

pub(super) const PER_KEY: &str = "[sns]\nordering = \"per-key\"\n";

/// Chats, which go to one topic, and rooms, which go to another.
pub(super) const KEYS: usize = 32;
pub(super) const EACH: usize = 10;

/// The events of all conversations, in turns.
pub(super) fn conversations() -> impl Iterator<Item = Envelope> {
    (0..EACH * KEYS).map(|it| {
        let (key, number) = (it % KEYS, it / KEYS);
        let from = format!("u{key}@h");
        if key % 2 == 0 {
            message("chat", &from, "b@h", &number.to_string())
        } else {
            message("groupchat", &from, &format!("r{key}@conference.h"), &number.to_string())
        }
    })
}

/// Every conversation has come in order, and nothing twice.
fn came_in_order(simulation: &Simulation) {
    let mut said: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for message in simulation.sns.accepted() {
        let from = message.json()["from_user_id"].as_str().unwrap().to_owned();
        said.entry(from).or_default().push(message.number());
    }
    assert_eq!(said.len(), KEYS);
    for (from, numbers) in said {
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>(), "{from}");
    }
}

#[test]
fn a_key_that_is_retried_blocks_only_itself() {
    let patient = format!("{PER_KEY}publish_retry_count = 16\npublish_retry_time_ms = 1\n");
    let totals = simulate(&patient, &Plugins::default(), async |it| {
        it.sns.fail_entries(|notification| {
            let is_first =
                notification.body.contains("\"u0@h\"") && notification.body.contains("\"0\"");
            is_first.then(|| fault(Scope::Transient))
        });
        it.publish(conversations());
        let others = (KEYS - 1) * EACH;
        it.settles(others as u64).await;
        let of_first = |it: &service::Accepted| it.json()["from_user_id"] == "u0@h";
        assert!(!it.sns.accepted().iter().any(of_first), "overtaken by its own key");
        it.sns.heal();
        it.settles((KEYS * EACH) as u64).await;
        came_in_order(it);
    });
    assert_eq!(totals.published, (KEYS * EACH) as u64, "{totals}");
}

#[test]
fn a_held_topic_keeps_the_order_of_what_it_holds_and_other_topics_overtake() {
    let totals = simulate(PER_KEY, &Plugins::default(), async |it| {
        it.sns.delete_topic("pm");
        it.publish(conversations());
        // Half of the keys are rooms.
        it.settles((KEYS * EACH / 2) as u64).await;
        assert!(it.sns.of("pm").is_empty());
        it.until("a held topic", |it| !it.held().is_empty()).await;
        it.sns.heal();
        it.settles((KEYS * EACH) as u64).await;
        came_in_order(it);
    });
    assert_eq!(totals.published, (KEYS * EACH) as u64, "{totals}");
}

#[test]
fn where_order_is_kept_nothing_is_parked_and_the_log_says_so() {
    let settings = format!("{PER_KEY}[amqp]\nprefetch = 20\n");
    simulate(&settings, &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        // Of different rooms, so that they don't wait for each other.
        let room =
            |n: usize| message("groupchat", "ann@h", &format!("r{n}@conference.h"), &n.to_string());
        it.publish((0..50).map(room));
        let line = it.logs("share_exceeded").await;
        let topic = "arn:aws:sns:us-east-1:123456789012:muc";
        assert_eq!((&line["source"], &line["topic"]), (&"events".into(), &topic.into()));
        sleep(Duration::from_mins(10)).await;
        assert_eq!(
            (it.queue().parked(), it.queue().unacked()),
            (0, 20),
            "all that its prefetch takes"
        );
        it.sns.heal();
        it.has_once("muc", 50).await;
    });
}

#[test]
fn a_standard_topic_is_told_the_group_only_if_that_is_asked_for_and_never_an_id() {
    for (group_id, expected) in [("false", None), ("true", Some("chat/ann@h,bob@h"))] {
        let settings = format!("[sns]\ngroup_id = {group_id}\n");
        simulate(&settings, &Plugins::default(), async |it| {
            let message_id = Some("1".to_owned());
            it.publish([Envelope { message_id, ..message("chat", "bob@h", "ann@h", "hi") }]);
            it.settles(1).await;
            let accepted = it.sns.accepted().remove(0);
            assert_eq!((accepted.group.as_deref(), accepted.dedup_id), (expected, None));
        });
    }
}
