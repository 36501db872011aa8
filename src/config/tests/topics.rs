//! Which sources have a topic, and which topics a variable takes away.

use super::{load, load_files};
use crate::event::EventKind;

const ARN: &str = "arn:aws:sns:eu-west-1:123456789012:t";

fn sources(sources: &str, topics: &str) -> Vec<(String, Option<String>)> {
    let config = load(&format!("{sources}\n{topics}"), &[]).unwrap();
    let lacking = config.amqp.sources.iter();
    lacking.map(|it| (it.name.clone(), config.missing_topics(it))).collect()
}

#[test]
fn a_source_lacks_a_topic_only_if_none_is_set_for_anything_that_it_may_carry() {
    let chat = "[amqp.sources.s]\nformat = \"mongooseim\"\nrouting_keys = [\"#.chat_msg_sent\"]";
    let rooms = "[amqp.sources.s]\nformat = \"mongooseim-groupchat\"";
    let any = "[amqp.sources.s]";
    let fanout = format!("{chat}\nexchange_type = \"fanout\"");
    let presence = "[amqp.sources.s]\nformat = \"mongooseim\"\nexchange = \"presence\"";
    let of_all = |key: &str| format!("[sns]\n{key} = \"{ARN}\"");
    let of_host = |key: &str| format!("[hosts.\"a.example\".sns]\n{key} = \"{ARN}\"");
    for (source, topics, has) in [
        (chat, of_all("pm_messages_topic"), true),
        (chat, of_host("pm_messages_topic"), true),
        (chat, of_all("presence_updates_topic"), false),
        // Bindings tell nothing there.
        (&fanout, of_all("presence_updates_topic"), true),
        (rooms, of_all("muc_messages_topic"), true),
        (rooms, of_all("muc_topics.\"rooms.example\""), true),
        (rooms, of_host("muc_topics.\"rooms.example\""), true),
        (rooms, of_all("pm_messages_topic"), false),
        (presence, of_all("muc_topics.\"rooms.example\""), false),
        (any, of_all("presence_updates_topic"), true),
        (any, String::new(), false),
    ] {
        let lacking = sources(source, &topics).remove(0).1;
        assert_eq!(lacking.is_none(), has, "{source}\n{topics}");
        let discards = sources(&format!("{source}\ndiscard = true"), &topics);
        assert_eq!(discards.len(), 1);
        assert_eq!(discards[0].1, None, "{source}");
    }
    let keys = sources(rooms, "").remove(0).1.unwrap();
    assert_eq!(keys, "sns.muc_messages_topic or a room's domain in sns.muc_topics");
}

#[test]
fn topics_are_required_unless_one_source_has_one_or_all_discard() {
    let chat = "[amqp.sources.chat]\nformat = \"mongooseim-chat\"\nqueue = \"a\"";
    let rooms = "[amqp.sources.rooms]\nformat = \"mongooseim-groupchat\"\nqueue = \"b\"";
    let topic = format!("[sns]\npm_messages_topic = \"{ARN}\"");
    let discards = |source: &str| format!("{source}\ndiscard = true");
    for (toml, is_enough) in [
        (format!("{chat}\n{rooms}\n{topic}"), true),
        (format!("{chat}\n{rooms}"), false),
        (format!("{}\n{rooms}", discards(chat)), false),
        (format!("{rooms}\n{topic}"), false),
        (format!("{}\n{}", discards(chat), discards(rooms)), true),
    ] {
        let required = load(&toml, &[]).unwrap().require_topics();
        assert_eq!(required.is_ok(), is_enough, "{toml}: {required:?}");
    }
    let kinds = |toml: &str| {
        let config = load(toml, &[]).unwrap();
        config.kinds_of(&config.amqp.sources[0])
    };
    assert_eq!(kinds(chat), [EventKind::Chat]);
    // Where no binding is ours, or none has a key, only the format tells.
    let presence =
        "[amqp.sources.p]\nexchange = \"presence\"\nformat = \"mongooseim\"\nqueue = \"q\"";
    assert_eq!(kinds(presence), [EventKind::Presence]);
    for other in [
        format!("[amqp]\ndeclare = false\n{presence}"),
        format!("{presence}\nexchange_type = \"fanout\""),
    ] {
        assert_eq!(kinds(&other), EventKind::ALL, "{other}");
    }
}

#[test]
fn a_topic_that_a_variable_empties_is_noted_with_both_places_and_no_other_is() {
    let topic = |key: &str| format!("{key} = \"{ARN}\"\n");
    let first = format!("[sns]\n{}{}", topic("pm_messages_topic"), topic("muc_messages_topic"));
    let rooms = format!("[sns.muc_topics]\n{}", topic("\"rooms.example\""));
    let host = format!("[hosts.\"a.example\".sns]\n{}", topic("pm_messages_topic"));
    let files = [
        ("a.toml", &*format!("{first}{rooms}{host}")),
        ("b.toml", "sns.muc_messages_topic = \"\""),
    ];
    let variables = [
        ("EVENT_PUSHER__SNS__PM_MESSAGES_TOPIC", ""),
        // A later file has taken it away, or no file has set it.
        ("EVENT_PUSHER__SNS__MUC_MESSAGES_TOPIC", ""),
        ("EVENT_PUSHER__SNS__PRESENCE_UPDATES_TOPIC", ""),
        ("EVENT_PUSHER__HOSTS__B_DOT_EXAMPLE__SNS__PM_MESSAGES_TOPIC", ""),
        ("EVENT_PUSHER__SNS__MUC_HOST", ""),
        ("EVENT_PUSHER__SNS__MUC_TOPICS__ROOMS_DOT_EXAMPLE", " "),
        ("EVENT_PUSHER__HOSTS__A_DOT_EXAMPLE__SNS__PM_MESSAGES_TOPIC", ""),
    ];
    let config = load_files(&files, &variables).unwrap();
    let emptied = config.emptied_topics.iter();
    let noted: Vec<_> = emptied.map(|it| (it.key.to_string(), it.file.to_string())).collect();
    let expected = [
        ("hosts.\"a.example\".sns.pm_messages_topic", "a.toml:7"),
        ("sns.muc_topics.\"rooms.example\"", "a.toml:5"),
        ("sns.pm_messages_topic", "a.toml:2"),
    ];
    assert_eq!(noted, expected.map(|(key, file)| (key.to_owned(), file.to_owned())));
    let said = config.emptied_topics[2].to_string();
    assert!(
        said.starts_with("environment variable EVENT_PUSHER__SNS__PM_MESSAGES_TOPIC"),
        "{said}"
    );
    let refused = config.require_topics().unwrap_err().to_string();
    assert!(refused.contains("a.toml:2") && refused.contains("a.toml:5"), "{refused}");
}
