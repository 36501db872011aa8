//! Operators pause a topic, a source or everything for all workers of a fleet, by commands that RabbitMQ keeps.

mod long;
mod trusted;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use serde_json::Value;

use crate::fake_sns::FakeSns;
use crate::support::{
    ADMIN, Admin, Ended, Event, Program, Stand, Worker, on_both_brokers, wait_for,
};

/// The stand's workers can be paused.
const PAUSE: (&str, &str) = ("FLEET__PAUSE", "true");

async fn worker_on(stand: &Stand, sns: &FakeSns, further: &[(&str, &str)]) -> Worker {
    let url = sns.url();
    let settings = [&[PAUSE, ADMIN, ("SNS__SNS_HOST", &*url)], further].concat();
    let worker = Worker::spawn(stand, crate::support::binary(), &settings);
    worker.logged("starting").await;
    worker
}

fn fleet(stand: &Stand, arguments: &[&str]) -> Program {
    Program::new(&[&["fleet"], arguments, &["--config", "stand.toml"]].concat())
        .with_file("stand.toml", &stand.configuration())
        .with(PAUSE.0, PAUSE.1)
        .with_variable("USER", "ann")
}

/// A command that succeeds.
async fn done(stand: &Stand, arguments: &[&str]) -> Ended {
    let ended = fleet(stand, arguments).run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    ended
}

async fn pause(stand: &Stand, target: &[&str]) -> Ended {
    done(stand, &[&["pause"], target, &["--for", "10m", "--reason", "a reason"]].concat()).await
}

async fn resume(stand: &Stand, target: &[&str]) -> Ended {
    done(stand, &[&["resume"], target].concat()).await
}

async fn pauses(stand: &Stand) -> Vec<Value> {
    let listed = done(stand, &["pauses", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    listed["pauses"].as_array().unwrap().clone()
}

/// Waits until a worker knows that something of this scope is paused, or that nothing is.
async fn knows(worker: &Worker, scope: &str, is_paused: bool) {
    let scope = format!("scope=\"{scope}\"");
    let wanted = i64::from(is_paused);
    let admin = Admin::of(worker).await;
    admin.shows("a pause", |it| it.sum("paused", &[&scope]) == wanted).await;
}

fn chats(count: usize) -> impl Iterator<Item = Event> {
    (0..count).map(|number| Event::chat("ann@h", "bob@h", &number.to_string()))
}

fn rooms(count: usize) -> impl Iterator<Item = Event> {
    let room = |number: usize| Event::groupchat("ann@h", "room@conference.h", &number.to_string());
    (0..count).map(room)
}

fn accepted(sns: &FakeSns, topic: &str) -> usize {
    sns.accepted().iter().filter(|it| it.topic.ends_with(topic)).count()
}

async fn are_accepted(sns: &FakeSns, topic: &str, count: usize) {
    let what = format!("{count} messages of {topic}");
    wait_for(&what, async || (accepted(sns, topic) >= count).then_some(())).await;
    assert_eq!(accepted(sns, topic), count, "some came twice");
}

async fn stop_all(stand: Stand, workers: impl IntoIterator<Item = Worker>) {
    for worker in workers {
        worker.stop().await;
    }
    let control = format!("{}.fleet.control", stand.id);
    let options = QueueDeleteOptions::default();
    stand.channel.queue_delete(control.as_str().into(), options).await.unwrap();
    let options = ExchangeDeleteOptions::default();
    stand.channel.exchange_delete(control.into(), options).await.unwrap();
    stand.leave_nothing().await;
}

on_both_brokers! {
    async fn a_pause_goes_on_where_somebody_deletes_the_stream_that_has_it(stand: Stand) {
        let sns = FakeSns::start();
        let worker = worker_on(&stand, &sns, &[]).await;
        worker.logged("consuming").await;
        let topic = format!("{}-muc", stand.id);
        pause(&stand, &["--topic", &topic]).await;
        knows(&worker, "topic", true).await;
        let control = format!("{}.fleet.control", stand.id);
        let options = QueueDeleteOptions::default();
        stand.channel.queue_delete(control.as_str().into(), options).await.unwrap();
        assert_eq!(worker.logged("pause_forgotten").await["what"], format!("topic {}", stand.topic_arn("muc")));
        knows(&worker, "topic", true).await;
        resume(&stand, &["--topic", &topic]).await;
        knows(&worker, "topic", false).await;
        stop_all(stand, [worker]).await;
    }

    async fn a_paused_topic_gets_nothing_from_two_workers_while_another_flows(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        // Of the second delivery of any event, nothing would be left but a dead letter.
        let settings = [("AMQP__PREFETCH", "10"), ("AMQP__DELIVERY_LIMIT", "1"), ("OUTAGE__PROBE_MAX_MS", "500")];
        let mut workers = Vec::new();
        for _ in 0..2 {
            workers.push(worker_on(&stand, &sns, &settings).await);
        }
        for worker in &workers {
            worker.logged("consuming").await;
        }
        let topic = format!("{}-muc", stand.id);
        let told = pause(&stand, &["--topic", &topic]).await;
        assert!(told.line("paused topic").contains(&stand.topic_arn("muc")), "{told:?}");
        for worker in &workers {
            knows(worker, "topic", true).await;
        }
        stand.publish_all(rooms(40)).await;
        stand.publish_all(chats(200)).await;
        are_accepted(&sns, "-pm", 200).await;
        assert_eq!(accepted(&sns, "-muc"), 0);
        let listed = pauses(&stand).await;
        let [paused] = &listed[..] else { panic!("{listed:?}") };
        assert_eq!((&paused["scope"], &paused["reason"]), (&"topic".into(), &"a reason".into()));
        assert!(paused["by"].as_str().unwrap().starts_with("ann@") && paused["via"] == "cli", "{paused}");
        for worker in &workers {
            let (status, body) = Admin::of(worker).await.ready().await;
            assert_eq!((status, &body["held"]), (200, &Value::Array(Vec::new())), "{body}");
            assert_eq!(body["paused"][0]["name"], stand.topic_arn("muc"), "{body}");
            assert_eq!(worker.count("held"), 0);
        }
        resume(&stand, &["--topic", &topic]).await;
        are_accepted(&sns, "-muc", 40).await;
        assert_eq!(stand.ready(&stand.dead_letter_queue()).await, 0);
        stop_all(stand, workers).await;
    }

    async fn a_paused_source_stays_so_in_a_new_worker_and_ends_with_nothing_spent(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let settings = [("AMQP__DELIVERY_LIMIT", "1")];
        let worker = worker_on(&stand, &sns, &settings).await;
        worker.logged("consuming").await;
        stand.publish_all(chats(20)).await;
        are_accepted(&sns, "-pm", 20).await;
        for target in [&["--source", "events"][..], &["--all"]] {
            pause(&stand, target).await;
        }
        worker.logged("source_paused").await;
        wait_for("no consumer", async || (stand.consumers(&stand.queue()).await == 0).then_some(())).await;
        stand.publish_all(chats(20)).await;
        worker.stop().await;
        // One that begins does not begin to consume.
        let worker = worker_on(&stand, &sns, &settings).await;
        let is_paused = ["source=\"events\"", "state=\"paused\""];
        let admin = Admin::of(&worker).await;
        admin.shows("a paused source", |it| it.sum("source_state", &is_paused) == 1).await;
        admin.is_ready().await;
        let told = resume(&stand, &["--all"]).await;
        assert!(told.stderr.contains("still paused: source events"), "{told:?}");
        knows(&worker, "all", false).await;
        assert_eq!((stand.ready(&stand.queue()).await, worker.count("consuming")), (20, 0));
        resume(&stand, &["--source", "events"]).await;
        are_accepted(&sns, "-pm", 40).await;
        assert_eq!(stand.ready(&stand.dead_letter_queue()).await, 0);
        stop_all(stand, [worker]).await;
    }

    async fn a_pause_ends_by_itself_and_what_is_not_there_is_refused_with_the_nearest_name(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let worker = worker_on(&stand, &sns, &[]).await;
        worker.logged("consuming").await;
        done(&stand, &["pause", "--topic", &stand.topic_arn("pm"), "--for", "2s", "--reason", "short"]).await;
        worker.logged("paused").await;
        stand.publish_all(chats(5)).await;
        worker.logged("pause_over").await;
        are_accepted(&sns, "-pm", 5).await;
        let near = format!("{}-pn", stand.id);
        for (arguments, code, said) in [
            (&["pause", "--topic", &*near, "--reason", "x"][..], 2, "did you mean"),
            (&["pause", "--source", "event", "--reason", "x"], 2, "did you mean \"events\"?"),
            (&["pause", "--all", "--for", "8d", "--reason", "x"], 2, "seven days"),
            (&["pause", "--all"], 2, "--reason"),
            (&["pause", "--reason", "x"], 2, "--all"),
            (&["resume", "--all"], 0, "everything was not paused"),
            (&["pauses"], 0, "nothing is paused"),
        ] {
            let ended = fleet(&stand, arguments).run().await;
            assert!(ended.code == Some(code) && ended.all().contains(said), "{arguments:?}: {ended:?}");
        }
        stop_all(stand, [worker]).await;
    }

    async fn the_status_of_the_fleet_shows_who_has_paused_what_and_begins_no_stream(stand: Stand) {
        let sns = FakeSns::start();
        let control = format!("{}.fleet.control", stand.id);
        let status = async |arguments: &[&str]| fleet(&stand, &[&["status"], arguments].concat()).run().await;
        let pauses = async || {
            let ended = status(&["--json"]).await;
            let shown: Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!(shown["pauses_unknown"], Value::Null, "{}", ended.all());
            (ended.code, shown["pauses"].clone())
        };
        assert_eq!(pauses().await, (Some(1), Value::Array(Vec::new())), "nobody runs, and nothing is paused");
        assert!(!stand.has_queue(&control).await, "the status declares nothing");
        let worker = worker_on(&stand, &sns, &[]).await;
        worker.logged("consuming").await;
        let before = status(&[]).await;
        assert!(before.code == Some(0) && !before.stdout.contains("paused"), "{}", before.all());
        let topic = format!("{}-muc", stand.id);
        pause(&stand, &["--topic", &topic]).await;
        let ended = status(&[]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        let line = ended.line(&format!("paused: topic {} until ", stand.topic_arn("muc")));
        assert!(line.contains(" by ann@") && line.ends_with(": a reason"), "{line}");
        let (_, shown) = pauses().await;
        let listed = Value::Array(self::pauses(&stand).await);
        assert_eq!((&shown, shown[0]["reason"].as_str()), (&listed, Some("a reason")));
        resume(&stand, &["--topic", &topic]).await;
        assert_eq!(pauses().await, (Some(0), Value::Array(Vec::new())));
        stop_all(stand, [worker]).await;
    }
}
