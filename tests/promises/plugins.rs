//! Policies on the running worker: scripts, what they may not do, and hosts with policies of their own.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::fake_sns::FakeSns;
use crate::support::{
    ADMIN, Admin, Event, Program, Stand, Worker, binary, custom_plugin, header, wait_for,
};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policy.rhai");

/// Stands in every event, and in no log and no error.
const MARKER: &str = "planted-7f3a";

/// A worker with a script of this text; the folder is the script's and must live as long.
async fn worker_with(stand: &Stand, sns: &FakeSns, script: &str) -> (Worker, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.rhai");
    std::fs::write(&path, script).unwrap();
    let settings = [("SNS__SNS_HOST", &*sns.url()), ("SNS__PLUGIN_MODULE", path.to_str().unwrap())];
    (Worker::start_with(stand, &settings).await, folder)
}

/// How many events the worker has skipped for a reason.
fn skipped(worker: &Worker, reason: &str) -> usize {
    let settled = worker.all("settled");
    settled.iter().filter(|it| it["outcome"] == "skipped" && it["reason"] == reason).count()
}

#[tokio::test]
async fn a_script_decides_what_is_published_as_whom_and_with_what() {
    let (stand, sns) = (Stand::new("script").await, FakeSns::start());
    sns.record();
    let settings = [("SNS__SNS_HOST", &*sns.url()), ("SNS__PLUGIN_MODULE", POLICY)];
    let worker = Worker::start_with(&stand, &settings).await;
    let of_robot = Event::chat("bot-1@h/x", "b@h", "x");
    let chat = json!({
        "type": "chat", "from_user_id": "a@h/x", "to_user_id": "b@partner.example", "message": "ho",
        "timestamp": "2026-01-31T12:00:00Z", "tenant": "blue",
    });
    stand.publish_all([of_robot, Event::json(&chat), Event::presence("a@h/x", true)]).await;
    worker.settles(3).await;
    let mut accepted = sns.accepted();
    accepted.sort_by(|a, b| a.topic.cmp(&b.topic));
    let bodies: Vec<_> = accepted.iter().map(|it| &*it.body).collect();
    let chat = r#"{"from_user_id":"a@h","to_user_id":"someone@partner.example","message":"ho","sent_at":"2026-01-31T12:00:00Z","tenant":"blue"}"#;
    assert_eq!(bodies, [chat, r#"{"user_id":"a@h","present":true}"#]);
    let length = &accepted[0].attributes["length"];
    assert_eq!((&*length.data_type, &*length.value), ("Number", "2"));
    assert_eq!(accepted[0].attributes["abroad"].value, "yes");
    assert_eq!(accepted[1].attributes["state"].value, "online");
    assert_eq!((worker.count("first_skipped"), skipped(&worker, "filtered")), (1, 1));
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_script_that_fails_costs_the_event_that_it_fails_on_and_no_other() {
    let (stand, sns) = (Stand::new("script-fails").await, FakeSns::start());
    sns.record();
    let script = "fn metadata(event) {
        switch event.text {
            `loop` => { loop {} }
            `memory` => { let a = []; let s = ``; s.pad(200000, `x`); loop { a.push(s.to_upper()); } }
            `depth` => metadata(event),
            `type` => 5,
            `throw` => { throw event.from.full; }
            `own` => #{ message: 1 },
            _ => #{}
        }
    }";
    let (worker, _folder) = worker_with(&stand, &sns, script).await;
    let cases = [
        ("loop", "takes more than 10000 operations"),
        ("memory", "goes through more of long texts and arrays than one call may"),
        ("depth", "calls functions more than 8 deep"),
        ("type", "gives a number, where it is to give a map"),
        ("throw", "throws an error, which is not shown"),
        ("own", "gives `message`, which is a field of bodies already"),
    ];
    let from = format!("{MARKER}@h/x");
    for (text, _) in cases {
        stand.publish(Event::chat(&from, "b@h", text).identified(text)).await;
    }
    stand.publish(Event::chat(&from, "b@h", "fine")).await;
    for letter in stand.take_dead_letters(cases.len()).await {
        let id = letter.properties.message_id().as_ref().unwrap().as_str();
        let (_, expected) = cases.iter().find(|(text, _)| *text == id).unwrap();
        let error = header(&letter, "event-pusher-error").unwrap();
        assert!(error.starts_with("the plugin's `metadata` "), "{id}: {error}");
        assert!(error.contains(expected) && !error.contains(MARKER), "{id}: {error}");
        assert!(id == "own" || error.contains("policy.rhai:"), "{id}: {error}");
        assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some("plugin_failed"));
        assert_eq!(header(&letter, "event-pusher-topic"), Some(stand.topic_arn("pm")));
    }
    worker.settles(cases.len() + 1).await;
    assert_eq!(sns.accepted().len(), 1);
    assert!(!worker.shows(MARKER), "the log shows the event");
    worker.logged("first_dead_lettered").await;
    assert_eq!(worker.count("first_dead_lettered"), 1);
    assert!(worker.peak_kib() < 150 * 1024, "{} KiB", worker.peak_kib());
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_bad_script_is_one_finding_with_its_place_and_neither_run_nor_check_begins() {
    let bad = [
        ("fn keep(event) {\n  tru }", "policy.rhai:2:3: there is no variable `tru`"),
        ("fn user_giud(jid) { `x` }", "policy.rhai:1:1: a plugin has no function `user_giud`"),
        ("fn keep() { true }", "policy.rhai:1:1: `keep` has 0 parameters"),
    ];
    for (text, expected) in bad {
        for command in [&["run"][..], &["check", "--offline"]] {
            let arguments = [command, &["--config", "etc/worker.toml"]].concat();
            let topic = "pm_messages_topic = \"arn:aws:sns:us-east-1:123456789012:pm\"";
            let toml = format!("\n[sns]\nplugin_module = \"policy.rhai\"\n{topic}\n");
            let program = Program::new(&arguments).with_file("etc/worker.toml", &toml);
            let ended = program.with_file("etc/policy.rhai", text).run().await;
            assert_eq!(ended.code, Some(78), "{}", ended.all());
            let place = "etc/worker.toml:3: sns.plugin_module = \"policy.rhai\"";
            let one = "1 problem in the configuration:";
            for expected in [one, place, expected] {
                assert!(ended.stderr.contains(expected), "{}", ended.all());
            }
        }
    }
    let absent = Program::new(&["check", "--offline"]).with("SNS__PLUGIN_MODULE", "absent.rhai");
    let ended = absent.run().await;
    assert_eq!(ended.code, Some(78));
    assert!(ended.stderr.contains("absent.rhai can't be read: No such file"), "{}", ended.stderr);
}

#[tokio::test]
async fn check_tries_a_script_on_sample_events() {
    let check = async |script: &str| {
        let program = Program::new(&["check", "--offline", "--config", "worker.toml"]);
        let topic = "\nsns.pm_messages_topic = \"arn:aws:sns:us-east-1:123456789012:pm\"";
        let toml = "sns.plugin_module = \"policy.rhai\"".to_owned() + topic;
        let program = program.with_file("worker.toml", &toml);
        program.with_file("policy.rhai", script).run().await
    };
    let ended = check(include_str!("../../examples/policy.rhai")).await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    ended.line("✓ plugin policy.rhai: no problem with any sample event");
    let ended = check("fn user_guid(jid) { jid.nick }").await;
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let expected = "✗ plugin policy.rhai: `user_guid`, on a presence: policy.rhai:1:25: Unknown property 'nick'";
    assert!(ended.line("✗").starts_with(expected), "{}", ended.stdout);
    let eleven = (0..11).map(|n| format!("a{n}: 1,")).collect::<Vec<_>>().concat();
    let ended = check(&format!("fn message_attributes(a, b, c, d, e) {{ #{{ {eleven} }} }}")).await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.line("gives 11 attributes").contains("raw delivery"), "{}", ended.stdout);
}

#[tokio::test]
async fn each_host_publishes_to_its_own_account_with_its_own_policy() {
    let stand = Stand::new("hosts").await;
    let (sns, elsewhere) = (FakeSns::start(), FakeSns::start());
    sns.record();
    elsewhere.record();
    let elsewhere_url = elsewhere.url();
    let secret = "planted-secret";
    let settings = [
        ("SNS__SNS_HOST", &*sns.url()),
        ("HOSTS__B.EXAMPLE__SNS__ACCESS_KEY_ID", "OTHER"),
        ("HOSTS__B.EXAMPLE__SNS__SECRET_ACCESS_KEY", secret),
        ("HOSTS__B.EXAMPLE__SNS__ACCOUNT_ID", "210987654321"),
        ("HOSTS__B.EXAMPLE__SNS__PLUGIN_MODULE", POLICY),
        ("HOSTS__C.EXAMPLE__SNS__ACCESS_KEY_ID", "OTHER"),
        ("HOSTS__C.EXAMPLE__SNS__SECRET_ACCESS_KEY", secret),
        ("HOSTS__D.EXAMPLE__SNS__SNS_HOST", &*elsewhere_url),
        ("HOSTS__E.EXAMPLE__SNS__PM_MESSAGES_TOPIC", ""),
    ];
    let worker = Worker::spawn(&stand, binary(), &settings);
    worker.logged("consuming").await;
    let hosts = ["a", "b", "c", "d", "e"];
    let events = hosts.map(|host| Event::chat(&format!("u@{host}.example"), "v@x", host));
    stand.publish_all(events.into_iter().cycle().take(50)).await;
    worker.settles(50).await;

    let own = stand.topic_arn("pm");
    let others = own.replace("123456789012", "210987654321");
    let signed = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, topic)| ((*key).into(), (*topic).into())).collect::<BTreeSet<_>>()
    };
    assert_eq!(sns.signed(), signed(&[("test", &own), ("OTHER", &others), ("OTHER", &own)]));
    assert_eq!(elsewhere.signed(), signed(&[("test", &own)]));
    assert_eq!((sns.accepted().len(), elsewhere.accepted().len()), (30, 10));
    for message in sns.accepted() {
        let text = message.body.rsplit('"').nth(1).unwrap().to_owned();
        assert_eq!(text == "b", message.topic == others, "{}", message.body);
        assert_eq!(text == "b", message.attributes.contains_key("kind"), "{}", message.body);
    }
    // Events of one topic by different keys share no request.
    let requests = |text: &str| {
        let accepted = sns.accepted();
        let of = accepted.iter().filter(|it| it.body.ends_with(&format!("\"{text}\"}}")));
        of.map(|it| it.request).collect::<BTreeSet<_>>()
    };
    assert!(requests("a").is_disjoint(&requests("c")));
    let unset = skipped(&worker, "topic_unset");
    assert_eq!((worker.count("first_skipped"), unset), (1, 10), "those of e.example");
    assert!(!worker.shows(secret));
    worker.stop().await;
    stand.leave_nothing().await;
}

/// Scripts that stood still, or ate all memory, within their bounds; and a text for them.
const ATTACKS: [(&str, &str); 7] = [
    ("replace", "t.replace(`a`, t)"),
    ("mask", "let i = 0; while i < t.len() { if t[i] == 'a' { t[i] = '*' } i += 1 }"),
    ("letter", "let u = t; loop { u[200000] = 'b' }"),
    ("crop", "loop { let u = t; u.crop(1) }"),
    ("upper", "loop { t.to_upper() }"),
    ("array", "let a = t.split(``); loop { a += a }"),
    ("slice", "loop { t[0..200000] }"),
];

#[tokio::test]
async fn no_script_holds_up_the_events_behind_or_takes_memory_within_its_bounds() {
    let (stand, sns) = (Stand::new("script-attacks").await, FakeSns::start());
    sns.record();
    let cases = ATTACKS.map(|(name, body)| format!("{name}` => {{ {body} }}")).join(", `");
    let script = format!(
        "fn keep(e) {{ let t = e.text; switch e.sender.local {{ `{cases}, _ => {{}} }} true }}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.rhai");
    std::fs::write(&path, script).unwrap();
    let settings =
        [("SNS__SNS_HOST", &*sns.url()), ("SNS__PLUGIN_MODULE", path.to_str().unwrap()), ADMIN];
    let worker = Worker::start_with(&stand, &settings).await;
    let admin = Admin::of(&worker).await;
    admin.is_ready().await;
    let before = worker.peak_kib();
    let texts = ["a".repeat(200 * 1024), "ß".repeat(100 * 1024)];
    for (name, _) in ATTACKS {
        for text in &texts {
            stand.publish(Event::chat(&format!("{name}@h/x"), "b@h", text)).await;
        }
    }
    let begun = Instant::now();
    stand.publish_all((0..50).map(|n| Event::chat("a@h/x", "b@h", &format!("innocent {n}")))).await;
    let innocents = || sns.accepted().iter().filter(|it| it.body.contains("innocent")).count();
    wait_for("the innocents", async || (innocents() == 50).then_some(())).await;
    println!("50 behind took {:?}", begun.elapsed());
    assert_eq!(admin.get("/livez").await.0, 200);
    let starved = worker.starved();
    assert!(begun.elapsed() < Duration::from_secs(2) + starved, "{:?}", begun.elapsed());
    let letters = stand.take_dead_letters(ATTACKS.len() * 2).await;
    for letter in letters {
        assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some("plugin_failed"));
        let error = header(&letter, "event-pusher-error").unwrap();
        let known = ["makes a value over the bounds", "goes through more of long texts"];
        assert!(known.iter().any(|it| error.contains(it)), "{error}");
    }
    let grown = worker.peak_kib() - before;
    assert!(grown < 32 * 1024, "{grown} KiB");
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_plugin_that_blocks_is_named_by_livez_and_once_in_the_log() {
    let stand = Stand::new("plugin-blocks").await;
    let settings = [("SNS__PLUGIN_MODULE", "sleepy"), ADMIN];
    let worker = Worker::spawn(&stand, custom_plugin(), &settings);
    let admin = Admin::of(&worker).await;
    admin.is_ready().await;
    assert_eq!(admin.get("/livez").await.0, 200);
    stand.publish(Event::chat("sleepy@h/x", "b@h", "zzz")).await;
    let body = wait_for("503", async || {
        let (status, body) = admin.get("/livez").await;
        (status == 503).then_some(body)
    })
    .await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let problem = &body["problems"][0];
    assert_eq!(
        (&problem["reason"], &problem["error"]),
        (&json!("stuck"), &json!("the plugin `sleepy` does not return"))
    );
    assert!(problem["what_to_do"].as_str().unwrap().contains("correct the plugin"), "{body}");
    let stuck = worker.logged("loop_stuck").await;
    assert!(stuck["error"].as_str().unwrap().contains("`sleepy`"), "{stuck}");
    assert_eq!(admin.get("/livez").await.0, 503);
    assert_eq!(worker.count("loop_stuck"), 1);
    worker.crash().await;
    // What it held is back once the broker has missed it.
    stand.has_ready(&stand.queue(), 1).await;
    stand.purge(&stand.queue()).await;
    stand.leave_nothing().await;
}
