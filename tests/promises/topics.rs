//! What no topic is set for is not taken and thrown away unasked.

use lapin::options::QueueDeleteOptions;

use crate::support::{
    ADMIN, Admin, Ended, Event, Program, Stand, Worker, binary, quorum, wait_for,
};

const ARN: &str = "arn:aws:sns:us-east-1:123456789012:pm";
const PRESET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/mongooseim.toml");

/// Nothing listens there.
const NOWHERE: (&str, &str) = ("AMQP__URI", "amqp://127.0.0.1:1/%2f");

fn assert_refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    assert!(!ended.stdout.contains("✗ source"), "said twice: {}", ended.all());
    for part in parts {
        assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
    }
}

#[tokio::test]
async fn without_any_topic_check_and_run_refuse_and_say_what_to_set() {
    for command in [&["run"][..], &["check"], &["check", "--offline"]] {
        let ended = Program::new(command).with(NOWHERE.0, NOWHERE.1).run().await;
        let keys = ["presence_updates_topic", "pm_messages_topic", "muc_messages_topic"];
        for key in keys.map(|key| format!("sns.{key}")) {
            assert_refused(&ended, &[&key]);
        }
        let others = ["1 problem", "events", "[hosts.", "sns.muc_topics", "discard = true"];
        assert_refused(&ended, &others);
    }
}

#[tokio::test]
async fn a_topic_of_a_host_or_of_rooms_alone_is_enough_and_one_of_other_kinds_is_none() {
    let rooms = "[sns.muc_topics]\n\"rooms.example\" = ";
    let host = "[hosts.\"a.example\".sns]\npresence_updates_topic = ";
    for text in [rooms, host] {
        let program = Program::new(&["check", "--offline"]);
        let file = format!("{text}\"{ARN}\"\n");
        let ended = program.with_file("config/local.toml", &file).run().await;
        assert_eq!(ended.code, Some(0), "{text}: {}", ended.all());
        // These carry private messages only.
        let program = Program::new(&["check", "--offline"]).with_file("config/local.toml", &file);
        let ended = program.with("AMQP__SOURCES__EVENTS__FORMAT", "mongooseim-chat").run().await;
        assert_refused(&ended, &["sns.pm_messages_topic"]);
        assert!(!ended.stderr.contains("muc_topics"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn what_publishes_nothing_works_without_a_topic() {
    let event = br#"{"type":"chat","from_user_id":"a@h","to_user_id":"b@h","message":"hi"}"#;
    let ended = Program::new(&["try"]).with_input(event).run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.stdout.contains("topic_unset"), "{}", ended.all());
    let unreachable = ["dead-letters", "list"];
    let ended = Program::new(&unreachable).with(NOWHERE.0, NOWHERE.1).run().await;
    assert_eq!(ended.code, Some(1), "{}", ended.all());
}

#[tokio::test]
async fn a_source_that_may_discard_is_no_problem_without_a_topic() {
    let program = Program::new(&["check", "--offline"]);
    let ended = program.with("AMQP__SOURCES__EVENTS__DISCARD", "true").run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    ended.line("✓ source events: discard = true");
}

#[tokio::test]
async fn the_preset_with_one_topic_of_three_names_the_two_sources_without_one() {
    let program = Program::new(&["check", "--offline", "--config", PRESET]);
    let ended = program.with("SNS__PM_MESSAGES_TOPIC", ARN).run().await;
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(ended.stdout.ends_with("\n2 problems\n"), "{}", ended.stdout);
    for (source, key) in [("presence", "presence_updates"), ("groupchat", "muc_messages")] {
        let line = ended.line(&format!("✗ source {source}:"));
        assert!(line.contains(&format!("sns.{key}_topic")), "{line}");
        assert!(line.contains(&format!("`event-pusher-sns.{source}`")), "{line}");
        assert!(line.contains("discard = true"), "{line}");
    }
}

#[tokio::test]
async fn a_variable_that_empties_a_topic_of_a_file_is_found() {
    let file = "[sns]\nregion = \"eu-west-1\"\naccount_id = \"123456789012\"\n\
                pm_messages_topic = \"pm\"\nmuc_messages_topic = \"muc\"\n";
    let check = |more: &[(&str, &str)]| {
        let program = Program::new(&["check", "--offline"]).with_file("config/local.toml", file);
        more.iter().fold(program, |it, (key, value)| it.with(key, value)).run()
    };
    let pm = ("SNS__PM_MESSAGES_TOPIC", "");
    let ended = check(&[pm, ("SNS__PRESENCE_UPDATES_TOPIC", "")]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let line = ended.line("✗ ");
    for part in ["EVENT_PUSHER__SNS__PM_MESSAGES_TOPIC is empty", "config/local.toml:4"] {
        assert!(line.contains(part), "{line}");
    }
    let ended = check(&[pm, ("SNS__MUC_MESSAGES_TOPIC", " ")]).await;
    assert_refused(&ended, &["1 problem", "PM_MESSAGES_TOPIC is empty", "config/local.toml:5"]);
}

#[tokio::test]
async fn a_source_without_a_topic_is_neither_declared_nor_consumed_and_the_worker_is_ready() {
    let stand = Stand::new("topics").await;
    // Somebody has made the one queue, and an event waits there.
    let (rooms, presence) = (format!("{}.rooms", stand.id), format!("{}.presence", stand.id));
    stand.declare_queue(&rooms, quorum()).await;
    stand.publish_to("", Event::new("{}").routed(&rooms)).await;
    let settings = [
        ADMIN,
        ("SNS__PRESENCE_UPDATES_TOPIC", ""),
        ("SNS__MUC_MESSAGES_TOPIC", ""),
        ("AMQP__SOURCES__ROOMS__EXCHANGE", &rooms),
        ("AMQP__SOURCES__ROOMS__QUEUE", &rooms),
        ("AMQP__SOURCES__ROOMS__FORMAT", "mongooseim-groupchat"),
        ("AMQP__SOURCES__PRESENCE__EXCHANGE", "presence"),
        ("AMQP__SOURCES__PRESENCE__QUEUE", &presence),
        ("AMQP__SOURCES__PRESENCE__FORMAT", "mongooseim"),
    ];
    let worker = Worker::spawn(&stand, binary(), &settings);
    let admin = Admin::of(&worker).await;
    admin.is_ready().await;
    stand.publish(Event::chat("alice@localhost", "bob@localhost", "hi")).await;
    stand.receive("pm", 1).await;

    assert_eq!((stand.ready(&rooms).await, stand.consumers(&rooms).await), (1, 0));
    assert!(!stand.has_queue(&presence).await && !stand.has_exchange(&rooms).await);
    worker.logged_times("topic_emptied", 2).await;
    worker.logged_times("source_without_topic", 2).await;
    let said = worker.all("source_without_topic");
    let keys = |source: &str| {
        let line = said.iter().find(|line| line["source"] == source).unwrap();
        line["keys"].as_str().unwrap().to_owned()
    };
    assert_eq!(keys("presence"), "sns.presence_updates_topic");
    assert!(keys("rooms").contains("sns.muc_messages_topic"), "{said:?}");
    shows_its_state(&admin, "rooms").await;
    shows_its_state(&admin, "presence").await;
    worker.stop().await;
    stand.purge(&rooms).await;
    let deleted = stand.channel.queue_delete(rooms.as_str().into(), QueueDeleteOptions::default());
    assert_eq!(deleted.await.unwrap(), 0);
    stand.leave_nothing().await;
}

/// On the page, to scripts and in metrics; and there is no backlog that would alarm anyone.
async fn shows_its_state(admin: &Admin, source: &str) {
    let label = format!("source=\"{source}\"");
    let scrape = admin
        .shows("the state of a source", |it| {
            it.sum("source_state", &[&label, "state=\"no_topic\""]) == 1
        })
        .await;
    assert_eq!(scrape.sum("source_state", &[&label]), 1);
    assert!(!scrape.has("backlog", &[&label]) && !scrape.has("queue_ready", &[&label]));
    assert_eq!(scrape.sum("connected", &[]), 1);
    let status = wait_for("a status with the source's state", async || {
        let status = admin.read("/api/status", &[]).await.json()["frame"].take();
        let sources = status["sources"].as_array()?;
        let state = &sources.iter().find(|it| it["name"] == source)?["state"];
        (state == "no_topic").then_some(status)
    })
    .await;
    assert_eq!(status["headline"]["level"], "attention", "{status}");
    let points = status["headline"]["points"].to_string();
    assert!(points.contains(&format!("source {source} is not consumed")), "{points}");
}
