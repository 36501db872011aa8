//! What is said of configurations of MongooseIM, whatever comes in. Whether what is made of them loads is tried where
//! it is loaded: in `src/cli/import/tests.rs` and `tests/import.rs` of the program.

use proptest::prelude::*;

use super::*;

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
