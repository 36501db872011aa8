//! Configurations of MongooseIM, imported and run as they are made, and what RabbitMQ's types of exchanges do with its events.

use lapin::ExchangeKind;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{
    Event, OwnBroker, Program, Stand, Totals, Worker, on_both_own_brokers, quorum, wait_for,
};

const KINDS: [&str; 3] = ["presence", "chat", "groupchat"];

/// With the default plugin under its name up to 2.1, and an exchange of another type for each kind of event.
fn mongooseim(stand: &Stand, broker: &OwnBroker, types: [&str; 3]) -> String {
    let Stand { id, sns_url, .. } = stand;
    let (port, [presence, chat, groupchat]) = (broker.port(0), types);
    format!(
        r#"
        [modules.mod_event_pusher.sns]
          plugin_module = "mod_aws_sns_defaults"
          presence_updates_topic = "{id}-presence"
          pm_messages_topic = "{id}-pm"
          muc_messages_topic = "{id}-muc"
          muc_host = "conference.@HOST@"
          sns_host = "{sns_url}"
          region = "us-east-1"
          access_key_id = "test"
          secret_access_key = "test"
          account_id = "123456789012"
        [modules.mod_event_pusher.rabbit.presence_exchange]
          name = "{id}.presence"
          type = "{presence}"
        [modules.mod_event_pusher.rabbit.chat_msg_exchange]
          name = "{id}.chat"
          type = "{chat}"
        [modules.mod_event_pusher.rabbit.groupchat_msg_exchange]
          name = "{id}.groupchat"
          type = "{groupchat}"
          durable = true
        [outgoing_pools.rabbit.event_pusher]
          scope = "host_type"
          [outgoing_pools.rabbit.event_pusher.connection]
            host = "127.0.0.1"
            port = {port}
            username = "guest"
            password = "guest"
            confirms_enabled = true
        "#
    )
}

/// What `import` makes of it, and what it says.
async fn import(input: &str) -> String {
    let program = Program::new(&["import", "mongooseim.toml", "--secrets", "file"]);
    let ended = program.with_file("mongooseim.toml", input).run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    ended.stdout
}

/// A command with the configuration that was made, and dead letters that are the stand's.
fn command(stand: &Stand, name: &str, made: &str) -> Program {
    let dead = stand.dead_letter_queue();
    Program::new(&[name, "--config", "made.toml"])
        .with_file("made.toml", made)
        .with("AMQP__DEAD_LETTER_EXCHANGE", &dead)
        .with("AMQP__DEAD_LETTER_QUEUE", &dead)
        .with("ADMIN__LISTEN", "")
        .with("LOG__FORMAT", "json")
}

/// As MongooseIM publishes what Alice says to somebody: what she sends and what he receives.
async fn says(stand: &Stand, kind: &str, to: &str) {
    let topic = if kind == "chat" { "chat_msg" } else { "groupchat_msg" };
    for (user, way) in [("alice@localhost", "sent"), ("bob@localhost", "recv")] {
        let event = json!({"from_user_id": "alice@localhost/r", "to_user_id": to, "message": "hi"});
        let event = Event::json(&event).routed(&format!("{user}.{topic}_{way}"));
        stand.publish_to(&format!("{}.{kind}", stand.id), event).await;
    }
}

on_both_own_brokers! {
    async fn what_is_made_of_the_default_plugin_up_to_2_1_passes_check_and_publishes_every_kind(broker: &OwnBroker, stand: Stand) {
        // One type for each kind that `import` makes a source of.
        let kinds = [ExchangeKind::Topic, ExchangeKind::Fanout, ExchangeKind::Headers];
        for (name, kind) in KINDS.into_iter().zip(kinds) {
            let exchange = format!("{}.{name}", stand.id);
            stand.declare_exchange(&exchange, kind, name == "groupchat").await;
        }
        let made = import(&mongooseim(&stand, broker, ["topic", "fanout", "headers"])).await;
        assert!(made.contains("\nplugin_module = \"mod_event_pusher_sns_defaults\""), "{made}");
        let checked = command(&stand, "check", &made).run().await;
        assert_eq!(checked.code, Some(0), "{}", checked.all());

        let worker = command(&stand, "run", &made).start();
        let queues = KINDS.map(|kind| format!("event-pusher-sns.{kind}"));
        for queue in &queues {
            let consumed = async || {
                (stand.has_queue(queue).await && stand.consumers(queue).await > 0).then_some(())
            };
            wait_for(&format!("a consumer of {queue}"), consumed).await;
        }
        let presence = Event::json(&json!({"user_id": "Alice@localhost/r", "present": true}));
        let presence = presence.routed("alice@localhost");
        stand.publish_to(&format!("{}.presence", stand.id), presence).await;
        says(&stand, "chat", "bob@localhost").await;
        says(&stand, "groupchat", "room@conference.localhost").await;
        let body = async |topic: &str| stand.receive(topic, 1).await[0].json();
        assert_eq!(body("presence").await, json!({"user_id": "alice@localhost", "present": true}));
        for (topic, to) in [("pm", "bob@localhost"), ("muc", "room@conference.localhost")] {
            let expected = json!({"from_user_id": "alice@localhost", "to_user_id": to, "message": "hi"});
            assert_eq!(body(topic).await, expected);
        }
        // What is received came, too, and is skipped.
        for queue in &queues {
            broker.keeps(queue, 0).await;
        }
        worker.signal(Signal::SIGTERM);
        let ended = worker.wait().await;
        let stopped = serde_json::from_str(ended.stderr.lines().last().unwrap()).unwrap();
        let totals = Totals { received: 5, published: 3, skipped: 2, ..Totals::default() };
        assert_eq!(Totals::of(&stopped), totals, "{}", ended.all());
        for queue in &queues {
            stand.delete(queue).await;
            stand.delete(&format!("{queue}.held")).await;
        }
        for exchange in KINDS.map(|kind| format!("{}.{kind}", stand.id)) {
            stand.delete_exchange(&exchange).await;
        }
        stand.delete(&stand.dead_letter_queue()).await;
        stand.delete_exchange(&stand.dead_letter_queue()).await;
    }
}

/// `import` says that a queue gets the events of all users if it is bound alone, and a share beside another one.
async fn a_hash_gives_one_queue_all_and_two_a_share(broker: &OwnBroker, stand: Stand, kind: &str) {
    const EVENTS: u32 = 60;
    let made = import(&mongooseim(&stand, broker, ["topic", kind, "topic"])).await;
    let (made, exchange) = (made.replace("\n#  ", ""), stand.exchange());
    let said =
        "a queue that is bound alone gets the events of all users, one among several a share";
    assert!(made.contains(said) && !made.contains("[amqp.sources.chat]"), "{made}");

    stand.declare_exchange(&exchange, ExchangeKind::Custom(kind.to_owned()), true).await;
    stand.declare_dead_letters_by_hand().await;
    stand.bind_dead_letter_queue().await;
    stand.declare_queue(&stand.queue(), quorum()).await;
    // The weight of a consistent hash; the others don't look at it.
    stand.bind(&stand.queue(), &exchange, "1").await;
    let of_users = |numbers: std::ops::Range<u32>| {
        numbers.map(|number| {
            let event = Event::chat(&format!("user-{number}@localhost"), "bob@localhost", "hi");
            event.routed(&format!("user-{number}@localhost.chat_msg_sent"))
        })
    };
    // A worker that finds the queue bound alone publishes all.
    let worker = Worker::start_with(&stand, &[("AMQP__DECLARE", "false")]).await;
    stand.publish_all(of_users(0..EVENTS)).await;
    worker.settles(EVENTS as usize).await;
    stand.receive("pm", EVENTS as usize).await;
    worker.stop().await;

    let other = format!("{}.other", stand.queue());
    stand.declare_queue(&other, quorum()).await;
    stand.bind(&other, &exchange, "1").await;
    stand.publish_all(of_users(EVENTS..2 * EVENTS)).await;
    let both = async || (stand.ready(&stand.queue()).await, stand.ready(&other).await);
    let (mine, others) = wait_for("all of them", async || {
        Some(both().await).filter(|(mine, others)| mine + others == EVENTS)
    })
    .await;
    assert!(mine > 0 && others > 0, "{mine} and {others}");
    // A worker that declares binds to no such exchange, and says what is there.
    stand.delete(&stand.dead_letter_queue()).await;
    stand.delete_exchange(&stand.dead_letter_queue()).await;
    let worker = Worker::spawn(&stand, crate::support::binary(), &[]);
    let line = worker.logged("not_consuming").await["error"].to_string();
    assert!(!line.contains("exchange_type = "), "no key can have that value: {line}");
    assert!(line.contains("exists with other arguments") && line.contains(kind), "{line}");
    worker.stop().await;
    for queue in [&stand.queue(), &other, &stand.dead_letter_queue()] {
        stand.delete(queue).await;
    }
    for exchange in [exchange, stand.dead_letter_queue()] {
        stand.delete_exchange(&exchange).await;
    }
}

const CONSISTENT: &str = "x-consistent-hash";
const MODULUS: &str = "x-modulus-hash";

/// Nobody else is on it: plugins that are started there start what a test has stopped.
#[tokio::test]
async fn a_hash_exchange_of_a_plugin_does_what_import_says_on_3_10() {
    let (broker, _guard) = OwnBroker::alone().await;
    broker.enable("rabbitmq_sharding").await;
    for kind in [CONSISTENT, MODULUS] {
        let stand = Stand::on("hash", &broker.uri(0)).await;
        a_hash_gives_one_queue_all_and_two_a_share(broker, stand, kind).await;
    }
}

/// Where `x-modulus-hash` is RabbitMQ's own.
#[tokio::test]
async fn a_hash_exchange_does_what_import_says_on_4_3() {
    let (broker, _guard) = OwnBroker::newest().await;
    for kind in [CONSISTENT, MODULUS] {
        let stand = Stand::on("hash", &broker.uri(0)).await;
        a_hash_gives_one_queue_all_and_two_a_share(broker, stand, kind).await;
    }
}
