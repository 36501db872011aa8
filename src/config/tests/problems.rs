//! Every problem is found, placed, explained and remedied.

use super::{load, load_files, problems};

/// Asserts that there is exactly one problem, and what its three lines say.
pub(super) fn assert_one(toml: &str, lines: [&str; 3]) {
    assert_one_with(toml, &[], lines);
}

pub(super) fn assert_one_with(
    toml: &str,
    environment: &[(&str, &str)],
    [place, wrong, remedy]: [&str; 3],
) {
    let expected = format!(
        "1 problem in the configuration:\n\n  {place}\n      {wrong}\n      remedy: {remedy}"
    );
    assert_eq!(problems(toml, environment), expected);
}

#[test]
fn all_problems_of_all_layers_are_reported_at_once_by_origin() {
    let files = [
        ("a.toml", "[sns]\npool_size = 0\nregoin = \"x\"\n[amqp]\ndeclare = 1"),
        ("b.toml", "[sns\n"),
        ("c.toml", "[sns]\npm_messages_topic = \"pm\"\nplugin_module = \"custm\""),
    ];
    let environment = [("EVENT_PUSHER__SNS_REGION", "eu-west-1")];
    let expected = "\
6 problems in the configuration:

  a.toml:2: sns.pool_size = 0
      must be from 1 to 1000: every request may have a connection of its own, and a process has 1,024 open \
      files by default
      remedy: give a number in that range

  a.toml:3: sns.regoin
      is not a known key
      remedy: did you mean `sns.region`?

  a.toml:5: amqp.declare = 1
      must be true or false, not a number
      remedy: give true or false, without quotes

  b.toml:1:5: PARSER
      remedy: correct the line; texts stand in quotes, and a key stands once in its group

  c.toml:3: sns.plugin_module = \"custm\"
      is not a plugin of this program, which has mod_event_pusher_sns_defaults, custom, and not a script, \
      whose name ends in .rhai
      remedy: did you mean \"custom\"?

  environment variable EVENT_PUSHER__SNS_REGION: sns_region
      is not a known key
      remedy: did you mean `EVENT_PUSHER__SNS__REGION`?";
    let problems = load_files(&files, &environment).unwrap_err();
    let parser = problems.as_slice().iter().find(|problem| problem.key.is_none()).unwrap();
    let expected = expected
        .replace("b.toml:1:5: PARSER", &format!("{}\n      {}", parser.origin, parser.wrong));
    assert_eq!(problems.to_string(), expected);
}

#[test]
fn an_unknown_key_names_the_nearest_known_one_on_whatever_level() {
    let remedy =
        |toml: &str| load(toml, &[]).unwrap_err().as_slice().first().unwrap().remedy.clone();
    for (toml, nearest) in [
        ("region = \"x\"", "sns.region"),
        ("[sns]\npm_message_topic = \"x\"", "sns.pm_messages_topic"),
        ("[sns]\nqueue = \"x\"", "amqp.sources.events.queue"),
        ("[amqp.sources.chat]\nrouting_key = \"x\"", "amqp.sources.chat.routing_keys"),
        ("[amqp]\nqueue_typ = \"x\"", "amqp.queue_type"),
        ("[hosts.\"example.org\"]\nmuc_host = \"x\"", "hosts.\"example.org\".sns.muc_host"),
        ("[hosts.\"example.org\".sns]\nmuc_hots = \"x\"", "hosts.\"example.org\".sns.muc_host"),
        ("[amqpp]\nuri = \"x\"", "amqp"),
        ("[muc_topics]\n\"a.example\" = \"x\"", "sns.muc_topics"),
        ("[sources.chat]\nqueue = \"x\"", "amqp.sources"),
    ] {
        assert_eq!(remedy(toml), format!("did you mean `{nearest}`?"), "{toml}");
    }
    assert_eq!(remedy("zebra = 1"), "remove it; config/default.toml has every key that exists");
}

#[test]
fn a_host_can_not_override_what_the_whole_worker_shares() {
    assert_one(
        "[hosts.\"example.org\".sns]\npool_size = 5",
        [
            "local.toml:2: hosts.\"example.org\".sns.pool_size",
            "is for [sns] only",
            "set sns.pool_size for all hosts; a host overrides only presence_updates_topic, pm_messages_topic, \
             muc_messages_topic, muc_host, muc_topics, plugin_module, region, account_id, sns_host, access_key_id, \
             secret_access_key, session_token",
        ],
    );
}

#[test]
fn what_hosts_share_is_reported_once_and_what_is_theirs_by_their_own_key() {
    let toml = r#"
[sns]
region = "eu-west-1"
pm_messages_topic = "pm"
muc_messages_topic = "muc"
[hosts."a.example".sns]
region = "EU"
[hosts."b.example".sns]
presence_updates_topic = "a b"
account_id = "123456789012"
"#;
    assert_eq!(
        problems(toml, &[]),
        "\
3 problems in the configuration:

  local.toml:7: hosts.\"a.example\".sns.region = \"EU\"
      must be lower-case letters, digits and hyphens
      remedy: give a region's code, such as \"eu-west-1\"

  local.toml:9: hosts.\"b.example\".sns.presence_updates_topic = \"a b\"
      has ' ' in its topic name; SNS allows A-Z, a-z, 0-9, `-`, `_` and the ending `.fifo`
      remedy: give a topic's name or its whole ARN

  default: sns.account_id = \"\"
      is unset, but needed to build the ARNs of sns.muc_messages_topic, sns.pm_messages_topic
      remedy: set it, or give whole ARNs"
    );
}

#[test]
fn retries_must_end_before_the_delivery_is_due_to_be_handed_back() {
    assert!(load("[sns]\npublish_retry_count = 14", &[]).is_ok());
    assert_one(
        "[sns]\npublish_retry_count = 15",
        [
            "local.toml:2: sns.publish_retry_count = 15",
            "lets one event take up to 1799 s (16 attempts of 10000 ms and 1639 s of pauses), which is not below \
             outage.hand_back_after_s = 1200; what stays unacknowledged for longer is taken away by the broker, \
             after 30 minutes by default",
            "lower it, sns.publish_retry_time_ms or sns.attempt_timeout_ms",
        ],
    );
    // The worst that the ranges allow doesn't overflow.
    let worst = "[sns]\npublish_retry_count = 30\npublish_retry_time_ms = 600000\nattempt_timeout_ms = 600000";
    assert!(problems(worst, &[]).starts_with("1 problem"));
}

#[test]
fn nothing_is_concluded_from_a_value_that_is_wrong_itself() {
    for toml in [
        "[sns]\nconnect_timeout_ms = 20000\nattempt_timeout_ms = 0",
        "[sns]\nconnect_timeout_ms = 20000\nattempt_timeout_ms = \"30 s\"",
        "[sns]\npm_messages_topic = \"pm\"\nregion = 1\naccount_id = \"123456789012\"",
        "[sns]\npm_messages_topic = \"pm\"\nregion = \"eu-west-1\"\naccount_id = 123456789012",
        "[sns]\naccess_key_id = \"a\"\nsecret_access_key = 5",
    ] {
        assert!(problems(toml, &[]).starts_with("1 problem in"), "{}", problems(toml, &[]));
    }
}

#[test]
fn what_belongs_together_is_given_together() {
    let both = |key: &str, wrong: &str, toml: &str| {
        let text = problems(toml, &[]);
        assert!(text.contains(&format!("default: {key} = \"\"\n      {wrong}")), "{text}");
    };
    both("amqp.key_file", "is unset, but amqp.cert_file is given", "amqp.cert_file = \"c.pem\"");
    both("amqp.cert_file", "is unset, but amqp.key_file is given", "amqp.key_file = \"k.pem\"");
    both(
        "sns.secret_access_key",
        "is unset, but sns.access_key_id is given",
        "sns.access_key_id = \"a\"",
    );
    both(
        "sns.access_key_id",
        "is unset, but sns.session_token is given",
        "sns.session_token = \"t\"",
    );
    let of_host = "[sns]\naccess_key_id = \"a\"\nsecret_access_key = \"s\"\n[hosts.\"a.b\".sns]\naccess_key_id = \"b\"";
    assert_one(
        of_host,
        [
            "default: hosts.\"a.b\".sns.secret_access_key",
            "is unset, but hosts.\"a.b\".sns.access_key_id is given",
            "set both parts of the credentials, or none",
        ],
    );
}

#[test]
fn every_queue_has_one_purpose() {
    assert_one(
        "[amqp.sources.a]\nqueue = \"q\"\n[amqp.sources.b]\nqueue = \"q\"",
        [
            "local.toml:4: amqp.sources.b.queue = \"q\"",
            "is amqp.sources.a.queue as well",
            "give every source a queue of its own",
        ],
    );
    assert_one(
        "amqp.dead_letter_queue = \"event-pusher-sns\"",
        [
            "default: amqp.sources.events.queue = \"event-pusher-sns\"",
            "is amqp.dead_letter_queue as well",
            "give every source a queue of its own",
        ],
    );
    assert_one(
        "[amqp.sources.a]\nqueue = \"q\"\n[amqp.sources.b]\nqueue = \"q.held\"",
        [
            "local.toml:4: amqp.sources.b.queue = \"q.held\"",
            "is where events of `q` are parked while their topic is held",
            "give it another name",
        ],
    );
}

#[test]
fn a_queues_name_leaves_room_for_that_of_the_parked() {
    let source = |bytes: usize| format!("amqp.sources.a.queue = \"{}\"", "q".repeat(bytes));
    load(&source(250), &[]).unwrap();
    let found = load(&source(251), &[]).unwrap_err().to_string();
    assert!(found.contains("leaves no room for `.held`") && found.contains("250 bytes"), "{found}");
}
