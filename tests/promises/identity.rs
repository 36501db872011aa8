//! Who the broker is: `check`, the log and the page name product and version, and say which promise is weaker there.

use serde_json::Value;

use crate::support::{ADMIN, Admin, Ended, Event, Poser, Program, Stand, Worker, on_both_brokers};

const CAVEAT: &str = "broker_caveat";

async fn check(stand: &Stand, uri: &str) -> Ended {
    let program = Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration())
        .with("AMQP__URI", uri);
    let ended = program.run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    ended
}

async fn status(worker: &Worker) -> (Value, Value) {
    let admin = Admin::of(worker).await;
    admin.is_ready().await;
    let frame = admin.read("/api/status", &[]).await.json()["frame"].clone();
    (frame, admin.ready().await.1["sources"][0]["broker"].clone())
}

on_both_brokers! {
    async fn product_and_version_of_the_broker_are_named(stand: Stand) {
        let worker = Worker::start_with(&stand, &[ADMIN]).await;
        let broker = worker.logged("consuming").await["broker"].as_str().unwrap().to_owned();
        let series = if stand.is_newest() { "RabbitMQ 4.3." } else { "RabbitMQ 3.10." };
        assert!(broker.starts_with(series), "{broker}");
        let (frame, ready) = status(&worker).await;
        assert_eq!(ready, broker.as_str());
        assert_eq!(frame["brokers"], serde_json::json!([broker]));
        assert_eq!(frame["caveats"], serde_json::json!([]));
        let checked = check(&stand, &stand.amqp_uri).await;
        let line = checked.line("connected and logged in to ");
        assert_eq!(line, format!("✓ broker: connected and logged in to {broker}"));
        worker.stop().await;
        stand.leave_nothing().await;
    }
}

/// A worker on a broker that says that it is this one settles an event. Returns what it said of the broker, and what `check` did.
async fn on(stand: &Stand, product: &str, version: &str) -> (Worker, Ended) {
    let poser = Poser::start(&stand.amqp_uri, product, version).await;
    let uri = poser.instead_of(&stand.amqp_uri);
    let worker = Worker::start_with(stand, &[ADMIN, ("AMQP__URI", &*uri)]).await;
    stand.publish(Event::chat("ann@h", "bob@h", "hello")).await;
    worker.settles(1).await;
    (worker, check(stand, &uri).await)
}

#[tokio::test]
async fn on_lavinmq_it_says_what_a_quorum_queue_is_there_and_works() {
    let stand = Stand::new("lavinmq").await;
    let (worker, checked) = on(&stand, "LavinMQ", "2.9.1").await;
    assert_eq!(worker.logged("consuming").await["broker"], "LavinMQ 2.9.1");
    let said = worker.all(CAVEAT);
    let [line] = &said[..] else { panic!("one: {said:#?}") };
    assert_eq!((&line["level"], &line["broker"]), (&"WARN".into(), &"LavinMQ 2.9.1".into()));
    let caveat = line["caveat"].as_str().unwrap();
    assert!(caveat.contains("no quorum queues") && caveat.contains("ordinary"), "{caveat}");
    assert_eq!(checked.line("warning: "), format!("✓ warning: {caveat}"));
    checked.line("connected and logged in to LavinMQ 2.9.1");
    let (frame, _) = status(&worker).await;
    assert_eq!(frame["caveats"], serde_json::json!([caveat]));
    assert_ne!(
        frame["headline"]["level"], "attention",
        "a broker that is as it was is no incident"
    );
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_version_with_known_faults_is_advised_to_upgrade() {
    let stand = Stand::new("faulty-version").await;
    let (worker, checked) = on(&stand, "RabbitMQ", "4.3.1").await;
    let line = worker.logged(CAVEAT).await;
    assert!(line["caveat"].as_str().unwrap().contains("4.3.3 or newer"), "{line}");
    assert!(checked.line("warning: RabbitMQ 4.3.1").contains("4.3.3 or newer"));
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_a_broker_says_it_is_can_do_nothing_to_a_terminal() {
    let stand = Stand::new("hostile-name").await;
    let name = format!("\u{1b}[31mEvil\r\n✗ MQ\u{202e}{}", "x".repeat(1000));
    let (worker, checked) = on(&stand, &name, "\u{7}1").await;
    let broker = worker.logged("consuming").await["broker"].as_str().unwrap().to_owned();
    assert!(broker.starts_with("[31mEvil ✗ MQxxx") && broker.ends_with("… 1"), "{broker:?}");
    assert!(broker.len() < 100, "{broker}");
    assert!(checked.line("connected and logged in to ").ends_with(&broker), "{checked:?}");
    assert!(checked.line("warning: ").contains("tested with RabbitMQ only"), "{checked:?}");
    worker.stop().await;
    stand.leave_nothing().await;
}
