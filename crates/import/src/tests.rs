//! What is said of configurations of MongooseIM, whatever comes in. Whether what is made of them loads is tried where
//! it is loaded: in `src/cli/import/tests.rs` and `tests/import.rs` of the program.

use proptest::prelude::*;

use super::*;

mod unread;

fn input<'a>(text: &'a str, name: &'a str, secrets: Secrets) -> Input<'a> {
    let variable = &|key: &str| format!("EVENT_PUSHER__SNS__{}", key.to_uppercase());
    Input {
        text,
        name,
        secrets,
        host_keys: &["region", "account_id", "pm_messages_topic"],
        variable,
    }
}

fn made(text: &str, secrets: Secrets) -> Imported {
    import(&input(text, "mongooseim.toml", secrets)).unwrap_or_else(|error| panic!("{error}"))
}

/// The options of the SNS backend that must be there.
const NEEDED: &str = "region = \"eu-west-1\"\naccount_id = \"123456789012\"\n";

fn with_sns(options: &str) -> String {
    format!("[modules.mod_event_pusher.sns]\n{NEEDED}{options}")
}

/// The base's SNS backend with all topics, then `more`, then one domain's with `of_host`.
fn with_domain(more: &str, of_host: &str) -> String {
    let topics =
        "presence_updates_topic = \"p\"\npm_messages_topic = \"c\"\nmuc_messages_topic = \"g\"\n";
    let host = format!("[host_config.modules.mod_event_pusher.sns]\n{NEEDED}{topics}");
    with_sns(topics) + more + "[[host_config]]\nhost = \"b.example\"\n" + &*host + of_host
}

#[test]
fn a_missing_section_is_asked_for_only_where_it_is_missing_and_wanted() {
    let base = "[modules.mod_event_pusher.rabbit]\npresence_exchange = {}\nchat_msg_exchange = {}\n\
                groupchat_msg_exchange = {}\n";
    let of_host = "[host_config.modules.mod_event_pusher.rabbit]\nchat_msg_exchange = {}\n";
    let toml = made(&with_domain(base, of_host), Secrets::File).toml;
    let asked =
        |place: &str| toml.contains(&format!("{place}.mod_event_pusher.rabbit.presence_exchange]"));
    assert!(asked("[host_config.modules") && !asked("[modules"), "{toml}");
    assert!(!toml.contains("rabbit.chat_msg_exchange]"), "{toml}");
    // Its presences are not published.
    let text = with_domain(base, of_host);
    let (before, after) = text.rsplit_once("presence_updates_topic = \"p\"\n").unwrap();
    let toml = made(&format!("{before}{after}"), Secrets::File).toml;
    assert!(!toml.contains("rabbit.presence_exchange]"), "{toml}");
}

#[test]
fn a_pool_that_is_there_is_not_asked_for() {
    let pool = "[outgoing_pools.rabbit.event_pusher.connection]\nhost = \"r1\"\n";
    let toml = made(&(with_sns("pm_messages_topic = \"c\"\n") + pool), Secrets::File).toml;
    assert!(!toml.contains("[outgoing_pools") && toml.contains("presence_exchange]"), "{toml}");
}

#[test]
fn a_domain_with_the_default_plugin_keeps_it() {
    let text = with_domain("plugin_module = \"acme\"\n", "");
    let toml = made(&text, Secrets::File).toml;
    let written = format!("plugin_module = \"{}\"", sns::DEFAULT_PLUGIN);
    assert!(toml.split_once("[hosts.").unwrap().1.contains(&written), "{toml}");
}

/// With a rabbit backend whose sections are `options`, and these topics.
fn with_rabbit(topics: &[&str], options: &str) -> Imported {
    let topics =
        topics.iter().map(|topic| format!("{topic} = \"t\"\n")).collect::<Vec<_>>().concat();
    let text = with_sns(&topics) + "[modules.mod_event_pusher.rabbit]\n" + options;
    made(&text, Secrets::File)
}

/// The names of the sources that are made.
fn sources(toml: &str) -> Vec<&str> {
    let groups = toml.lines().filter_map(|line| line.strip_prefix("[amqp.sources."));
    groups.map(|rest| rest.trim_end_matches(']')).collect()
}

#[test]
fn what_an_exchange_carries_counts_though_no_topic_is_set_for_it() {
    let one = "chat_msg_exchange.name = \"xmpp\"\ngroupchat_msg_exchange.name = \"xmpp\"\n";
    let sent = |chat: &str, rooms: &str| {
        let chat = format!("chat_msg_exchange.sent_topic = \"{chat}\"\n");
        format!(
            "{one}{chat}groupchat_msg_exchange.sent_topic = \"{rooms}\"\npresence_exchange = {{}}\n"
        )
    };
    let (chat, rooms) = ("pm_messages_topic", "muc_messages_topic");
    for (topic, options, kind, beside) in [
        (chat, sent("sent", "sent"), "chat_msg", "groupchat_msg"),
        (chat, sent("sent", "groups.sent"), "chat_msg", "groupchat_msg"),
        (rooms, sent("sent", "sent"), "groupchat_msg", "chat_msg"),
        // Its own section can't be a source, but what is published by it is there all the same.
        (
            chat,
            sent("s", "s") + "groupchat_msg_exchange.recv_topic = \"s\"\n",
            "chat_msg",
            "groupchat_msg",
        ),
    ] {
        let made = with_rabbit(&[topic], &options);
        let toml = made.toml.replace("\n#  ", "");
        assert_eq!((sources(&toml), made.left_out), (vec![], 1), "{toml}");
        let told = format!("NOT CARRIED OVER: {kind}_exchange, the exchange xmpp,");
        assert!(toml.contains(&told), "{toml}");
        assert!(toml.contains(&format!("is {beside}_exchange, too")), "{toml}");
    }
    // Bindings tell these apart.
    for options in [sent("said", "sent"), sent("groups.sent", "sent"), one.to_owned()] {
        let made = with_rabbit(&[chat], &options);
        assert_eq!((sources(&made.toml), made.left_out), (vec!["chat"], 0), "{}", made.toml);
    }
}

#[test]
fn one_source_for_an_exchange_of_all_kinds_is_made_once_and_by_a_kind_that_has_a_topic() {
    let all = "presence_exchange.name = \"x\"\nchat_msg_exchange.name = \"x\"\ngroupchat_msg_exchange.name = \"x\"\n";
    let fanout = all.to_owned() + &*all.replace(".name = \"x\"", ".type = \"fanout\"");
    let (presence, chat, rooms) =
        ("presence_updates_topic", "pm_messages_topic", "muc_messages_topic");
    for (topics, options, expected) in [
        (&[presence][..], all, &["presence"][..]),
        (&[presence, rooms], all, &["presence-groupchat"]),
        // No queue for messages gets presences from a topic exchange.
        (&[chat, rooms], all, &["chat", "groupchat"]),
        (&[chat, rooms], &*fanout, &["chat-groupchat"]),
        (&[rooms], &*fanout, &["groupchat"]),
    ] {
        let made = with_rabbit(topics, options);
        assert_eq!((&*sources(&made.toml), made.left_out), (expected, 0), "{}", made.toml);
        let is_shared = made.toml.contains("and what has no topic");
        assert_eq!(is_shared, expected.len() == 1, "{}", made.toml);
    }
    let own = all.to_owned() + "groupchat_msg_exchange.sent_topic = \"said\"\n";
    let made = with_rabbit(&[presence], &own);
    assert_eq!((sources(&made.toml), made.left_out), (vec![], 1), "{}", made.toml);
}

#[test]
fn a_section_that_is_not_there_publishes_nothing_beside_another_kind() {
    let made = |section: &str| {
        let chat = "chat_msg_exchange.name = \"presence\"\nchat_msg_exchange.type = \"fanout\"\n";
        with_rabbit(&["pm_messages_topic"], &format!("{chat}{section}"))
    };
    let without = made("");
    assert_eq!(sources(&without.toml), ["chat"], "{}", without.toml);
    assert!(!without.toml.contains("presence_exchange and"), "{}", without.toml);
    let with = made("presence_exchange = {}\n").toml;
    assert!(with.contains("chat_msg_exchange and presence_exchange have one name"), "{with}");
}

#[test]
fn without_any_topic_that_is_written_a_todo_says_so() {
    let rabbit = "[modules.mod_event_pusher.rabbit.chat_msg_exchange]\n";
    let of = |more: &str| made(&format!("{rabbit}{more}"), Secrets::File);
    let topic = "[host_config.modules.mod_event_pusher.sns]\npm_messages_topic = \"c\"\n";
    let host_type = format!("[[host_config]]\nhost_type = \"t\"\n{topic}");
    for more in ["", "[modules.mod_event_pusher.sns]\nregion = \"eu-west-1\"\n", &*host_type] {
        let made = of(more);
        let (_, sns) = made.toml.split_once("[sns]\n").unwrap();
        assert_eq!((made.to_do, sns.matches("# TODO: no topic is set").count()), (1, 1), "{sns}");
        for part in ["presence_updates_topic", "pm_messages_topic", "muc_messages_topic", "check"] {
            assert!(sns.contains(part), "{sns}");
        }
    }
    let host = format!("[[host_config]]\nhost = \"a.example\"\n{topic}");
    for more in [&*host, "[modules.mod_event_pusher.sns]\npm_messages_topic = \"c\"\n"] {
        let made = of(more);
        assert_eq!((made.to_do, made.toml.matches("TODO").count()), (0, 0), "{}", made.toml);
    }
}

#[test]
fn nothing_to_import_and_malformed_input_say_where_and_what_to_do() {
    for (name, text, expected) in [
        ("a.toml", "[modules.mod_roster]\n", "neither the sns nor the rabbit backend"),
        ("a.cfg", "{modules, []}.", "neither the sns nor the rabbit backend"),
        ("a.toml", "[modules.mod_event_pusher.sns]\nregion = planted\n", ":2:10: not TOML: "),
        ("a.cfg", "{modules,\n [{mod_event_pusher, [}]}.", ":2:23: this is no term"),
        (
            "a.cfg",
            "{define_macro, 'M', [{mod_event_pusher, [{backends, [{sns, []}]}]}]}.\n{modules, 'M'}.",
            "not read: define_macro (line 1)",
        ),
        ("-", "{mod_event_pusher", ":1:18: the file ends here"),
    ] {
        let given = input(text, name, Secrets::File);
        let error = import(&given).err().unwrap_or_else(|| panic!("{text}")).to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains("planted"), "{error}");
    }
}

proptest! {
    /// No text of the input can break out of its place, be it a value or a comment.
    #[test]
    fn what_is_made_is_toml_whatever_texts_come_in(
        topic in any::<String>(), host in any::<String>(), exchange in any::<String>(),
        plugin in any::<String>(), password in any::<String>(), to_file in any::<bool>(),
    ) {
        let value = writer::quoted;
        let text = with_sns(&format!(
            "pm_messages_topic = {}\nplugin_module = {}\n[modules.mod_event_pusher.rabbit.chat_msg_exchange]\n\
             name = {}\ntype = {}\n[outgoing_pools.rabbit.event_pusher.connection]\npassword = {}\nhost = {}\n\
             [[host_config]]\nhost = {}\n[host_config.modules.mod_muc]\n",
            value(&topic), value(&plugin), value(&exchange), value(&plugin), value(&password), value(&host),
            value(&host),
        ));
        let secrets = if to_file { Secrets::File } else { Secrets::Environment };
        let made = made(&text, secrets).toml;
        prop_assert!(made.parse::<::toml::Table>().is_ok(), "{made}");
    }
}
