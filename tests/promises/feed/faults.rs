//! `feed` where keys match no binding, where a queue is a stream, and where the broker restarts.

use std::collections::BTreeSet;

use lapin::types::{AMQPValue, FieldTable};

use super::{expect, feed, program, said};
use crate::support::{Door, OwnBroker, Program, Proxy, Stand, on_both_brokers, wait_for};

fn bound_by(stand: &Stand, keys: &str, arguments: &[&str]) -> Program {
    let arguments = [&["--rate", "max", "--count", "30"], arguments].concat();
    program(stand, &arguments).with("AMQP__SOURCES__EVENTS__ROUTING_KEYS", keys)
}

on_both_brokers! {
    async fn no_event_is_lost_by_its_routing_key(stand: Stand) {
        for (keys, wanted) in [
            ("chat.#", ["chat.presence", "chat", "chat.groupchat"]),
            ("im.*.events", ["im.presence.events", "im.chat.events", "im.groupchat.events"]),
        ] {
            let ended = bound_by(&stand, keys, &[]).run().await;
            expect(&ended, 0, &["published 30 events"]);
            let fed = stand.drain(&stand.queue(), 30).await;
            let found: BTreeSet<_> = fed.iter().map(|it| it.routing_key.to_string()).collect();
            assert_eq!(found, wanted.map(str::to_owned).into());
            stand.delete(&stand.queue()).await;
        }
        let ended = bound_by(&stand, "chat.#", &["--routing-key", "presence"]).run().await;
        expect(&ended, 2, &["source events", "the routing key `presence`", "routing_keys (`chat.#`)", "--routing-key"]);
        let imported = bound_by(&stand, "#.sent", &["--format", "mongooseim"]);
        let ended = imported.with("AMQP__SOURCES__EVENTS__FORMAT", "mongooseim").run().await;
        expect(&ended, 2, &["chat events", "`ann@example.org.chat_msg_sent`", "--mix"]);
        assert!(!stand.has_queue(&stand.queue()).await, "it was declared all the same");
    }

    async fn a_stream_is_refused_with_the_advice_that_a_worker_gives(stand: Stand) {
        stand.declare_dead_letters_by_hand().await;
        stand.bind_dead_letter_queue().await;
        let mut stream = FieldTable::default();
        stream.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
        stand.declare_events_with(stream).await;
        let ended = feed(&stand, &["--count", "5"]).await;
        expect(&ended, 1, &[&format!("queue `{}` is a stream: ", stand.queue())]);
        assert!(!ended.all().contains("declare = false"), "{}", ended.all());
        stand.delete(&stand.queue()).await;
        stand.leave_nothing().await;
    }
}

/// Restarts the broker in the middle of a feed, in order or by a crash. All events arrive, and in their order.
async fn survives(name: &str, broker: &OwnBroker, crash: bool) {
    const EVENTS: u32 = 3000;
    let stand = Stand::on(name, &broker.uri(0)).await;
    let count = EVENTS.to_string();
    let running = program(&stand, &["--rate", "500/s", "--count", &count, "--seed", "3"]).start();
    let queue = stand.queue();
    let some =
        async || (stand.has_queue(&queue).await && stand.ready(&queue).await > 300).then_some(());
    wait_for("events in the queue", some).await;
    if crash {
        broker.kill(0).await;
        broker.start_again(0).await;
    } else {
        broker.restart(0).await;
    }
    let ended = running.wait().await;
    expect(
        &ended,
        0,
        &[&format!("published {EVENTS} events"), "trying for 5 minutes to connect again"],
    );
    assert_eq!(ended.stderr.matches("to connect again").count(), 1, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("connected again").count(), 1, "{}", ended.stderr);
    let stand = stand.again().await;
    let twice = ended
        .all()
        .lines()
        .find_map(|line| line.trim_start().split_once("  sent again")?.0.parse::<u32>().ok());
    let all = wait_for("all events in the queue", async || {
        Some(stand.ready(&queue).await).filter(|ready| *ready >= EVENTS)
    })
    .await;
    assert!(all <= EVENTS + twice.unwrap_or(0), "{all} in the queue, {twice:?} sent again");
    let fed = stand.drain(&queue, all as usize).await;
    let mut seen = BTreeSet::new();
    let ids = fed.iter().map(crate::support::message_id);
    let firsts: Vec<_> = ids.filter(|id| seen.insert(id.clone())).collect();
    assert_eq!(firsts.len(), EVENTS as usize);
    let alike = feed(&stand, &["--rate", "max", "--count", &count, "--seed", "3"]).await;
    assert_eq!(said(&alike, "chat"), said(&ended, "chat"));
    let again = stand.drain(&queue, EVENTS as usize).await;
    let order: Vec<_> = again.iter().map(crate::support::message_id).collect();
    assert!(firsts == order, "events have changed their places");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_broker_that_restarts_in_order_ends_no_feed() {
    let (broker, _guard) = OwnBroker::alone().await;
    survives("feed-restarts", broker, false).await;
}

#[tokio::test]
async fn a_broker_that_crashes_ends_no_feed() {
    // Nobody else's: after a crash RabbitMQ 3.10 may refuse to declare quorum queues (INTERNAL_ERROR).
    survives("feed-crashes", &OwnBroker::single().await, true).await;
}

#[tokio::test]
async fn a_permission_that_is_missing_ends_a_feed_at_once_and_ctrl_c_one_that_waits() {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = Stand::on("feed-refused", &broker.uri(0)).await;
    expect(&feed(&stand, &["--count", "1", "--rate", "max"]).await, 0, &["published 1 event"]);
    stand.purge(&stand.queue()).await;
    let user = &stand.id;
    broker.permit(user, ".*", "^$").await;
    let uri = format!("amqp://{user}:planted@127.0.0.1:{}/%2f", broker.port(0));
    let refused =
        program(&stand, &["--count", "5"]).with("AMQP__URI", &uri).with("AMQP__DECLARE", "false");
    expect(&refused.run().await, 1, &["ACCESS_REFUSED", "published 0 events"]);
    let network = Proxy::start(&stand.amqp_uri, Door::Open).await;
    let uri = network.instead_of(&stand.amqp_uri);
    let running = program(&stand, &["--rate", "100/s"]).with("AMQP__URI", &uri).start();
    wait_for("events", async || (stand.ready(&stand.queue()).await > 10).then_some(())).await;
    let taken = network.taken();
    network.set(Door::Refusing);
    network.cut();
    // It has lost its connection, and tries to connect again.
    network.takes(taken + 1).await;
    running.signal(nix::sys::signal::Signal::SIGINT);
    let ended = running.wait().await;
    assert!(ended.all().contains("published "), "{ended:?}");
    stand.purge(&stand.queue()).await;
    stand.leave_nothing().await;
}
