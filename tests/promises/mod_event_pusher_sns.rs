//! Cases of the test suite of MongooseIM's `mod_event_pusher_sns` as an SNS of others tells them to subscribers; all
//! others are tried in memory (`src/app/tests/mod_event_pusher_sns.rs`).

use crate::support::{Event, Stand, Worker, on_both_brokers};

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
