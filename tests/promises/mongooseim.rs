//! The preset `config/mongooseim.toml`, fed as MongooseIM's RabbitMQ backend feeds it.

use lapin::ExchangeKind;
use lapin::options::{
    BasicPublishOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Event, Program, Stand, Totals, wait_for};

const PRESET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/mongooseim.toml");
const EXCHANGES: [&str; 3] = ["presence", "chat_msg", "groupchat_msg"];
const QUEUES: [&str; 3] =
    ["event-pusher-sns.presence", "event-pusher-sns.chat", "event-pusher-sns.groupchat"];

const ALICE: &str = "alice@localhost/res1";
const BOB: &str = "bob@localhost/res2";
const ROOM: &str = "room@conference.localhost";

fn message(from: &str, to: &str, text: &str) -> Event {
    Event::json(&json!({"from_user_id": from, "to_user_id": to, "message": text}))
}

/// As MongooseIM does when the module starts.
async fn declare_exchanges(stand: &Stand) {
    for exchange in EXCHANGES {
        let options = ExchangeDeclareOptions::default();
        let kind = ExchangeKind::Topic;
        let declared =
            stand.channel.exchange_declare(exchange.into(), kind, options, FieldTable::default());
        declared.await.unwrap();
    }
}

/// Whether any queue is bound for it.
async fn is_queued(stand: &Stand, exchange: &str, event: Event) -> bool {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let Event { routing_key, properties, payload } = event;
    let (exchange, key) = (exchange.into(), routing_key.into());
    let confirm = stand.channel.basic_publish(exchange, key, options, &payload, properties).await;
    confirm.unwrap().await.unwrap().take_message().is_none()
}

async fn remove_all(stand: &Stand) {
    for queue in QUEUES {
        for queue in [queue.to_owned(), format!("{queue}.held")] {
            let options = QueueDeleteOptions::default();
            let left = stand.channel.queue_delete(queue.as_str().into(), options).await.unwrap();
            assert_eq!(left, 0, "messages were left in {queue}");
        }
    }
    for exchange in EXCHANGES {
        let options = ExchangeDeleteOptions::default();
        stand.channel.exchange_delete(exchange.into(), options).await.unwrap();
    }
}

#[tokio::test]
async fn what_mongooseim_publishes_goes_through_the_preset_and_what_is_received_is_not_even_queued()
{
    let stand = Stand::new("mongooseim").await;
    declare_exchanges(&stand).await;
    let program = Program::new(&["run", "--config", PRESET, "--config", "stand.toml"]);
    // The stand's own source stands for an exchange with a `sent_topic` of another name.
    let program = program.with("AMQP__SOURCES__EVENTS__FORMAT", "mongooseim-chat");
    let worker = program.with_file("stand.toml", &stand.configuration()).start();
    for queue in QUEUES.into_iter().chain([&*stand.queue()]) {
        let consumed = async || {
            (stand.has_queue(queue).await && stand.consumers(queue).await > 0).then_some(())
        };
        wait_for(&format!("a consumer of {queue}"), consumed).await;
    }

    let presence = Event::json(&json!({"user_id": ALICE, "present": true}));
    stand.publish_to("presence", presence.routed("alice@localhost")).await;
    let sent = message(ALICE, BOB, "hi").routed("alice@localhost.chat_msg_sent");
    stand.publish_to("chat_msg", sent).await;
    let sent = message(ALICE, ROOM, "hi all").routed("alice@localhost.groupchat_msg_sent");
    stand.publish_to("groupchat_msg", sent).await;

    let presence = stand.receive("presence", 1).await.remove(0);
    assert_eq!(presence.json(), json!({"user_id": "alice@localhost", "present": true}));
    let chat = stand.receive("pm", 1).await.remove(0);
    let expected =
        json!({"from_user_id": "alice@localhost", "to_user_id": "bob@localhost", "message": "hi"});
    assert_eq!(chat.json(), expected);
    let groupchat = stand.receive("muc", 1).await.remove(0);
    assert_eq!(groupchat.json()["to_user_id"], ROOM);

    stand.publish(message(BOB, ALICE, "ho").routed("bob@localhost.written")).await;
    assert_eq!(stand.receive("pm", 1).await[0].json()["message"], "ho");

    let received = message(ALICE, BOB, "hi").routed("bob@localhost.chat_msg_recv");
    assert!(!is_queued(&stand, "chat_msg", received).await, "received messages are not bound");
    worker.signal(Signal::SIGTERM);
    let ended = worker.wait().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let stopped = serde_json::from_str(ended.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(Totals::of(&stopped), Totals::published(4));
    remove_all(&stand).await;
    stand.leave_nothing().await;
}
