//! Whatever is wrong beside it, a problem is found; and nothing is said that would not be said of a mistake alone.

use std::collections::BTreeSet;

use super::load;
use crate::config::Problem;

/// A valid configuration.
const BASE: &[&str] = &[
    "sns.region = \"eu-west-1\"",
    "sns.account_id = \"123456789012\"",
    "sns.pm_messages_topic = \"pm\"",
    "sns.access_key_id = \"AKIA\"",
    "sns.secret_access_key = \"s\"",
    "amqp.sources.main.queue = \"main\"",
    "amqp.sources.other.queue = \"other\"",
];

/// Lines of TOML with a mistake, each with the key of its problem and how the problem begins. A line takes the place of the
/// base's line for the same key.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("sns.region = \"EU\"", "sns.region", "must be lower-case"),
    ("sns.account_id = 12", "sns.account_id", "must be a text"),
    ("sns.presence_updates_topic = \"a b\"", "sns.presence_updates_topic", "has ' ' in its topic"),
    ("sns.pm_messages_topic = 5", "sns.pm_messages_topic", "must be a text"),
    (
        "sns.muc_messages_topic = \"arn:aws:sns:eu-west1:123456789012:a\"",
        "sns.muc_messages_topic",
        "names no region",
    ),
    ("sns.muc_topics.\"a b\" = \"rooms\"", "sns.muc_topics.\"a b\"", "is not an XMPP domain"),
    (
        "sns.muc_topics.\"rooms.example\" = \"x!\"",
        "sns.muc_topics.\"rooms.example\"",
        "has '!' in its topic",
    ),
    (
        "sns.plugin_module = \"mod_event_pusher_sns_default\"",
        "sns.plugin_module",
        "is not a plugin",
    ),
    ("sns.muc_host = \"a b\"", "sns.muc_host", "is not an XMPP domain"),
    ("sns.sns_host = \"ftp://x\"", "sns.sns_host", "has a scheme other"),
    (
        "hosts.\"k.example\".sns.acess_key_id = \"A\"",
        "hosts.\"k.example\".sns.secret_access_key",
        "is unset, but",
    ),
    ("sns.session_token = \"two words\"", "sns.session_token", "has a blank"),
    ("sns.pool_size = 0", "sns.pool_size", "must be from"),
    ("sns.publish_retry_count = 25", "sns.publish_retry_count", "lets one event take"),
    ("sns.attempt_timeout_ms = \"10s\"", "sns.attempt_timeout_ms", "must be a whole number"),
    ("sns.connect_timeout_ms = 0", "sns.connect_timeout_ms", "must be from"),
    ("sns.ordering = \"per_key\"", "sns.ordering", "must be one of"),
    ("amqp.uri = \"amqp://u:p@h/?hearbeat=3\"", "amqp.uri", "has a parameter"),
    ("amqp.uris = [\"amqp://a\", \"b\"]", "amqp.uris", "in its entry 2"),
    ("amqp.cert_file = 5", "amqp.cert_file", "must be a text"),
    ("amqp.prefetch = 70000", "amqp.prefetch", "must be from"),
    ("amqp.declare = \"yes\"", "amqp.declare", "must be true or false"),
    ("amqp.dead_letters_per_second = -1", "amqp.dead_letters_per_second", "must be from"),
    ("amqp.dead_letter_queue = \"amq.x\"", "amqp.dead_letter_queue", "begins with `amq.`"),
    ("amqp.dead_letter_exchange = \" x\"", "amqp.dead_letter_exchange", "has a blank"),
    ("amqp.sources.Chat.queue = \"chat\"", "amqp.sources.Chat", "is not a source's name"),
    ("amqp.sources.main.queue = \"a\\n\"", "amqp.sources.main.queue", "has a blank"),
    ("amqp.sources.two.queue = \"other\"", "amqp.sources.two.queue", "is amqp.sources.other.queue"),
    ("amqp.sources.two.format = \"jsno\"", "amqp.sources.two.format", "must be one of"),
    (
        "amqp.sources.main.exchange_type = \"topics\"",
        "amqp.sources.main.exchange_type",
        "must be one of",
    ),
    ("amqp.sources.other.routing_keys = []", "amqp.sources.other.routing_keys", "is empty"),
    ("amqp.sources.main.discard = 1", "amqp.sources.main.discard", "must be true or false"),
    ("hosts.\"a@b\".sns.muc_host = \"ok\"", "hosts.\"a@b\"", "is not an XMPP domain"),
    (
        "hosts.\"a@c\".sns.pm_messages_topic = \"no way\"",
        "hosts.\"a@c\".sns.pm_messages_topic",
        "has ' ' in its",
    ),
    (
        "hosts.\"h.example\".sns.region = \"eu-west1\"",
        "hosts.\"h.example\".sns.region",
        "names no region",
    ),
    (
        "hosts.\"i.example\".sns.pool_size = 3",
        "hosts.\"i.example\".sns.pool_size",
        "is for [sns] only",
    ),
    (
        "hosts.\"j.example\".snss.muc_host = \"a b\"",
        "hosts.\"j.example\".snss",
        "is not a known group",
    ),
    ("admin.listen = \"localhost\"", "admin.listen", "is not a host and port"),
    ("admin.health_listen = 9464", "admin.health_listen", "must be a text"),
    ("admin.hosts = [\"http://x\"]", "admin.hosts", "has an entry"),
    ("log.format = \"xml\"", "log.format", "must be one of"),
    ("logg.level = \"info\"", "logg", "is not a known group"),
    ("outage.hand_back_after_s = 0", "outage.hand_back_after_s", "must be from"),
    ("trace.otlp_endpoint = \"grpc://x\"", "trace.otlp_endpoint", "has a scheme other"),
];

fn key_of(line: &str) -> &str {
    line.split(" = ").next().unwrap()
}

/// The problems of a configuration with these mistakes, without their lines.
fn found(mistakes: &[usize]) -> BTreeSet<(String, String)> {
    let wrong: Vec<_> = mistakes.iter().map(|it| MISTAKES[*it].0).collect();
    let base = BASE.iter().filter(|line| !wrong.iter().any(|it| key_of(it) == key_of(line)));
    let toml: Vec<_> = base.chain(&wrong).copied().collect();
    let Err(problems) = load(&toml.join("\n"), &[]) else { return BTreeSet::new() };
    let said = |it: &Problem| (it.key.as_ref().unwrap().to_string(), it.wrong.clone());
    problems.as_slice().iter().map(said).collect()
}

/// Keys and how their problems begin: numbers and names in them may differ when something else is wrong, too.
fn begun(problems: &BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    let start = |wrong: &str| wrong.split(' ').take(3).collect::<Vec<_>>().join(" ");
    problems.iter().map(|(key, wrong)| (key.clone(), start(wrong))).collect()
}

/// They are about one key or about two that stand for each other, or it depends on the endpoint whether a region is known.
fn exclude_each_other(first: usize, second: usize) -> bool {
    let [(one, _, wrong), (other, _, wrong_too)] = [first, second].map(|it| MISTAKES[it]);
    let keys = [key_of(one), key_of(other)];
    let is_about_region = [wrong, wrong_too].contains(&"names no region");
    keys[0] == keys[1]
        || keys == ["amqp.uri", "amqp.uris"]
        || (is_about_region && keys.contains(&"sns.sns_host"))
}

#[test]
fn no_mistake_hides_another_one_and_none_makes_another_one_up() {
    assert!(load(&BASE.join("\n"), &[]).is_ok());
    let alone: Vec<_> = (0..MISTAKES.len()).map(|it| found(&[it])).collect();
    for (found, (line, key, wrong)) in alone.iter().zip(MISTAKES) {
        let is_told = found.iter().any(|(k, w)| k == key && w.starts_with(wrong));
        assert!(is_told, "{line}: {found:#?}");
    }
    for first in 0..MISTAKES.len() {
        for second in (first + 1..MISTAKES.len()).filter(|it| !exclude_each_other(first, *it)) {
            let both = begun(&found(&[first, second]));
            let expected = &begun(&alone[first]) | &begun(&alone[second]);
            assert_eq!(both, expected, "{:#?}", [MISTAKES[first].0, MISTAKES[second].0]);
        }
    }
}

#[test]
fn all_mistakes_at_once_are_found_at_once() {
    let mut all: Vec<usize> = Vec::new();
    for mistake in 0..MISTAKES.len() {
        if !all.iter().any(|it| exclude_each_other(*it, mistake)) {
            all.push(mistake);
        }
    }
    let found = found(&all);
    for (line, key, wrong) in all.iter().map(|it| MISTAKES[*it]) {
        let is_told = found.iter().any(|(k, w)| k == key && w.starts_with(wrong));
        assert!(is_told, "{line}: {found:#?}");
    }
}
