//! Values as secrets, shells and slips of the hand make them.

use secrecy::ExposeSecret;

use super::{load, problems};

#[test]
fn a_line_break_at_the_end_of_a_secret_is_not_part_of_it() {
    let variables = [
        ("EVENT_PUSHER__SNS__ACCESS_KEY_ID", "AKIA\n"),
        ("EVENT_PUSHER__SNS__SECRET_ACCESS_KEY", " planted\r\n"),
        ("EVENT_PUSHER__SNS__REGION", "eu-west-1\n"),
        ("EVENT_PUSHER__AMQP__URI", "amqp://a:b@host/\n"),
    ];
    let config = load("", &variables).unwrap();
    let keys = config.sns.access.credentials.unwrap();
    assert_eq!(keys.access_key_id.expose_secret(), "AKIA");
    assert_eq!(keys.secret_access_key.expose_secret(), "planted");
    assert_eq!(config.sns.account.region.as_deref(), Some("eu-west-1"));
    assert_eq!(config.amqp.uris[0].expose(), "amqp://a:b@host/%2f");
}

#[test]
fn a_secret_in_two_lines_and_a_name_with_a_line_break_are_refused_with_their_keys() {
    for (key, value) in [
        ("SNS__SESSION_TOKEN", "plan\nted"),
        ("ADMIN__TOKEN", "plan\nted-plan-ted-plan-ted-plan"),
        ("AMQP__DEAD_LETTER_QUEUE", "dead\n"),
        ("AMQP__SOURCES__EVENTS__EXCHANGE", " "),
        ("AMQP__SOURCES__EVENTS__QUEUE", "q\u{7f}"),
    ] {
        let found = problems("", &[(&format!("EVENT_PUSHER__{key}"), value)]);
        assert!(found.contains(&key.replace("__", ".").to_lowercase()), "{key}: {found}");
        assert!(!found.contains("plan"), "{found}");
    }
}

#[test]
fn a_variable_with_other_underscores_is_named() {
    for name in ["EVENT_PUSHER_SNS__REGION", "EVENT_PUSHER_SNS_REGION", "event_pusher_sns_region"] {
        let found = problems("", &[(name, "eu-west-1")]);
        assert!(found.contains("did you mean `EVENT_PUSHER__SNS__REGION`?"), "{name}: {found}");
    }
    load("", &[("EVENT_PUSHER_DEV_PORT", "1"), ("EVENT_PUSHER_SNS", "x")]).unwrap();
}

#[test]
fn a_misspelt_region_is_found_before_dns_does_not_find_it() {
    let by_name =
        "[sns]\nregion = \"eu-west1\"\naccount_id = \"123456789012\"\npm_messages_topic = \"pm\"\n";
    let found = problems(by_name, &[]);
    assert!(found.contains("sns.region") && found.contains("\"eu-west-1\""), "{found}");
    let by_arn = "[sns]\npm_messages_topic = \"arn:aws:sns:eu-west1:123456789012:pm\"\n";
    let found = problems(by_arn, &[]);
    assert!(found.contains("sns.pm_messages_topic"), "{found}");
    // An emulator may have any.
    load(&by_name.replace("[sns]", "[sns]\nsns_host = \"localhost:4566\""), &[]).unwrap();
}

#[test]
fn no_source_has_the_queue_that_locks_the_dead_letters() {
    let toml = "amqp.dead_letter_queue = \"dead\"\namqp.sources.a.queue = \"dead.look\"\n";
    let found = problems(toml, &[]);
    assert!(found.contains("amqp.sources.a.queue = \"dead.look\""), "{found}");
    assert!(found.contains("locks amqp.dead_letter_queue"), "{found}");
}

#[test]
fn no_source_has_the_exchange_of_the_dead_letters() {
    let found =
        problems("amqp.dead_letter_exchange = \"x\"\namqp.sources.a.exchange = \"x\"\n", &[]);
    assert!(found.contains("amqp.sources.a.exchange = \"x\""), "{found}");
    assert!(found.contains("each dead letter would come back"), "{found}");
}

#[test]
fn an_endpoint_that_is_refused_is_not_shown() {
    for (key, value) in [
        ("SNS__SNS_HOST", "http://h/?token=planted"),
        ("SNS__SNS_HOST", "http//user:planted@h"),
        ("TRACE__OTLP_ENDPOINT", "http:/user:planted@h"),
        ("TRACE__OTLP_ENDPOINT", "http://planted%3Ax%40h/"),
    ] {
        let found = problems("", &[(&format!("EVENT_PUSHER__{key}"), value)]);
        assert!(!found.contains("planted"), "{found}");
    }
}
