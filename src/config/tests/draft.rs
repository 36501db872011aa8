//! What a draft still tells where something is wrong with it.

use super::PLUGINS;
use crate::config::{Askable, Draft, Inputs};

/// What `check` may still ask, by what is wrong.
#[test]
fn what_is_wrong_in_one_place_leaves_the_others_to_be_asked() {
    let base = "sns.region = \"eu-west-1\"\nsns.account_id = \"123456789012\"\nsns.presence_updates_topic = \"p\"\n\
                sns.muc_messages_topic = \"arn:aws:sns:us-east-1:123456789012:m\"\namqp.sources.a.queue = \"a\"\n\
                amqp.sources.b.queue = \"b\"\nhosts.\"h.example\".sns.pm_messages_topic = \"h\"\n\
                hosts.\"h.example\".sns.sns_host = \"localhost:1\"\n";
    for (wrong, asked, topics) in [
        ("sns.pool_size = 0", "a b", "m p h m p"),
        ("sns.pm_messages_topic = \"x!\"", "a b", "m p h m p"),
        ("sns.access_key_id = \"A\"", "a b", ""),
        ("hosts.\"h.example\".sns.access_key_id = \"A\"", "a b", "m p"),
        ("amqp.sources.a.format = \"x\"", "b", "m p h m p"),
        ("amqp.prefetch = -1", "a b", "m p h m p"),
        ("amqp.queue_type = \"x\"", "login", "m p h m p"),
        ("amqp.key_file = \"k\"", "nothing", "m p h m p"),
        ("amqp.uris = [\"x\"]", "nothing", "m p h m p"),
    ] {
        let files = vec![("t.toml".to_owned(), format!("{base}{wrong}"))];
        let inputs = Inputs { files, environment: Vec::new() };
        let draft = Draft::read(&inputs, Vec::new(), PLUGINS).unwrap();
        assert!(draft.problems().is_some(), "{wrong}");
        let found = match draft.askable_broker() {
            Askable::Topology(amqp) => {
                amqp.sources.iter().map(|it| it.name.clone()).collect::<Vec<_>>().join(" ")
            }
            Askable::Login(_) => "login".to_owned(),
            Askable::Nothing => "nothing".to_owned(),
        };
        assert_eq!(found, asked, "{wrong}");
        let names: Vec<_> = draft.askable_topics().map(|(_, topic)| topic.name()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let mut expected: Vec<_> = topics.split(' ').filter(|it| !it.is_empty()).collect();
        expected.sort_unstable();
        assert_eq!(sorted, expected, "{wrong}");
    }
}

/// No topic is claimed to be missing where one is given wrongly.
#[test]
fn a_topic_that_is_given_wrongly_is_not_one_that_is_not_set() {
    let draft = |toml: &str| {
        let files = vec![("t.toml".to_owned(), toml.to_owned())];
        let inputs = Inputs { files, environment: Vec::new() };
        let mut draft = Draft::read(&inputs, Vec::new(), PLUGINS).unwrap();
        draft.require_topics();
        draft.problems().map_or(0, |it| it.as_slice().len())
    };
    assert_eq!(draft(""), 1);
    for one in [
        "sns.pm_messages_topic = 5",
        "sns.pm_mesages_topic = \"arn:aws:sns:eu-west-1:123456789012:t\"",
        "sns = 5",
        "hosts = 5",
        "hosts.\"a.b\" = 5",
        "sns.muc_topics.\"a.b\" = 5",
        "sns.muc_topics = 5",
        "amqp.sources = 5",
        "amqp.sources.events.discard = 1",
    ] {
        assert_eq!(draft(one), 1, "{one}");
    }
    for two in [
        "sns.pool_size = 0",
        "amqp.sources.events.format = \"x\"",
        "hosts.\"a.b\".sns.region = \"EU\"",
    ] {
        assert_eq!(draft(two), 2, "{two}");
    }
}
