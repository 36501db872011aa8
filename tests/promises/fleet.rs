//! Workers of one fleet see each other, and nobody else speaks in their names.

mod auto_rate;
mod long;
mod replays;
mod trust;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{
    ADMIN, Admin, Ended, Event, Program, Stand, Worker, on_both_brokers, on_both_own_brokers,
    wait_for,
};

impl Stand {
    /// The exchange of its workers.
    fn fleet(&self) -> String {
        format!("{}.fleet", self.id)
    }
}

/// A worker with a page.
async fn member(stand: &Stand, settings: &[(&str, &str)]) -> (Worker, Admin) {
    let worker = Worker::start_with(stand, &[&[ADMIN], settings].concat()).await;
    let admin = Admin::of(&worker).await;
    (worker, admin)
}

/// What the page shows.
async fn frame(admin: &Admin) -> Value {
    admin.read("/api/status", &[]).await.json()["frame"].clone()
}

fn workers(fleet: &Value) -> &Vec<Value> {
    fleet["workers"].as_array().unwrap_or_else(|| panic!("no fleet: {fleet}"))
}

/// Waits until the page shows a fleet that is as wanted, and returns it.
async fn shows(admin: &Admin, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, async || Some(frame(admin).await["fleet"].take()).filter(&wanted)).await
}

async fn status(stand: &Stand, settings: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let arguments = [&["fleet", "status", "--config", "stand.toml"], arguments].concat();
    let program = Program::new(&arguments).with_file("stand.toml", &stand.configuration());
    settings.iter().fold(program, |program, (key, value)| program.with(key, value)).run().await
}

on_both_brokers! {
    async fn three_workers_see_each_other_and_what_one_has_otherwise_is_named(stand: Stand) {
        let (one, admin) = member(&stand, &[]).await;
        let alone = shows(&admin, "a worker alone", |it| it["link"]["state"] == "joined").await;
        assert_eq!((workers(&alone).len(), &alone["workers"][0]["is_this"]), (1, &Value::Bool(true)));
        let (two, _) = member(&stand, &[]).await;
        let (three, other) = member(&stand, &[("SHUTDOWN__GRACE_MS", "7000")]).await;
        for admin in [&admin, &other] {
            let fleet = shows(admin, "three workers", |it| {
                workers(it).len() == 3 && workers(it).iter().all(|it| it["state"] == "ready")
            })
            .await;
            let differing: Vec<_> =
                workers(&fleet).iter().filter(|it| it["differs_in"] != Value::Array(vec![])).collect();
            assert_eq!(differing.len(), 1, "{fleet}");
            assert_eq!(differing[0]["differs_in"], serde_json::json!(["shutdown.grace_ms"]));
            assert!(fleet.to_string().find("7000").is_none(), "no value is told: {fleet}");
            admin.shows("three that are heard", |it| it.sum("fleet_workers", &[]) == 3).await;
        }
        let points = frame(&admin).await["headline"]["points"].clone();
        let point = points.as_array().unwrap().iter().find(|it| it["runbook"] == "workers-differ");
        let point = point.unwrap_or_else(|| panic!("{points}"));
        assert!(point["what"].to_string().contains("shutdown.grace_ms"), "{point}");
        stand.publish_all((0..30).map(|it| Event::chat("ann@h", "bob@h", &it.to_string()))).await;
        stand.receive("pm", 30).await;
        // All that each of them has taken, in the sums of any.
        shows(&other, "the books of all", |it| {
            let books = &it["sums"]["books"];
            books["received"] == 30 && books["published"] == 30 && it["sums"]["unaccounted"] == 0
        })
        .await;
        let ended = status(&stand, &[], &["--json"]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        let fleet: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((workers(&fleet).len(), &fleet["sums"]["books"]["published"]), (3, &30.into()));
        let ended = status(&stand, &[], &[]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        ended.line("3 workers of the fleet");
        ended.line("shutdown.grace_ms");
        // Who ends in order leaves at once, and is not silent first.
        two.stop().await;
        let fleet = shows(&admin, "two workers", |it| workers(it).len() == 2).await;
        assert_eq!(fleet["sums"]["silent"], 0, "{fleet}");
        three.stop().await;
        one.stop().await;
        wait_for("nothing that outlives them", async || {
            (!stand.has_exchange(&stand.fleet()).await).then_some(())
        })
        .await;
        let ended = status(&stand, &[], &[]).await;
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{}", ended.all());
        assert!(ended.stderr.contains("no worker of the fleet"), "{}", ended.all());
        stand.leave_nothing().await;
    }

    async fn a_worker_without_the_view_says_nothing_of_itself(stand: Stand) {
        let (one, admin) = member(&stand, &[("FLEET__VIEW", "false")]).await;
        assert_eq!(frame(&admin).await["fleet"], Value::Null);
        let (two, other) = member(&stand, &[]).await;
        let fleet = shows(&other, "a worker alone", |it| it["link"]["state"] == "joined").await;
        assert_eq!(workers(&fleet).len(), 1, "{fleet}");
        let watching = Program::new(&["fleet", "status", "--watch", "--config", "stand.toml"])
            .with_file("stand.toml", &stand.configuration())
            .start();
        wait_for("a handler", async || watching.catches(Signal::SIGINT).then_some(())).await;
        watching.signal(Signal::SIGINT);
        let ended = watching.wait().await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        one.stop().await;
        two.stop().await;
        stand.leave_nothing().await;
    }
}

on_both_own_brokers! {
    async fn a_worker_without_the_rights_runs_without_the_view_and_check_names_them(broker: &OwnBroker, stand: Stand) {
        let others = format!("^(?!{}\\.fleet)", stand.id);
        broker.permit_only(&stand.id, [&others, &others, &others]).await;
        let uri = format!("amqp://{}:planted@127.0.0.1:{}/%2f", stand.id, broker.port(0));
        let (worker, admin) = member(&stand, &[("AMQP__URI", &uri)]).await;
        let said = worker.logged("fleet_forbidden").await;
        assert!(said["level"] == "WARN" && said["error"].to_string().contains("ACCESS_REFUSED"), "{said}");
        let fleet = shows(&admin, "why", |it| it["link"]["state"] == "forbidden").await;
        assert_eq!(workers(&fleet).len(), 1, "{fleet}");
        stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
        stand.receive("pm", 1).await;
        let check = Program::new(&["check", "--config", "stand.toml"])
            .with_file("stand.toml", &stand.configuration())
            .with("AMQP__URI", &uri)
            .run()
            .await;
        assert_eq!(check.code, Some(0), "{}", check.all());
        let line = check.line("✓ fleet: ");
        let pattern = format!("`^{}\\.fleet(\\..+)?$`", stand.id);
        for part in [
            &*format!("configure on exchange `{}`", stand.fleet()),
            &format!("write on exchange `{}`", stand.fleet()),
            &format!("read on queues `{}.*`", stand.fleet()),
            &pattern,
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let ended = status(&stand, &[("AMQP__URI", &uri)], &[]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        assert!(ended.stderr.contains("may not listen to the fleet"), "{}", ended.all());
        assert_eq!(worker.count("fleet_forbidden"), 1);
        worker.stop().await;
        // What check names is enough.
        let pattern = pattern.trim_matches('`');
        let all = format!("({others}|{pattern})");
        broker.permit_only(&stand.id, [&all, &all, &all]).await;
        let (worker, admin) = member(&stand, &[("AMQP__URI", &uri)]).await;
        admin.shows("itself", |it| it.sum("fleet_workers", &[]) == 1).await;
        worker.stop().await;
        stand.leave_nothing().await;
    }
}
