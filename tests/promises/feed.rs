//! `feed`: chat traffic that arrives, is counted, and is what the worker understands.

mod faults;

use std::collections::BTreeMap;

use event_pusher_sns::event::{Decoded, Envelope, Format, decode};
use lapin::ExchangeKind;
use lapin::message::Delivery;
use lapin::types::FieldTable;
use nix::sys::signal::Signal;

use crate::support::{Ended, Program, Stand, Worker, wait_for};

fn program(stand: &Stand, arguments: &[&str]) -> Program {
    let arguments = [&["feed"], arguments, &["--config", "stand.toml"]].concat();
    Program::new(&arguments).with_file("stand.toml", &stand.configuration())
}

async fn feed(stand: &Stand, arguments: &[&str]) -> Ended {
    program(stand, arguments).run().await
}

fn expect(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for part in parts {
        assert!(ended.all().contains(part), "no {part:?} in\n{}", ended.all());
    }
}

/// What a worker would see of it.
fn envelope(delivery: &Delivery) -> Envelope {
    let properties = &delivery.properties;
    let headers = properties.headers().iter().flatten();
    let text = |value: &lapin::types::AMQPValue| {
        value.as_long_string().map(ToString::to_string).unwrap_or_default()
    };
    Envelope {
        exchange: delivery.exchange.to_string(),
        routing_key: delivery.routing_key.to_string(),
        content_type: properties.content_type().as_ref().map(ToString::to_string),
        message_id: properties.message_id().as_ref().map(ToString::to_string),
        headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
        payload: delivery.data.clone(),
        unreadable: None,
    }
}

/// Kinds by label, as the decoder sees them.
fn kinds(deliveries: &[Delivery], format: Format) -> BTreeMap<&'static str, u64> {
    let mut kinds = BTreeMap::new();
    for delivery in deliveries {
        let envelope = envelope(delivery);
        match decode(&envelope, format) {
            Ok(Decoded::Event(event)) => *kinds.entry(event.kind_label()).or_default() += 1,
            other => panic!("{other:?}: {envelope:?}"),
        }
    }
    kinds
}

/// How many of a kind the last line says.
fn said(ended: &Ended, kind: &str) -> u64 {
    let line = ended.line("published ");
    let (_, rest) = line.split_once(&format!("{kind} ")).unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

/// The same of all kinds.
fn published(ended: &Ended) -> u32 {
    let kinds = ["presence", "chat", "groupchat"];
    kinds.iter().map(|kind| u32::try_from(said(ended, kind)).unwrap()).sum()
}

#[tokio::test]
async fn what_it_says_it_published_is_in_the_queue_in_every_format() {
    let stand = Stand::new("feed-formats").await;
    let formats = [
        ("native", Format::Native),
        ("mongooseim", Format::Mongooseim),
        ("xmpp", Format::Xmpp),
        ("cloudevents", Format::CloudEvents),
        ("cloudevents-binary", Format::CloudEvents),
    ];
    for (name, format) in formats {
        let arguments =
            ["--format", name, "--count", "200", "--rate", "max", "--domain", "im.test"];
        let ended = feed(&stand, &arguments).await;
        expect(&ended, 0, &["published 200 events in ", &format!("in the format {name}")]);
        let fed = stand.drain(&stand.queue(), 200).await;
        let kinds = kinds(&fed, format);
        for kind in ["presence", "chat", "groupchat"] {
            assert_eq!(kinds[kind], said(&ended, kind), "{kind}: {}", ended.stdout);
            assert!(kinds[kind] > 10, "{kinds:?}");
        }
        for delivery in &fed {
            let properties = &delivery.properties;
            assert_eq!(*properties.delivery_mode(), Some(2), "not persistent");
            assert!(properties.message_id().is_some() && properties.timestamp().is_some());
        }
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_worker_publishes_all_of_it() {
    let stand = Stand::new("feed-worker").await;
    let worker = Worker::start(&stand).await;
    let ended = feed(&stand, &["--count", "60", "--rate", "max", "--seed", "5"]).await;
    expect(&ended, 0, &["published 60 events", "seed 5"]);
    for (topic, kind) in [("presence", "presence"), ("pm", "chat"), ("muc", "groupchat")] {
        let count = said(&ended, kind).try_into().unwrap();
        assert_eq!(stand.receive(topic, count).await.len(), count, "{kind}");
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_seed_repeats_the_events_and_a_mix_and_users_are_kept() {
    let stand = Stand::new("feed-seed").await;
    let arguments = ["--count", "50", "--rate", "max", "--seed", "1", "--mix", "chat=1"];
    let arguments = [&arguments[..], &["--users", "2"]].concat();
    let mut runs = Vec::new();
    for _ in 0..2 {
        expect(&feed(&stand, &arguments).await, 0, &["presence 0, chat 50, groupchat 0"]);
        let fed = stand.drain(&stand.queue(), 50).await;
        let ids: Vec<_> = fed.iter().map(crate::support::message_id).collect();
        let users: std::collections::BTreeSet<_> = fed
            .iter()
            .map(|it| serde_json::from_slice::<serde_json::Value>(&it.data).unwrap())
            .map(|event| event["to_user_id"].to_string())
            .collect();
        assert_eq!(users.len(), 2, "{users:?}");
        runs.push(ids);
    }
    assert_eq!(runs[0], runs[1]);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn mongooseims_kinds_go_to_the_exchange_of_each() {
    let stand = Stand::new("feed-mongooseim").await;
    let id = &stand.id;
    let source = |kind: &str| {
        format!(
            "[amqp.sources.{kind}]\nexchange = \"{id}.{kind}_msg\"\nqueue = \"{id}.{kind}\"\nformat = \"mongooseim\"\n"
        )
    };
    let kinds = ["presence", "chat", "groupchat"];
    let start = stand.configuration();
    let (before, after) = start.split_once("[amqp.sources.events]").unwrap();
    let after = &after[after.find("[sns]").unwrap()..];
    let configuration = |kinds: &[&str]| {
        let sources: Vec<_> = kinds.iter().map(|kind| source(kind)).collect();
        format!("{before}{}{after}", sources.join(""))
    };
    let run = async |kinds: &[&str], arguments: &[&str]| {
        let arguments = [&["feed", "--rate", "max", "--config", "m.toml"], arguments].concat();
        Program::new(&arguments).with_file("m.toml", &configuration(kinds)).run().await
    };
    let ended = run(&kinds, &["--count", "100"]).await;
    expect(&ended, 0, &["published 100 events", "in the format mongooseim"]);
    for kind in kinds {
        let (queue, count) = (format!("{id}.{kind}"), said(&ended, kind));
        let fed = stand.drain(&queue, count.try_into().unwrap()).await;
        assert_eq!(self::kinds(&fed, Format::Mongooseim), BTreeMap::from([(kind, count)]));
    }
    let few = ["presence", "chat"];
    let ended = run(&few, &["--count", "10"]).await;
    expect(&ended, 2, &["has an exchange for groupchat events", "--mix"]);
    let ended = run(&few, &["--count", "10", "--mix", "presence=1,chat=1"]).await;
    expect(&ended, 0, &["published 10 events"]);
    for kind in kinds {
        stand.delete(&format!("{id}.{kind}")).await;
        stand.delete(&format!("{id}.{kind}.held")).await;
        stand.delete_exchange(&format!("{id}.{kind}_msg")).await;
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn the_rate_and_the_time_are_kept() {
    let stand = Stand::new("feed-rate").await;
    let began = std::time::Instant::now();
    let ended = feed(&stand, &["--rate", "100/s", "--count", "150"]).await;
    assert!(began.elapsed().as_millis() >= 1400, "{:?}", began.elapsed());
    expect(&ended, 0, &["published 150 events"]);
    let ended = feed(&stand, &["--rate", "50/s", "--for", "2s"]).await;
    expect(&ended, 0, &["published "]);
    let seconds =
        ended.all().split(" in ").nth(1).and_then(|it| it.split(' ').next()?.parse().ok());
    assert!(seconds.is_some_and(|it: f64| (2.0..30.0).contains(&it)), "{}", ended.all());
    let published = published(&ended);
    // That it is no slower where nothing else is slow is tried under a paused clock (`rate_limiter.rs`).
    assert!((1..=101).contains(&published), "{published}");
    stand.has_ready(&stand.queue(), 150 + published).await;
    stand.purge(&stand.queue()).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_signal_stops_it_with_what_was_published() {
    let stand = Stand::new("feed-stop").await;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let running = program(&stand, &["--rate", "1000/s"]).start();
        let queue = stand.queue();
        let fed = async || {
            let there = stand.has_queue(&queue).await;
            (there && stand.ready(&queue).await > 50).then_some(())
        };
        wait_for("events in the queue", fed).await;
        running.signal(signal);
        let ended = running.wait().await;
        expect(&ended, 0, &["stopped by a signal", "published "]);
        stand.has_ready(&queue, published(&ended)).await;
        stand.purge(&queue).await;
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_exchange_that_is_not_there_or_leads_nowhere_is_named() {
    let stand = Stand::new("feed-nowhere").await;
    let undeclared =
        || program(&stand, &["--count", "20", "--rate", "max"]).with("AMQP__DECLARE", "false");
    let exchange = stand.exchange();
    let missing = format!("exchange `{exchange}`: NOT_FOUND");
    let ended = undeclared().run().await;
    expect(&ended, 1, &[&missing, "create it, or set amqp.declare = true", "published 0 events"]);
    stand.declare_exchange(&exchange, ExchangeKind::Topic, true).await;
    let ended = undeclared().run().await;
    let unbound = format!("exchange `{exchange}`: no queue is bound to it for the routing key `");
    expect(&ended, 1, &[&unbound, "published 0 events", "     20  not routed to any queue"]);
    assert_eq!(ended.stderr.matches("no queue is bound").count(), 1, "{}", ended.stderr);
    // Some kinds lead somewhere.
    stand.declare_queue(&stand.queue(), FieldTable::default()).await;
    stand.bind(&stand.queue(), &exchange, "chat").await;
    let ended = undeclared().run().await;
    let chat = said(&ended, "chat");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    // The broker counts a little after it has confirmed.
    wait_for(&format!("{chat} events in the queue"), async || {
        (u64::from(stand.ready(&stand.queue()).await) == chat).then_some(())
    })
    .await;
    stand.purge(&stand.queue()).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named_and_wrong_arguments_are_status_2() {
    let nowhere = Program::new(&["feed"]).with("AMQP__URI", "amqp://127.0.0.1:1/%2f").run().await;
    expect(&nowhere, 1, &["cannot connect to RabbitMQ at amqp://127.0.0.1:1"]);
    for arguments in [
        &["--rate", "0/s"][..],
        &["--rate", "fast"],
        &["--count", "0"],
        &["--for", "5"],
        &["--users", "1"],
        &["--rooms", "0"],
        &["--mix", "chat=0"],
        &["--format", "auto"],
        &["--domain", "a@b"],
    ] {
        expect(&Program::new(&[&["feed"], arguments].concat()).run().await, 2, &["--help"]);
    }
    let ended = Program::new(&["feed", "--source", "evnts"]).run().await;
    expect(&ended, 2, &["there is no source `evnts`; the sources are events"]);
    let invalid = Program::new(&["feed"]).with("AMQP__PREFETCH", "-1").run().await;
    expect(&invalid, 78, &["amqp.prefetch"]);
}
