//! All that is wrong is told in one go, and what is not concerned is looked at all the same.

use std::path::Path;

use crate::support::{Authority, Ended, Program, Stand};

/// Wrong and mended lines of a configuration, and what is said of the wrong one.
const LINES: &[(&str, &str, &str)] = &[
    // Files that it names.
    (
        "sns.plugin_module = \"gone.rhai\"",
        "sns.plugin_module = \"policy.rhai\"",
        "gone.rhai can't be read",
    ),
    (
        "hosts.\"h.example\".sns.plugin_module = \"broken.rhai\"",
        "hosts.\"h.example\".sns.plugin_module = \"policy.rhai\"",
        "broken.rhai:",
    ),
    (
        "amqp.signing_key_file = \"short.key\"",
        "amqp.signing_key_file = \"long.key\"",
        "and a key needs 32",
    ),
    ("amqp.ca_file = \"gone.pem\"", "amqp.ca_file = \"authority.pem\"", "amqp.ca_file gone.pem"),
    (
        "amqp.cert_file = \"broken.rhai\"",
        "amqp.cert_file = \"client.pem\"",
        "amqp.cert_file broken.rhai",
    ),
    ("amqp.key_file = \"none.pem\"", "amqp.key_file = \"client.key\"", "amqp.key_file none.pem"),
    // Values, and what belongs together.
    (
        "amqp.uri = \"amqps://h/?hearbeat=5&frame_max=1\"",
        "amqp.uri = \"amqps://h/\"",
        "its parameter `frame_max`",
    ),
    (
        "amqp.sources.Chat.queue = \"amq.chat\"",
        "amqp.sources.chat.queue = \"chat\"",
        "begins with `amq.`",
    ),
    (
        "amqp.sources.more.queue = \"event-pusher-sns.dead\"",
        "amqp.sources.more.queue = \"more\"",
        "is amqp.dead_letter_queue as well",
    ),
    ("sns.acount_id = \"1\"", "sns.account_id = \"123456789012\"", "must be 12 digits"),
    ("sns.region = \"eu-west1\"", "sns.region = \"eu-west-1\"", "names no region"),
    ("sns.pm_messages_topic = \"p m\"", "sns.pm_messages_topic = \"pm\"", "in its topic name"),
    ("sns.publish_retry_count = 25", "sns.publish_retry_count = 5", "lets one event take"),
    (
        "sns.attempt_timeout_ms = \"10s\"",
        "sns.attempt_timeout_ms = 10000",
        "must be a whole number, not a text",
    ),
    ("log.filter = \"inof,hyper=wran\"", "log.filter = \"info,hyper=warn\"", "has \"wran\""),
    (
        "admin.token = \"short\"",
        "admin.token = \"long-enough-that-nobody-guesses\"",
        "admin.token has fewer",
    ),
    (
        "hosts.\"a@b\".sns.muc_hots = \"x y\"",
        "hosts.\"a.b\".sns.muc_host = \"x.y\"",
        "hosts.\"a@b\".sns.muc_host\n",
    ),
];

fn program(arguments: &[&str], lines: impl Iterator<Item = &'static str>) -> Program {
    let toml = lines.collect::<Vec<_>>().join("\n");
    let arguments = [arguments, &["--config", "mine.toml"]].concat();
    let program = Program::new(&arguments)
        .with_file("mine.toml", &toml)
        .with_file("policy.rhai", "fn user_guid(user) { user.bare }")
        .with_file("broken.rhai", "fn user_guid(user) {")
        .with_file("short.key", "abc")
        .with_file("long.key", &"k".repeat(64));
    let files = Authority::create(program.directory());
    let place = |from: String, to: &str| {
        std::fs::copy(Path::new(&from), program.directory().join(to)).unwrap();
    };
    place(files.certificate("authority"), "authority.pem");
    place(files.certificate("client"), "client.pem");
    place(files.key("client"), "client.key");
    program
}

#[tokio::test]
async fn values_and_the_files_that_they_name_are_mended_in_one_round() {
    for command in [&["run"][..], &["check", "--offline"]] {
        let ended = program(command, LINES.iter().map(|it| it.0)).run().await;
        assert_eq!(ended.code, Some(78), "{}", ended.all());
        for (line, _, said) in LINES {
            assert!(ended.all().contains(said), "{command:?}: {line}: {}", ended.all());
        }
    }
    let mended = program(&["check", "--offline"], LINES.iter().map(|it| it.1)).run().await;
    assert_eq!(mended.code, Some(0), "{}", mended.all());
}

async fn check(stand: &Stand, settings: &[(&str, &str)]) -> Ended {
    let program = Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration());
    settings.iter().fold(program, |it, (key, value)| it.with(key, value)).run().await
}

#[tokio::test]
async fn what_is_wrong_on_one_side_does_not_keep_the_other_from_being_asked() {
    let stand = Stand::new("one-go").await;
    let ended = check(&stand, &[("SNS__POOL_SIZE", "0"), ("SNS__PM_MESSAGES_TOPIC", "a b")]).await;
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    assert!(ended.stderr.starts_with("2 problems in the configuration:"), "{}", ended.stderr);
    ended.line("✓ broker: connected and logged in to RabbitMQ");
    ended.line(&format!("✓ queue `{}` (quorum): does not exist yet", stand.queue()));
    for topic in ["presence", "muc"] {
        assert!(ended.line(&stand.topic_arn(topic)).ends_with(": exists"));
    }
    assert!(!ended.stdout.contains("sns.pm_messages_topic is not set"), "{}", ended.stdout);
    ended.line("– topics: those that have problems in the configuration are not asked for");
    assert!(ended.stdout.ends_with("\n2 problems, 2 of them in the configuration\n"));

    let broken = [("AMQP__URI", "amqp://h/?heartbeat=x"), ("SNS__MUC_MESSAGES_TOPIC", "gone")];
    let ended = check(&stand, &broken).await;
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    ended.line("– RabbitMQ: not asked, because of problems in [amqp]");
    ended.line("✗ topic");
    for topic in ["presence", "pm"] {
        assert!(ended.line(&stand.topic_arn(topic)).ends_with(": exists"));
    }
    assert!(ended.stdout.ends_with("\n2 problems, 1 of them in the configuration\n"));

    // Where it is not known what should be there, one can log in all the same, or not.
    let unknown = ("AMQP__QUEUE_TYPE", "qorum");
    let ended = check(&stand, &[unknown]).await;
    ended.line("✓ broker: connected and logged in to RabbitMQ");
    ended.line("– exchanges and queues: not looked at");
    assert!(!ended.stdout.contains(&stand.queue()), "{}", ended.stdout);
    let wrong = stand.amqp_uri.replacen("guest:guest@", "guest:planted@", 1);
    let ended = check(&stand, &[unknown, ("AMQP__URI", &wrong)]).await;
    ended.line("✗ cannot connect to RabbitMQ");
    assert!(!ended.all().contains("planted"), "{}", ended.all());
    stand.leave_nothing().await;
}

/// However many topics, regions and domains it concerns.
#[tokio::test]
async fn one_fault_of_credentials_is_one_problem() {
    let stand = Stand::new("one-fault").await;
    let arn = |region: &str| format!("arn:aws:sns:{region}:123456789012:t");
    let topics = ["us-east-1", "eu-west-1", "eu-west-2"].map(arn);
    let settings = [
        ("SNS__ACCESS_KEY_ID", ""),
        ("SNS__SECRET_ACCESS_KEY", ""),
        ("SNS__PRESENCE_UPDATES_TOPIC", &*topics[0]),
        ("SNS__PM_MESSAGES_TOPIC", &topics[1]),
        ("SNS__MUC_MESSAGES_TOPIC", &topics[2]),
        // Another endpoint, and the same credentials.
        ("HOSTS__H_DOT_EXAMPLE__SNS__SNS_HOST", "localhost:1"),
    ];
    let program = Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration())
        .with_variable("AWS_EC2_METADATA_DISABLED", "true");
    let program = settings.iter().fold(program, |it, (key, value)| it.with(key, value));
    let ended = program.with_variable("HOME", "/nonexistent").run().await;
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let line = ended.line("✗ ");
    assert!(line.contains("credentials: there are none"), "{line}");
    for topic in &topics {
        assert_eq!(line.matches(topic.as_str()).count(), 2, "{line}");
    }
    assert!(ended.stdout.ends_with("\n1 problem\n"), "{}", ended.stdout);
    stand.leave_nothing().await;
}
