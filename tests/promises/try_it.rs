//! `try`: what would become of sample events, without any broker or cloud.

mod expect;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Ended, PATIENCE, Program, binary, custom_plugin};

/// Whoever connects there fails.
const POLICY: &str = r#"
[amqp]
uri = "amqp://guest:planted@127.0.0.1:1/%2f"
[sns]
sns_host = "127.0.0.1:1"
region = "eu-west-1"
account_id = "123456789012"
presence_updates_topic = "presences"
pm_messages_topic = "private.fifo"
muc_messages_topic = "rooms"
max_message_bytes = 1000
[hosts."quiet.example".sns]
presence_updates_topic = ""
"#;

const SAMPLES: &str = r#"# A user comes.
{"type":"presence","user_id":"Alice@Example.org/phone","present":true}

{"type":"chat","from_user_id":"alice@example.org","to_user_id":"bob@example.org","message":"Hi!","id":"m-1"}
{"type":"groupchat","from_user_id":"alice@example.org","to_user_id":"tea@conference.example.org","message":"Hi all"}
  # Policy says no.
{"type":"presence","user_id":"eve@quiet.example","present":true}
{"type":"groupchat","from_user_id":"alice@example.org","to_user_id":"tea@elsewhere.example","message":"Hi"}
<message type="chat" from="alice@example.org" to="bob@example.org"><body>&lt;3</body></message>
"#;

fn arn(topic: &str) -> String {
    format!("arn:aws:sns:eu-west-1:123456789012:{topic}")
}

fn program(arguments: &[&str]) -> Program {
    let arguments = [&["try"], arguments].concat();
    Program::new(&arguments).with_file("config/local.toml", POLICY)
}

async fn tried(arguments: &[&str], samples: &[u8]) -> Ended {
    let ended = program(arguments).with_input(samples).run().await;
    assert!(!ended.all().contains("planted"), "{ended:?}");
    ended
}

fn expect(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for part in parts {
        assert!(ended.all().contains(part), "no {part:?} in\n{}", ended.all());
    }
}

fn lines(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_event_is_shown_with_topic_body_group_and_id_or_why_not() {
    for arguments in [&[][..], &["-"]] {
        let ended = tried(arguments, SAMPLES.as_bytes()).await;
        let parts = [
            &format!("line 2   presence  → {}\n", arn("presences")),
            "         {\"user_id\":\"alice@example.org\",\"present\":true}\n",
            &format!("line 4   chat  → {}\n", arn("private.fifo")),
            "         group      chat/alice@example.org,bob@example.org\n",
            "         dedup id   m-1\n",
            &format!("line 5   groupchat  → {}\n", arn("rooms")),
            "line 7   presence  skipped: topic_unset\n",
            "no presence_updates_topic is set for the sender's domain",
            "line 8   groupchat  skipped: muc_host_unmatched\n",
            "\"message\":\"<3\"}\n",
            "✓ 6 events: 4 would be published, 2 skipped, 0 dead-lettered\n",
        ];
        expect(&ended, 0, &parts);
        assert_eq!(ended.stderr, "");
        assert!(!ended.stdout.contains('\u{1b}'), "colours outside of a terminal");
    }
}

#[tokio::test]
async fn for_machines_every_event_is_one_json_object_with_all_of_it() {
    let ended = tried(&["--json"], SAMPLES.as_bytes()).await;
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let chat = json!({
        "line": 4, "kind": "chat", "outcome": "published", "topic": arn("private.fifo"),
        "body": {"from_user_id": "alice@example.org", "to_user_id": "bob@example.org", "message": "Hi!"},
        "bytes": 83, "order": "chat/alice@example.org,bob@example.org",
        "group": "chat/alice@example.org,bob@example.org", "dedup_id": "m-1",
    });
    let found = lines(&ended);
    assert_eq!(found.len(), 6);
    assert_eq!(found[1], chat);
    let skipped =
        json!({"line": 7, "kind": "presence", "outcome": "skipped", "reason": "topic_unset"});
    assert_eq!(found[3], skipped);
    // The body stands there as it would be sent.
    let body = r#""body":{"from_user_id":"alice@example.org","to_user_id":"bob@example.org","message":"Hi!"}"#;
    assert!(ended.stdout.contains(body), "{}", ended.stdout);
}

#[tokio::test]
async fn what_would_be_a_dead_letter_says_why_and_fails() {
    let long = json!({
        "type": "presence", "user_id": format!("{}@example.org", "x".repeat(1000)), "present": true,
    });
    let samples = [
        &b"{\"type\":\"presence\",\"user_id\":\"a@b\",\"present\":\"yes\"}\n"[..],
        b"{\"type\":\"chat\",\"from_user_id\":\"a@b\",\"to_user_id\":\"c@d\",\"message\":\"\xff\"}\n",
        b"\0\n\x1b]0;owned\x07\n{\n",
        long.to_string().as_bytes(),
    ]
    .concat();
    let ended = tried(&[], &samples).await;
    let parts = [
        "line 1   dead letter: undecodable\n         column 46: ",
        "line 2   dead letter: undecodable\n         column 67: ",
        "line 6   presence  dead letter: too_large\n",
        "but max_message_bytes allows 1000\n",
        &format!("topic      {}\n", arn("presences")),
        "✗ 6 events: 0 would be published, 0 skipped, 6 dead-lettered\n",
        "an event of several lines must be a file of its own",
    ];
    expect(&ended, 1, &parts);
    let obeyed = |c: char| c != '\n' && c.is_control();
    assert!(!ended.all().contains(obeyed), "{ended:?}");
    let ended = tried(&["--json"], &samples).await;
    expect(&ended, 1, &["6 of 6 would be dead letters"]);
    let last = &lines(&ended)[5];
    assert_eq!((&last["reason"], &last["topic"]), (&"too_large".into(), &arn("presences").into()));
    assert_eq!(last["outcome"], "dead_lettered");
}

#[tokio::test]
async fn a_folder_holds_one_event_in_each_file() {
    let pretty =
        "{\n  \"type\": \"presence\",\n  \"user_id\": \"a@example.org\",\n  \"present\": true\n}\n";
    let stanza = "<?xml version='1.0'?>\n<presence from='b@example.org'/>\n";
    let program = program(&["samples", "--json"])
        .with_file("samples/1-json", pretty)
        .with_file("samples/2.xml", stanza)
        .with_file("samples/.hidden", "x")
        .with_file("samples/expected.jsonl", "x")
        .with_file("samples/inner/3.xml", "x");
    let ended = program.run().await;
    expect(&ended, 0, &["ignored: `samples/inner` is a folder"]);
    let names: Vec<_> = lines(&ended).iter().map(|line| line["file"].clone()).collect();
    assert_eq!(names, ["1-json", "2.xml"]);
}

#[tokio::test]
async fn events_are_taken_as_the_named_source_takes_them() {
    let sources = "\n[amqp.sources.rooms]\nexchange = \"groupchat_msg\"\nqueue = \"r\"\nformat = \"mongooseim\"\n\
                   [amqp.sources.native]\nexchange = \"events\"\nqueue = \"n\"\nformat = \"native\"\n";
    let sample = br#"{"from_user_id":"a@b","to_user_id":"r@conference.b","message":"Hi","user":1}"#;
    let run = async |arguments: &[&str]| {
        let arguments = [&["try"], arguments].concat();
        let program = Program::new(&arguments)
            .with_file("config/local.toml", &format!("{POLICY}{sources}"))
            .with_input(sample);
        program.run().await
    };
    expect(&run(&[]).await, 2, &["--source: native, rooms"]);
    expect(
        &run(&["--source", "room"]).await,
        2,
        &["there is no source `room`; the sources are native, rooms"],
    );
    expect(&run(&["--source", "native"]).await, 1, &["`type` is missing"]);
    let key = ["--routing-key", "a@b.groupchat_msg_sent"];
    let published = [&*format!("groupchat  → {}", arn("rooms"))];
    expect(&run(&[&["--source", "rooms"], &key[..]].concat()).await, 0, &published);
    expect(&run(&[&["--exchange", "groupchat_msg"], &key[..]].concat()).await, 0, &published);
    let received = run(&["--source", "rooms", "--routing-key", "a@b.groupchat_msg_recv"]).await;
    expect(&received, 0, &["skipped: received"]);
    let forced = run(&["--source", "rooms", "--format", "native"]).await;
    expect(&forced, 1, &["`type` is missing"]);
}

#[tokio::test]
async fn content_type_and_headers_count() {
    let native = br#"{"type":"presence","user_id":"a@b","present":true}"#;
    let ended = tried(&["--content-type", "text/xml"], native).await;
    expect(&ended, 1, &["dead letter: undecodable"]);
    let headers =
        ["specversion=1.0", "id=7", "source=here", "type=x.presence", "time=2026-01-31T02:00:00Z"];
    let headers = headers.map(|header| format!("--header=cloudEvents_{header}"));
    let mut arguments: Vec<_> = headers.iter().map(String::as_str).collect();
    expect(&tried(&arguments, native).await, 0, &["presence  → "]);
    arguments.remove(1);
    expect(&tried(&arguments, native).await, 1, &["dead letter: undecodable"]);
}

#[tokio::test]
async fn a_plugins_attributes_show_and_what_sns_would_refuse_of_them_is_a_dead_letter() {
    let run = async |plugin: &str, arguments: &[&str], sample: &str| {
        let arguments = [&["try"], arguments].concat();
        let program = Program::of(custom_plugin(), &arguments)
            .with_file("config/local.toml", POLICY)
            .with("SNS__PLUGIN_MODULE", plugin)
            .with_input(sample.as_bytes());
        program.run().await
    };
    let chat = r#"{"type":"chat","from_user_id":"a@b","to_user_id":"c@d","message":"Hi!","n":1.5}"#;
    let parts =
        ["attribute  kind = \"chat\" (String)\n", "attribute  length = 3 (Number)\n", "A@B"];
    expect(&run("shouting", &[], chat).await, 0, &parts);
    let ended = run("metadata", &["--json"], chat).await;
    assert_eq!(lines(&ended)[0]["attributes"], json!({"n": {"type": "Number", "value": "1.5"}}));
    let bad = chat.replace("\"n\"", "\"a b\"");
    expect(&run("metadata", &[], &bad).await, 1, &["dead letter: rejected", "attribute `a b`"]);
}

#[tokio::test]
async fn what_can_not_be_read_is_named() {
    expect(&program(&["gone"]).run().await, 1, &["cannot read `gone`: No such file"]);
    let ended = program(&["--expect", "gone"]).run().await;
    expect(&ended, 1, &["cannot read `gone`: No such file"]);
    expect(&tried(&[], b"\n# nothing\n").await, 1, &["standard input contains no event"]);
    let empty = program(&["empty"]).with_file("empty/.keep", "").run().await;
    expect(&empty, 1, &["`empty` contains no event"]);
    let mut long = SAMPLES.as_bytes().to_vec();
    long.extend(vec![b'x'; 17 << 20]);
    let ended = program(&[]).with_memory(100_000).with_input(&long).run().await;
    expect(&ended, 1, &["line 2   presence", "line 10 of standard input is longer than 16 MiB"]);
}

#[tokio::test]
async fn wrong_arguments_are_status_2_and_invalid_configuration_78() {
    for arguments in
        [&["--format", "yaml"][..], &["--header", "novalue"], &["a", "b"], &["--frobnicate"]]
    {
        expect(&program(arguments).run().await, 2, &["--help"]);
    }
    let invalid = program(&[]).with("SNS__POOL_SIZE", "0").with_input(SAMPLES.as_bytes());
    expect(&invalid.run().await, 78, &["sns.pool_size"]);
}

#[tokio::test]
async fn whoever_has_read_enough_may_leave() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.toml"), POLICY).unwrap();
    std::fs::write(folder.path().join("samples"), SAMPLES.repeat(5000)).unwrap();
    let script = "set -o pipefail; \"$0\" try samples --config policy.toml | head -n 1";
    let mut command = Command::new("bash");
    command.args(["-c", script]).arg(binary()).env_clear().env("PATH", "/usr/bin:/bin");
    let output = command.current_dir(&folder).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    // As of a program that SIGPIPE has ended: how the other samples would end is not known.
    assert_eq!(output.status.code(), Some(141));
    assert!(output.stdout.starts_with(b"line 2   presence"), "{output:?}");
}

#[tokio::test]
async fn at_a_terminal_it_says_what_it_waits_for() {
    let event = concat!(
        r#"{"type":"presence","user_id":"Alice@Example.org/phone","present":true}"#,
        "\n\x04"
    );
    let answer = ("press Ctrl-D", event);
    let (ended, said) = program(&[]).run_at_terminal("xterm", Some(answer)).await;
    assert!(said.contains("reading events from the terminal"), "{said:?}");
    expect(&ended, 0, &["line 1   presence  → ", "✓ 1 event: 1 would be published"]);
}
