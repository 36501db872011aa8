//! What exists with other arguments than `run` declares: one clear line, in `run` and in `check`, until it is gone.

use lapin::ExchangeKind;
use lapin::types::{AMQPValue, FieldTable};

use super::{check_alive, text};
use crate::support::{Door, Ended, Program, Proxy, Stand, Worker, binary, on_both_brokers, quorum};

/// A queue in the way.
struct InTheWay {
    queue: String,
    arguments: FieldTable,
    /// What the line says of it.
    parts: Vec<String>,
}

/// The arguments that a queue is declared with, but for some; a value of nothing leaves one out.
fn but(declared: &FieldTable, changes: &[(&str, AMQPValue)]) -> FieldTable {
    let mut arguments = declared.inner().clone();
    for (name, value) in changes {
        match value {
            AMQPValue::Void => _ = arguments.remove(*name),
            value => _ = arguments.insert((*name).into(), value.clone()),
        }
    }
    arguments.into()
}

/// Each argument that a worker declares, and one that it does not.
fn in_the_way(stand: &Stand) -> Vec<InTheWay> {
    let (queue, parked, dead) = (stand.queue(), stand.held_queue(), stand.dead_letter_queue());
    let safely =
        [("x-dead-letter-strategy", text("at-least-once")), ("x-overflow", text("reject-publish"))];
    let events = but(&quorum(), &safely);
    let further = [("x-delivery-limit", 20_i64.into()), ("x-dead-letter-exchange", text(&dead))];
    let events = but(&events, &further);
    let way_back =
        [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&queue))];
    let parking = but(&but(&quorum(), &safely), &way_back);
    let never = but(&quorum(), &[("x-delivery-limit", 1_000_000_000_i64.into())]);
    let classic = but(&quorum(), &[("x-queue-type", text("classic"))]);

    let mut all = Vec::new();
    let mut add = |queue: &str, arguments: FieldTable, parts: &[&str]| {
        let parts = parts.iter().map(|it| (*it).to_owned()).collect();
        all.push(InTheWay { queue: queue.to_owned(), arguments, parts });
    };
    let of_events = |argument: &str, value: AMQPValue| but(&events, &[(argument, value)]);
    let ours = format!("instead of \"{dead}\" (amqp.dead_letter_exchange)");
    let none =
        format!("declare: no x-dead-letter-exchange {ours}, no x-dead-letter-strategy instead of ");
    let limits = "no x-delivery-limit instead of 20 (amqp.delivery_limit), no x-overflow instead of \"reject-publish\"; ";
    add(&queue, quorum(), &[&none, limits]);
    // RabbitMQ's first refusal has no room for it.
    let long = "o".repeat(60);
    let other = of_events("x-dead-letter-exchange", text(&long));
    let adopt =
        format!("adopt it (amqp.dead_letter_exchange = \"{long}\", or amqp.declare = false)");
    add(&queue, other, &[&format!("x-dead-letter-exchange = \"{long}\" {ours}; "), &adopt]);
    // The last one is an argument for order, in which a queue may differ.
    let three = [
        ("x-delivery-limit", AMQPValue::Void),
        ("x-message-ttl", 60_000_i64.into()),
        ("x-single-active-consumer", true.into()),
    ];
    let both = [
        "no x-delivery-limit instead of 20 (amqp.delivery_limit), x-message-ttl = 60000 instead of none; ",
        "adopt it (amqp.declare = false)",
    ];
    add(&queue, but(&events, &three), &both);
    let once =
        [("x-dead-letter-strategy", text("at-most-once")), ("x-overflow", text("drop-head"))];
    let both = "x-dead-letter-strategy = \"at-most-once\" instead of \"at-least-once\", x-overflow = \"drop-head\" instead of \
                \"reject-publish\"; ";
    add(&queue, but(&events, &once), &[both]);
    let kind = "declare: x-queue-type = \"classic\" instead of \"quorum\" (amqp.queue_type); either adopt it (amqp.queue_type = \
                \"classic\" for all queues, or amqp.declare = false)";
    let mut way_on = classic.inner().clone();
    way_on.insert("x-dead-letter-exchange".into(), text(&dead));
    add(&queue, way_on.into(), &[kind]);
    let key = but(&parking, &[("x-dead-letter-routing-key", text("other"))]);
    let ours = format!("x-dead-letter-routing-key = \"other\" instead of \"{queue}\"; ");
    add(&parked, key, &[&ours, "that of amqp.sources.events.queue"]);
    let limited = but(&never, &[("x-delivery-limit", 7_i64.into())]);
    let limit = "declare: x-delivery-limit = 7 instead of 1000000000; don't use it as it is";
    add(&dead, limited, &[limit, "move its letters away"]);
    let expiring = but(&never, &[("x-message-ttl", 60_000_i64.into())]);
    add(&dead, expiring, &["don't use it as it is, since RabbitMQ removes dead letters from it"]);
    all
}

async fn check(stand: &Stand, settings: &[(&str, &str)]) -> Ended {
    let program = Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration());
    settings.iter().fold(program, |it, (key, value)| it.with(key, value)).run().await
}

fn expect(line: &str, parts: &[String]) {
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
}

on_both_brokers! {
    async fn all_arguments_that_differ_are_one_clear_line_with_both_values_and_the_ways_out(stand: Stand) {
        for InTheWay { queue, arguments, parts } in in_the_way(&stand) {
            for queue in [stand.queue(), stand.held_queue(), stand.dead_letter_queue()] {
                stand.delete(&queue).await;
            }
            stand.declare_queue(&queue, arguments).await;
            let begin = format!("queue `{queue}` exists with other arguments");
            let ways = [" or migrate (", " or choose another name (", "in docs/own-queues.md"];
            let ways = ways.map(str::to_owned).to_vec();
            let worker = Worker::spawn(&stand, binary(), &[]);
            let line = worker.logged("not_consuming").await["error"].as_str().unwrap().to_owned();
            drop(worker);
            assert!(line.starts_with(&begin), "{line}");
            expect(&line, &[&*parts, &ways].concat());
            let checked = check(&stand, &[]).await;
            assert_eq!(checked.code, Some(1), "{checked:?}");
            // The same, and all that the queue has.
            let found = checked.line(&begin);
            assert!(found.contains(&line) && found.contains("; what is there: "), "{found}\n{line}");
        }
        for queue in [stand.queue(), stand.held_queue(), stand.dead_letter_queue()] {
            stand.delete(&queue).await;
        }
        for exchange in [stand.exchange(), stand.dead_letter_queue()] {
            stand.delete_exchange(&exchange).await;
        }
    }

    async fn a_queue_with_other_arguments_is_one_line_until_it_is_gone(stand: Stand) {
        let InTheWay { queue, arguments, parts } = in_the_way(&stand).remove(0);
        stand.declare_queue(&queue, arguments).await;
        let broker = Proxy::start(&stand.amqp_uri, Door::Open).await;
        let uri = broker.instead_of(&stand.amqp_uri);
        // The connections of the source alone are counted.
        let settings = [("AMQP__URI", &*uri), ("FLEET__VIEW", "false")];
        let worker = Worker::spawn(&stand, binary(), &settings);
        worker.logged("not_consuming").await;
        broker.takes(3).await;
        stand.delete(&queue).await;
        worker.logged("consuming").await;
        let all = worker.all("not_consuming");
        let of_it = all.iter().filter(|it| it["error"].as_str().unwrap().contains(&parts[0]));
        assert_eq!(of_it.count(), 1, "{all:#?}");
        check_alive(&stand).await;
        worker.stop().await;
        stand.leave_nothing().await;
    }

    async fn an_exchange_of_another_type_is_one_clear_line_and_can_be_adopted(stand: Stand) {
        stand.declare_exchange(&stand.exchange(), ExchangeKind::Direct, true).await;
        let worker = Worker::spawn(&stand, binary(), &[]);
        let line = worker.logged("not_consuming").await["error"].as_str().unwrap().to_owned();
        drop(worker);
        let key = "amqp.sources.events.exchange_type";
        let parts = [
            format!("exchange `{}` exists with other arguments", stand.exchange()),
            format!("declare: type = \"direct\" instead of \"topic\" ({key})"),
            format!("adopt it ({key} = \"direct\", or amqp.declare = false)"),
            "choose another name (amqp.sources.events.exchange)".to_owned(),
        ];
        expect(&line, &parts);
        let checked = check(&stand, &[]).await;
        assert!(checked.line("exists with other arguments").contains(&line), "{checked:?}");
        let settings = [("AMQP__SOURCES__EVENTS__EXCHANGE_TYPE", "direct")];
        let settings = [settings[0], ("AMQP__SOURCES__EVENTS__ROUTING_KEYS", "test")];
        let worker = Worker::start_with(&stand, &settings).await;
        check_alive(&stand).await;
        worker.stop().await;
        stand.leave_nothing().await;
    }
}
