//! The program as a shell, a service manager or a script meets it.

use crate::support::{Ended, Program, Stand, Worker, binary};

/// A configuration that is valid, and leads to nothing that answers.
const LEADS_NOWHERE: &str = r#"
[amqp]
uri = "amqp://guest:planted-password@127.0.0.1:1/%2f"
[sns]
sns_host = "127.0.0.1:1"
access_key_id = "AKIAEXAMPLE"
secret_access_key = "planted-secret"
session_token = "planted-session"
pm_messages_topic = "arn:aws:sns:us-east-1:123456789012:pm"
[admin]
token = "planted-token-of-some-length"
"#;

/// Without one, a worker refuses to start.
const TOPIC: (&str, &str) = ("SNS__PM_MESSAGES_TOPIC", "arn:aws:sns:us-east-1:123456789012:pm");

fn assert_no_secret(text: &str) {
    assert!(!text.contains("planted"), "a secret shows in\n{text}");
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

/// Invalid configuration: status 78, and no secret. Only `check` has more to say, of what is not concerned.
fn assert_invalid(command: &str, ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(command == "check" || ended.stdout.is_empty(), "{ended:?}");
    assert!(!ended.stdout.contains("configuration: valid"), "{ended:?}");
    assert_says(&ended.stderr, parts);
    assert_no_secret(&ended.all());
}

#[tokio::test]
async fn all_problems_come_at_once_each_with_its_source_and_a_remedy() {
    let file = "[sns]\nregoin = \"eu-west-1\"\npool_size = 0\nsecret_acces_key = \"planted\"\n\
                [amqp]\nuri = \"http://guest:planted@127.0.0.1/\"\n";
    for command in [&["run", "--config", "mine.toml"][..], &["check", "--config", "mine.toml"]] {
        let ended = Program::new(command)
            .with_file("mine.toml", file)
            .with("SNS__PM_MESSAGE_TOPIC", "pm")
            .with("AMQP__PREFETCH", "many")
            .run()
            .await;
        let expected = [
            "8 problems in the configuration:",
            "mine.toml:2: sns.regoin\n",
            "did you mean `sns.region`?",
            "mine.toml:3: sns.pool_size = 0\n",
            "remedy: give a number in that range",
            "mine.toml:4: sns.secret_acces_key\n",
            "did you mean `sns.secret_access_key`?",
            "mine.toml:6: amqp.uri\n",
            "remedy: write amqp://user:password@host:port/vhost",
            "environment variable EVENT_PUSHER__AMQP__PREFETCH: amqp.prefetch = \"many\"\n",
            "environment variable EVENT_PUSHER__SNS__PM_MESSAGE_TOPIC: sns.pm_message_topic\n",
            "did you mean `EVENT_PUSHER__SNS__PM_MESSAGES_TOPIC`?",
            // What shows once the misspelt keys are spelt right.
            "default: sns.access_key_id = \"\"\n      is unset, but sns.secret_access_key is given",
            "default: sns.account_id = \"\"\n      is unset, but needed to build the ARN of sns.pm_messages_topic",
        ];
        assert_invalid(command[0], &ended, &expected);
        assert_eq!(ended.stderr.matches("remedy: ").count(), 8, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_file_that_is_asked_for_must_be_there() {
    let ended = Program::new(&["run", "--config", "gone.toml", "--config", "too.toml"]).run().await;
    assert_invalid(
        "run",
        &ended,
        &["gone.toml\n", "too.toml\n", "No such file", "remedy: name a file"],
    );
}

#[tokio::test]
async fn a_broken_log_filter_is_an_invalid_configuration_for_every_command() {
    for command in [&["run"][..], &["check"], &["check", "--offline"]] {
        let program = Program::new(command).with_file("config/local.toml", LEADS_NOWHERE);
        let ended = program.with("LOG__FILTER", "info,=,!").run().await;
        assert_invalid(command[0], &ended, &["log.filter", "target=level"]);
    }
}

#[tokio::test]
async fn wrong_arguments_are_status_2_with_a_hint_at_help() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["run", "--frobnicate"],
        &["run", "--offline"],
        &["check", "--config"],
        &["run", "now"],
    ] {
        let ended = Program::new(arguments).run().await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert_says(&ended.stderr, &["--help"]);
    }
}

#[tokio::test]
async fn the_help_lists_commands_and_exit_statuses_even_with_a_broken_configuration() {
    for arguments in [&["--help"][..], &["help"], &["-h"]] {
        let program = Program::new(arguments).with_file("config/local.toml", "[broken planted");
        let ended = program.with("ADMIN__TOKEN", "planted").run().await;
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{arguments:?}");
        assert_says(
            &ended.stdout,
            &[
                "\n  run           Run",
                "\n  check         Check",
                "\n  try           Show",
                "\n  feed          Publish",
                "\n  dead-letters  List",
                "--config <FILE>",
                "EVENT_PUSHER__SNS__REGION",
                "0 success; 1 failure while running; 2 wrong arguments; 78 invalid configuration",
            ],
        );
        assert_no_secret(&ended.all());
    }
    let ended = Program::new(&["--version"]).run().await;
    let version = concat!("event-pusher-sns ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((ended.code, &*ended.stdout), (Some(0), version));
}

#[tokio::test]
async fn no_secret_shows_in_what_check_finds() {
    let ended = Program::new(&["check"]).with_file("config/local.toml", LEADS_NOWHERE).run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_says(&ended.stdout, &["✗ cannot connect", "✗ topic arn:aws:sns:us-east-1"]);
    assert_no_secret(&ended.all());
}

#[tokio::test]
async fn no_secret_shows_in_the_log_of_a_worker_that_fails_on_both_sides() {
    let stand = Stand::new("secrets").await;
    let refused = stand.amqp_uri.replacen("guest:guest@", "guest:planted-password@", 1);
    assert_ne!(refused, stand.amqp_uri);
    let filter = ("LOG__FILTER", "debug");
    let worker = Worker::spawn(&stand, binary(), &[("AMQP__URI", &refused), filter]);
    let refusal = worker.logged("not_consuming").await["error"].to_string();
    assert!(refusal.contains("check user and password in amqp.uri"), "{refusal}");
    let secrets = [
        ("SNS__SNS_HOST", "127.0.0.1:1"),
        ("SNS__SECRET_ACCESS_KEY", "planted-secret"),
        ("SNS__SESSION_TOKEN", "planted-session"),
        ("ADMIN__TOKEN", "planted-token"),
        ("SHUTDOWN__GRACE_MS", "0"),
        filter,
    ];
    let other = Worker::start_with(&stand, &secrets).await;
    stand.publish(crate::support::Event::chat("alice@localhost", "bob@localhost", "hi")).await;
    other.logged("held").await;
    for worker in [worker, other] {
        worker.signal(nix::sys::signal::Signal::SIGTERM);
        worker.logged("stopped").await;
        assert_no_secret(&format!("{:#?}", worker.log()));
    }
    // What is held goes back.
    stand.has_ready(&stand.queue(), 1).await;
    stand.purge(&stand.queue()).await;
    stand.leave_nothing().await;
}

/// `check --offline` shows the name of the exchange, and so which layer won.
async fn exchange_of(program: Program) -> String {
    let ended = program.run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (_, sources) = ended.stdout.split_once("sources: events (").unwrap();
    sources.split(' ').next().unwrap().to_owned()
}

fn exchange(name: &str) -> String {
    format!("[amqp.sources.events]\nexchange = \"{name}\"\n")
}

#[tokio::test]
async fn a_later_file_wins_over_an_earlier_one_and_the_environment_over_both() {
    let check = |files: &[&str]| {
        let mut arguments = vec!["check", "--offline"];
        for file in files {
            arguments.extend(["--config", file]);
        }
        Program::new(&arguments)
            .with(TOPIC.0, TOPIC.1)
            .with_file("a.toml", &exchange("from.a"))
            .with_file("b.toml", &exchange("from.b"))
            .with_file("other.toml", "[log]\nformat = \"json\"\n")
            .with_file("config/local.toml", &exchange("from.local"))
    };
    assert_eq!(exchange_of(check(&[])).await, "from.local");
    assert_eq!(exchange_of(check(&["a.toml"])).await, "from.a");
    assert_eq!(exchange_of(check(&["a.toml", "b.toml"])).await, "from.b");
    assert_eq!(exchange_of(check(&["b.toml", "a.toml"])).await, "from.a");
    assert_eq!(exchange_of(check(&["a.toml", "other.toml"])).await, "from.a");
    assert_eq!(exchange_of(check(&["other.toml"])).await, "chat.events");
    let environment = |it: Program| it.with("AMQP__SOURCES__EVENTS__EXCHANGE", "from.environment");
    for files in [&[][..], &["a.toml", "b.toml"]] {
        assert_eq!(exchange_of(environment(check(files))).await, "from.environment");
    }
}

#[tokio::test]
async fn without_any_file_the_defaults_lack_nothing_but_a_topic() {
    let program = Program::new(&["check", "--offline"]).with(TOPIC.0, TOPIC.1);
    assert_eq!(exchange_of(program).await, "chat.events");
}
