//! What is made of MongooseIM's configurations loads, and means what it meant there.

use proptest::prelude::*;

use event_pusher_import::Secrets;

use super::*;

const PLUGINS: &[&str] = &["mod_event_pusher_sns_defaults"];

fn made(text: &str, secrets: Secrets) -> Imported {
    made_of("mongooseim.toml", text, secrets)
}

fn made_of(name: &str, text: &str, secrets: Secrets) -> Imported {
    imported(text, name, secrets).unwrap_or_else(|error| panic!("{error}"))
}

/// The options of the SNS backend that must be there.
const NEEDED: &str = "region = \"eu-west-1\"\naccount_id = \"123456789012\"\n";

fn with_sns(options: &str) -> String {
    format!("[modules.mod_event_pusher.sns]\n{NEEDED}{options}")
}

fn load(toml: &str) -> Config {
    let inputs =
        Inputs { files: vec![("made.toml".to_owned(), toml.to_owned())], environment: Vec::new() };
    Config::load(&inputs, PLUGINS).unwrap_or_else(|problems| panic!("{problems}\n{toml}"))
}

#[test]
fn all_characters_of_a_password_reach_the_broker() {
    let password = "p@ss/w:rd?#[%] \\\"ü\u{7f}";
    let text = with_sns("") + "[outgoing_pools.rabbit.event_pusher.connection]\n";
    let text = text
        + "username = \"a user\"\nvirtual_host = \"/a b\"\npassword = '''"
        + &*password.replace('\u{7f}', "")
        + "'''\n";
    let config = load(&made(&text, Secrets::File).toml);
    let uri = url::Url::parse(&config.amqp.uris[0].expose()).unwrap();
    let decoded =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    assert_eq!(decoded(uri.username()), "a user");
    assert_eq!(decoded(uri.password().unwrap()), password.replace('\u{7f}', ""));
    assert_eq!(decoded(uri.path().strip_prefix('/').unwrap()), "/a b");
}

#[test]
fn a_room_has_a_topic_wherever_mongooseim_published_it() {
    let rooms = "[modules.mod_muc]\nhost = \"rooms.@HOST@\"\n[modules.mod_muc_light]\n";
    let text = with_sns("muc_messages_topic = \"g\"\n") + rooms;
    let config = load(&made(&text, Secrets::File).toml);
    let routing = &config.sns.routing;
    assert_eq!(routing.muc_host, "rooms.@HOST@");
    assert_eq!(routing.muc_topics.keys().collect::<Vec<_>>(), ["muclight.@HOST@"]);
    assert_eq!(routing.muc_topics.values().next(), routing.muc_messages_topic.as_ref());
}

/// The base's SNS backend with all topics, then `more`, then one domain's with `of_host`.
fn with_domain(more: &str, of_host: &str) -> String {
    let topics =
        "presence_updates_topic = \"p\"\npm_messages_topic = \"c\"\nmuc_messages_topic = \"g\"\n";
    let host = format!("[host_config.modules.mod_event_pusher.sns]\n{NEEDED}{topics}");
    with_sns(topics) + more + "[[host_config]]\nhost = \"b.example\"\n" + &*host + of_host
}

/// Each source's exchange and its queue's binding, sorted.
fn sources(config: &Config) -> Vec<(&str, &str)> {
    let sources = config.amqp.sources.iter();
    let mut found: Vec<_> = sources
        .map(|it| (&*it.exchange, it.routing_keys.first().map_or("", |key| &**key)))
        .collect();
    found.sort_unstable();
    found
}

/// What MongooseIM's default exchanges become.
const OF_EACH: [(&str, &str); 3] =
    [("chat_msg", "#.chat_msg_sent"), ("groupchat_msg", "#.groupchat_msg_sent"), ("presence", "#")];

#[test]
fn the_exchanges_of_all_domains_are_bound_though_one_alone_has_them_so_far() {
    let own = "[host_config.modules.mod_event_pusher.rabbit]\nchat_msg_exchange.name = \"b\"\n";
    let pool =
        "[host_config.outgoing_pools.rabbit.event_pusher.connection]\nhost = \"b.example\"\n";
    let imported = made(&with_domain("", &format!("{own}{pool}")), Secrets::File);
    let config = load(&imported.toml);
    let mut expected = OF_EACH.to_vec();
    expected.push(("b", "#.chat_msg_sent"));
    expected.sort_unstable();
    assert_eq!(sources(&config), expected);
    let text = imported.toml.replace("\n# ", " ");
    for part in
        ["the modules of all domains have no rabbit backend", "the only pool is that of b.example"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_domain_that_lacks_the_backend_is_to_get_that_of_all_domains() {
    let base = "[modules.mod_event_pusher.rabbit]\nchat_msg_exchange.name = \"all\"\n";
    let config = load(&made(&with_domain(base, ""), Secrets::File).toml);
    let all = OF_EACH.map(|(name, key)| (if name == "chat_msg" { "all" } else { name }, key));
    assert_eq!(sources(&config), all);
}

#[test]
fn exchanges_of_one_name_are_taken_once_or_not_at_all() {
    let rabbit = |options: &str| {
        let topics = "presence_updates_topic = \"p\"\npm_messages_topic = \"c\"\nmuc_messages_topic = \"g\"\n";
        let text = with_sns(topics) + "[modules.mod_event_pusher.rabbit]\n" + options;
        made(&text, Secrets::File)
    };
    let all = "presence_exchange.name = \"x\"\nchat_msg_exchange.name = \"x\"\ngroupchat_msg_exchange.name = \"x\"\n";
    for options in
        [all.to_owned(), all.to_owned() + &*all.replace(".name = \"x\"", ".type = \"fanout\"")]
    {
        let config = load(&rabbit(&options).toml);
        let [source] = &config.amqp.sources[..] else { panic!("{:?}", sources(&config)) };
        assert_eq!(source.name, "presence-chat-groupchat");
        assert_eq!(source.format, crate::event::Format::Mongooseim);
    }
    // Another domain may have one of its own.
    let of = |table: &str, name: &str| {
        format!(
            "[{table}.mod_event_pusher.rabbit]\n{}",
            all.replace("\"x\"", &format!("\"{name}\""))
        )
    };
    let text = with_domain(&of("modules", "x"), &of("host_config.modules", "y"));
    let config = load(&made(&text, Secrets::File).toml);
    assert_eq!(sources(&config), [("x", "#"), ("y", "#")]);
    // The bindings of messages tell them apart.
    let messages = all.split_once('\n').unwrap().1;
    let config = load(&rabbit(messages).toml);
    let of_messages = [("x", "#.chat_msg_sent"), ("x", "#.groupchat_msg_sent")];
    assert_eq!(sources(&config)[1..], of_messages);
    for (options, left) in [
        (all.to_owned() + "chat_msg_exchange.sent_topic = \"sent\"\n", 0),
        (
            messages.to_owned()
                + "chat_msg_exchange.sent_topic = \"s\"\ngroupchat_msg_exchange.sent_topic = \"s\"\n",
            1,
        ),
        (
            messages.to_owned()
                + "chat_msg_exchange.sent_topic = \"s\"\ngroupchat_msg_exchange.sent_topic = \"a.s\"\n",
            1,
        ),
    ] {
        let imported = rabbit(&options);
        assert_eq!(imported.toml.matches("[amqp.sources.").count(), left, "{}", imported.toml);
        assert_eq!(imported.left_out, 3 - left, "{}", imported.toml);
        let told = imported.toml.contains("nothing tells") && imported.toml.contains("of its own");
        assert!(told, "{}", imported.toml);
    }
}

#[test]
fn macros_are_filled_in_and_can_not_multiply() {
    let text = "{define_macro, 'R', \"eu-west-1\"}.\n{define_macro, 'L', ['R', 'R']}.\n\
                {sns, [{region, 'R'}, {account_id, \"123456789012\"}, {pm_messages_topic, \"t\"}]}.";
    let imported = made_of("a.cfg", text, Secrets::File);
    let topic = load(&imported.toml).sns.routing.pm_messages_topic.unwrap().to_string();
    assert_eq!(topic, "arn:aws:sns:eu-west-1:123456789012:t");
    assert!(imported.toml.contains("NOT CARRIED OVER: define_macro (line 2)"), "{}", imported.toml);
}

#[test]
fn a_domain_that_stands_twice_has_its_first_modules_and_says_so() {
    let host = |topic: &str| {
        let of_host = "[[host_config]]\nhost = \"a.example\"\n[host_config.";
        with_sns(&format!("pm_messages_topic = \"{topic}\"\n")).replace('[', of_host)
    };
    let text = with_sns("pm_messages_topic = \"t\"\n") + &*host("first") + &*host("second");
    let imported = made(&text, Secrets::File);
    let topic = load(&imported.toml).hosts["a.example"].pm_messages_topic.clone().unwrap();
    assert!(topic.to_string().ends_with(":first"), "{topic}");
    assert!(
        imported.toml.contains("NOT CARRIED OVER: host_config of a.example (line 11)"),
        "{}",
        imported.toml
    );
}

proptest! {
    #[test]
    fn a_secret_is_written_only_on_demand(secret in "[A-Za-z0-9]{12,20}", to_file in any::<bool>()) {
        let text = with_sns(&format!(
            "pm_messages_topic = \"t\"\naccess_key_id = \"{secret}\"\nsecret_access_key = \"{secret}\"\n\
             unknown = \"{secret}\"\n[outgoing_pools.rabbit.event_pusher.connection]\npassword = \"{secret}\"\n\
             tls.password = \"{secret}\"\n"
        ));
        let secrets = if to_file { Secrets::File } else { Secrets::Environment };
        let made = made(&text, secrets).toml;
        prop_assert_eq!(made.matches(&secret).count(), if to_file { 3 } else { 0 });
        load(&made);
    }
}
