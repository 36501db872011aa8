//! The cases of the test suite of MongooseIM's `mod_event_pusher_sns`, on the running binary.

use serde_json::json;

use crate::support::{Event, Stand, Totals, Worker, on_both_brokers};

const ALICE: &str = "Alice@localhost/phone";
const BOB: &str = "bob@localhost/home";
const ROOM: &str = "room@conference.localhost";

on_both_brokers! {
    async fn a_unicode_text_arrives_as_it_was_written(stand: Stand) {
        let worker = Worker::start(&stand).await;
        let text = "❤☀☆☂☻♞☯☭☢€→☎❄♫✂▷✇♎⇧☮♻⌘⌛☘☊♔♕♖ 🦀 ع \u{ffff} \u{1} \"\\";
        stand.publish(Event::chat(ALICE, BOB, text)).await;
        let received = stand.receive("pm", 1).await;
        assert_eq!(received[0].json()["message"], text);
        worker.stop().await;
        stand.leave_nothing().await;
    }
}

#[tokio::test]
async fn a_chat_message_goes_to_the_private_message_topic() {
    let stand = Stand::new("chat").await;
    let worker = Worker::start(&stand).await;
    stand.publish(Event::chat(ALICE, BOB, "hi")).await;
    let received = stand.receive("pm", 1).await;
    let expected =
        r#"{"from_user_id":"alice@localhost","to_user_id":"bob@localhost","message":"hi"}"#;
    assert_eq!(received[0].body, expected);
    let exit = worker.stop().await;
    assert!(exit.status.success());
    assert_eq!(exit.totals(), Totals::published(1), "{exit:?}");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_groupchat_message_goes_to_the_muc_topic() {
    let stand = Stand::new("groupchat").await;
    let worker = Worker::start(&stand).await;
    stand.publish(Event::groupchat(ALICE, ROOM, "hi all")).await;
    let received = stand.receive("muc", 1).await;
    let expected =
        json!({"from_user_id": "alice@localhost", "to_user_id": ROOM, "message": "hi all"});
    assert_eq!(received[0].json(), expected);
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn other_message_types_are_not_forwarded() {
    let stand = Stand::new("types").await;
    let worker = Worker::start(&stand).await;
    for kind in ["headline", "normal", "error", "presence-probe"] {
        stand.publish(Event::message(kind, ALICE, BOB, "hi")).await;
    }
    worker.settles(4).await;
    let exit = worker.stop().await;
    assert_eq!((exit.totals().skipped, exit.reasons()), (4, "unsupported_type 4"), "{exit:?}");
    assert!(stand.received_now("pm").await.is_empty());
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_topic_can_be_given_by_its_arn() {
    let stand = Stand::new("arn").await;
    let settings = [
        ("SNS__PM_MESSAGES_TOPIC", &*stand.topic_arn("pm")),
        ("SNS__ACCOUNT_ID", ""),
        ("SNS__PRESENCE_UPDATES_TOPIC", ""),
        ("SNS__MUC_MESSAGES_TOPIC", ""),
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish(Event::chat(ALICE, BOB, "hi")).await;
    stand.receive("pm", 1).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn online_and_offline_presence_is_published() {
    let stand = Stand::new("presence").await;
    let worker = Worker::start(&stand).await;
    for present in [true, false] {
        stand.publish(Event::presence(ALICE, present)).await;
        let received = stand.receive("presence", 1).await;
        let expected = format!(r#"{{"user_id":"alice@localhost","present":{present}}}"#);
        assert_eq!(received[0].body, expected);
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_message_without_a_text_is_skipped_and_an_empty_text_is_published() {
    let stand = Stand::new("no-text").await;
    let worker = Worker::start(&stand).await;
    let without = json!({"type": "chat", "from_user_id": ALICE, "to_user_id": BOB});
    stand.publish(Event::json(&without)).await;
    stand.publish(Event::chat(ALICE, BOB, "")).await;
    let received = stand.receive("pm", 1).await;
    assert_eq!(received[0].json()["message"], "");
    worker.settles(2).await;
    let exit = worker.stop().await;
    let totals = exit.totals();
    assert_eq!((totals.published, totals.skipped, exit.reasons()), (1, 1, "no_text 1"), "{exit:?}");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_unset_topic_skips_its_events_and_no_others() {
    for (setting, unset, event) in [
        ("SNS__PM_MESSAGES_TOPIC", "pm", Event::chat(ALICE, BOB, "hi")),
        ("SNS__MUC_MESSAGES_TOPIC", "muc", Event::groupchat(ALICE, ROOM, "hi")),
        ("SNS__PRESENCE_UPDATES_TOPIC", "presence", Event::presence(ALICE, true)),
    ] {
        let stand = Stand::new("unset").await;
        let worker = Worker::start_with(&stand, &[(setting, "")]).await;
        stand.publish(event).await;
        worker.settles(1).await;
        let exit = worker.stop().await;
        assert_eq!((exit.totals().skipped, exit.reasons()), (1, "topic_unset 1"), "{exit:?}");
        assert!(stand.received_now(unset).await.is_empty());
        stand.leave_nothing().await;
    }
}

#[tokio::test]
async fn ids_come_from_the_plugin() {
    let stand = Stand::new("plugin-ids").await;
    let worker = Worker::start_with_plugin(&stand, "shouting").await;
    stand.publish(Event::chat(ALICE, BOB, "hi")).await;
    stand.publish(Event::presence(ALICE, true)).await;
    let message = stand.receive("pm", 1).await.remove(0).json();
    assert_eq!(message["from_user_id"], "ALICE@LOCALHOST");
    assert_eq!(message["to_user_id"], "BOB@LOCALHOST");
    assert_eq!(stand.receive("presence", 1).await[0].json()["user_id"], "ALICE@LOCALHOST");
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn attributes_come_from_the_plugin_for_presence_and_for_messages() {
    let stand = Stand::new("plugin-attributes").await;
    let worker = Worker::start_with_plugin(&stand, "shouting").await;
    stand.publish(Event::presence(ALICE, true)).await;
    stand.publish(Event::chat(ALICE, BOB, "hi")).await;
    stand.publish(Event::groupchat(ALICE, ROOM, "hi")).await;
    let string = |value: &str| ("String".to_owned(), value.to_owned());
    let presence = stand.receive("presence", 1).await.remove(0);
    assert_eq!(presence.attributes["present"], string("true"));
    let chat = stand.receive("pm", 1).await.remove(0);
    assert_eq!(chat.attributes["kind"], string("chat"));
    assert_eq!(chat.attributes["length"], ("Number".to_owned(), "2".to_owned()));
    let groupchat = stand.receive("muc", 1).await.remove(0);
    assert_eq!(groupchat.attributes["kind"], string("groupchat"));
    worker.stop().await;
    stand.leave_nothing().await;
}
