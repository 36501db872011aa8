//! Sources for whose events no topic is set.

use super::*;

const NONE: &str = r#"
    [sns]
    presence_updates_topic = ""
    muc_messages_topic = ""
    [amqp.sources.events]
    [amqp.sources.rooms]
    queue = "rooms"
    format = "mongooseim-groupchat"
"#;

fn of_rooms() -> Envelope {
    event(&serde_json::json!({
        "from_user_id": "ann@h", "to_user_id": "room@conference.h", "message": "hi",
    }))
}

#[test]
fn a_source_without_a_topic_is_not_consumed_and_the_others_are() {
    let totals = simulate(NONE, &Plugins::default(), async |it| {
        it.queues["rooms"].publish(of_rooms());
        it.queues["events"].publish(chat(1));
        it.has_once("pm", 1).await;
        let line = it.logs("source_without_topic").await;
        assert_eq!(
            (line["source"].as_str(), line["queue"].as_str()),
            (Some("rooms"), Some("rooms"))
        );
        assert!(line["keys"].as_str().unwrap().contains("sns.muc_messages_topic"), "{line}");
        assert_eq!(it.log.count("source_without_topic"), 1);
        let rooms = &it.queues["rooms"];
        assert_eq!((rooms.ready(), rooms.unacked()), (1, 0));
        let metrics = || it.metrics.render().unwrap();
        it.until("a worker that is connected", |_| metrics().contains("event_pusher_connected 1"))
            .await;
        let (metrics, state) =
            (metrics(), "event_pusher_source_state{source=\"rooms\",state=\"no_topic\"} 1");
        assert!(metrics.contains(state), "{metrics}");
        assert!(!metrics.contains("event_pusher_backlog{source=\"rooms\""), "{metrics}");
    });
    assert_eq!((totals.received, totals.published), (1, 1));
}

#[test]
fn a_source_that_may_discard_is_consumed_and_its_events_are_skipped() {
    let settings = format!("{NONE}    discard = true\n");
    let totals = simulate(&settings, &Plugins::default(), async |it| {
        it.queues["rooms"].publish(of_rooms());
        it.settles(1).await;
        assert_eq!((it.queues["rooms"].ready(), it.log.count("source_without_topic")), (0, 0));
    });
    assert_eq!((totals.published, totals.reasons().as_deref()), (0, Some("topic_unset 1")));
}
