//! Only the workers' own user pauses them, with the key where there is one; and without the rights for it they run.

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use serde_json::json;

use super::{PAUSE, are_accepted, chats, fleet, knows, pause, pauses, stop_all, worker_on};
use crate::fake_sns::FakeSns;
use crate::support::{Admin, Event, Program, Worker, on_both_own_brokers};

/// A command as it is written, to pause everything.
fn command(fleet: &str) -> Vec<u8> {
    let at = jiff::Timestamp::now();
    let until = at + jiff::SignedDuration::from_mins(10);
    json!({
        "v": 1, "id": "00000000000000ab", "at": at, "fleet": fleet, "by": "mallory", "via": "page",
        "command": "pause", "scope": "all", "until": until, "reason": "forged",
    })
    .to_string()
    .into_bytes()
}

async fn forge(channel: &lapin::Channel, fleet: &str, user: Option<&str>) {
    let properties = BasicProperties::default();
    let properties = match user {
        Some(user) => properties.with_user_id(user.into()),
        None => properties,
    };
    let exchange = format!("{fleet}.fleet.control");
    let (options, body) = (BasicPublishOptions::default(), command(fleet));
    let sent = channel.basic_publish(exchange.into(), "".into(), options, &body, properties).await;
    sent.unwrap().await.unwrap();
}

on_both_own_brokers! {
    async fn what_another_user_or_nobody_with_the_key_has_sent_pauses_nothing(broker: &OwnBroker, stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        broker.permit_only(&stand.id, [".*"; 3]).await;
        let uri = format!("amqp://{}:planted@127.0.0.1:{}/%2f", stand.id, broker.port(0));
        let worker = worker_on(&stand, &sns, &[("AMQP__URI", &uri)]).await;
        worker.logged("consuming").await;
        // The stand's own user is another one.
        forge(&stand.channel, &stand.id, Some("guest")).await;
        forge(&stand.channel, &stand.id, None).await;
        let admin = Admin::of(&worker).await;
        let foreign = ["reason=\"foreign\""];
        admin.shows("two of another user", |it| it.sum("fleet_commands_ignored_total", &foreign) == 2).await;
        assert_eq!(admin.scrape().await.sum("paused", &[]), 0);
        worker.stop().await;

        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        std::fs::write(&key, [7; 32]).unwrap();
        let signed = [("AMQP__SIGNING_KEY_FILE", key.to_str().unwrap())];
        let worker = worker_on(&stand, &sns, &signed).await;
        worker.logged("consuming").await;
        forge(&stand.channel, &stand.id, Some("guest")).await;
        // Without the key, its own user can't either.
        pause(&stand, &["--all"]).await;
        let admin = Admin::of(&worker).await;
        let unsigned = ["reason=\"unsigned\""];
        admin.shows("all that is not signed", |it| it.sum("fleet_commands_ignored_total", &unsigned) >= 3).await;
        assert_eq!(admin.scrape().await.sum("paused", &[]), 0);
        stand.publish_all(chats(5)).await;
        are_accepted(&sns, "-pm", 5).await;
        let ended = fleet(&stand, &["pause", "--all", "--reason", "signed"]).with(signed[0].0, signed[0].1).run().await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        knows(&worker, "all", true).await;
        stop_all(stand, [worker]).await;
    }

    async fn each_right_that_pausing_needs_is_named_by_check_and_is_no_problem(broker: &OwnBroker, stand: Stand) {
        let uri = format!("amqp://{}:planted@127.0.0.1:{}/%2f", stand.id, broker.port(0));
        let check = || Program::new(&["check", "--config", "stand.toml"])
            .with_file("stand.toml", &stand.configuration())
            .with("AMQP__URI", &uri)
            .with(PAUSE.0, PAUSE.1)
            .run();
        let control = format!("{}.fleet.control", stand.id).replace('.', "\\.");
        broker.permit_only(&stand.id, [".*"; 3]).await;
        Worker::start_with(&stand, &[PAUSE, ("AMQP__URI", &uri)]).await.stop().await;
        assert!(!check().await.stdout.contains("which pausing needs"));
        for (at, word) in ["configure", "write", "read"].into_iter().enumerate() {
            let less = format!("^(?!{control}$)");
            let mut patterns = [".*"; 3];
            patterns[at] = &less;
            broker.permit_only(&stand.id, patterns).await;
            let checked = check().await;
            assert_eq!(checked.code, Some(0), "{}", checked.all());
            // The status of the fleet needs the last of them.
            let status = fleet(&stand, &["status"]).with("AMQP__URI", &uri).run().await;
            assert_eq!(status.stdout.contains("what is paused can't be seen: "), word == "read", "{}", status.all());
            assert_eq!(status.code, Some(1), "no worker runs: {}", status.all());
            let line = checked.line("which pausing needs");
            assert!(line.contains(&format!("lacks {word} on")) && line.contains(&format!("`^{control}$`")), "{line}");
            let advised: Vec<_> = checked.line("rabbitmqctl set_permissions").split('\'').collect();
            assert!([advised[5], advised[7], advised[9]].iter().all(|it| it.contains(&control)), "{advised:?}");
            let worker = Worker::start_with(&stand, &[PAUSE, ("AMQP__URI", &uri)]).await;
            worker.logged("pausing_impossible").await;
            worker.stop().await;
        }
        stop_all(stand, []).await;
    }

    async fn without_the_rights_a_worker_runs_and_says_so_once(broker: &OwnBroker, stand: Stand) {
        let others = "^(?!.*fleet)";
        broker.permit_only(&stand.id, [others; 3]).await;
        let uri = format!("amqp://{}:planted@127.0.0.1:{}/%2f", stand.id, broker.port(0));
        let worker = Worker::start_with(&stand, &[PAUSE, ("AMQP__URI", &uri)]).await;
        let said = worker.logged("pausing_impossible").await;
        assert!(said["error"].as_str().unwrap().contains("ACCESS_REFUSED"), "{said}");
        stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
        stand.receive("pm", 1).await;
        assert_eq!(worker.count("pausing_impossible"), 1);
        worker.stop().await;
        let ended = fleet(&stand, &["pause", "--all", "--reason", "x"]).with("AMQP__URI", &uri).run().await;
        assert!(ended.code == Some(1) && ended.stderr.contains("ACCESS_REFUSED"), "{ended:?}");
        assert_eq!(pauses(&stand).await.len(), 0);
        stop_all(stand, []).await;
    }
}
