//! Nothing is dropped in silence: what is misspelt, misplaced, not filled in, or another release's is reported.

use super::*;

/// A backend, so that there is something to import.
const RABBIT: &str = "[modules.mod_event_pusher.rabbit.chat_msg_exchange]\n";
const RABBIT_TERMS: &str = "{modules, [{mod_event_pusher, [{backends, [{rabbit, []}]}]}]}.\n";

/// What is made of a file, with each comment on one line.
fn made_of(name: &str, text: &str) -> String {
    let made = import(&input(text, name, Secrets::File)).unwrap_or_else(|error| panic!("{error}"));
    assert!(made.toml.parse::<::toml::Table>().is_ok(), "{}", made.toml);
    made.toml.replace("\n#  ", "")
}

/// Reported as not carried over, with its line.
fn assert_reported(name: &str, text: &str, expected: &str) {
    let toml = made_of(name, text);
    assert!(toml.contains(&format!("NOT CARRIED OVER: {expected}")), "{text}\n{toml}");
}

#[test]
fn misspelt_and_misplaced_names_are_reported_with_the_nearest_one() {
    let is = |meant: &str| format!("is no name that is read here; did you mean {meant}?");
    for (more, what, why) in [
        // A misprint of MongooseIM's own documentation.
        (
            "[modules.mod_event_pusher_rabbit.presence_exchange]",
            "modules.mod_event_pusher_rabbit (line 2)",
            is("mod_event_pusher.rabbit"),
        ),
        ("[module.mod_muc]", "module (line 2)", is("modules")),
        ("[modules.mod_mcu]", "modules.mod_mcu (line 2)", is("mod_muc")),
        ("[outgoing_pool.rabbit]", "outgoing_pool (line 2)", is("outgoing_pools")),
        ("[outgoing_pools.rabit.event_pusher]", "outgoing_pools.rabit (line 2)", is("rabbit")),
        (
            "[outgoing_pools.rabbit.event_pushr]",
            "outgoing_pools.rabbit.event_pushr (line 2)",
            is("event_pusher"),
        ),
        ("[sns]", "sns (line 2)", is("modules.mod_event_pusher.sns")),
        (
            "[[host_config]]\nhost = \"a\"\n[host_config.moduls.mod_muc]",
            "host_config.moduls (line 4)",
            is("modules"),
        ),
        ("[host_config]\nhost = \"a\"", "host_config (line 2)", "is no list of tables".to_owned()),
        (
            "[modules.mod_event_pusher.rabbit.presense_exchange]",
            "modules.mod_event_pusher.rabbit.presense_exchange (line 2)",
            "is no option that is known here; did you mean presence_exchange?".to_owned(),
        ),
        (
            "[modules.mod_event_pusher.sns]\nregoin = \"planted\"",
            "modules.mod_event_pusher.sns.regoin (line 3)",
            "is no option that is known here; did you mean region?".to_owned(),
        ),
        (
            "[outgoing_pools]\nrabbit = 1",
            "outgoing_pools.rabbit (line 3)",
            "stands twice, or".to_owned(),
        ),
    ] {
        assert_reported("a.toml", &format!("{RABBIT}{more}\n"), &format!("{what} {why}"));
    }
    assert_reported("a.toml", &format!("modules_ = 1\n{RABBIT}"), "modules_ (line 1) is no name");
}

#[test]
fn misspelt_and_misplaced_terms_are_reported_with_the_nearest_one() {
    let is = |meant: &str| format!("is no name that is read here; did you mean {meant}?");
    for (more, what, why) in [
        // A misprint of MongooseIM's own documentation.
        ("{ougtoing_pools, []}.", "ougtoing_pools", is("outgoing_pools")),
        ("{mod_muc_lihgt, []}.", "mod_muc_lihgt", is("mod_muc_light")),
        (
            "{outgoing_pools, [{rabit, host, event_pusher, [], []}]}.",
            "outgoing_pools.rabit",
            is("rabbit"),
        ),
        (
            "{outgoing_pools, [{rabbit, host, event_pushr, [], []}]}.",
            "outgoing_pools.rabbit.event_pushr",
            "is not mod_event_pusher's".to_owned(),
        ),
        ("{outgoing_pools, none}.", "outgoing_pools", "is no list, so it is not read".to_owned()),
        ("{mod_event_pusher, [], []}.", "mod_event_pusher", "has not the form that".to_owned()),
        ("{sns, [{regoin, \"planted\"}]}.", "backends.sns.regoin", "is no option that".to_owned()),
        ("{host_config, \"a\", [{moduels, []}]}.", "host_config.moduels", is("modules")),
        ("{host_config, \"a\", [{{add, moduels}, []}]}.", "host_config.moduels", is("modules")),
        (
            "{host_config, \"a\", [{outgoing_pools, []}]}.",
            "host_config.outgoing_pools",
            is("outgoing_pools outside of host_config"),
        ),
        ("{[], []}.", "(no name)", "is no option".to_owned()),
        ("{modules, 'M'}.", "modules", "is no list of options".to_owned()),
    ] {
        let text = format!("{more}\n{RABBIT_TERMS}");
        assert_reported("a.cfg", &text, &format!("{what} (line 1) {why}"));
    }
    let twice = format!("{RABBIT_TERMS}{RABBIT_TERMS}");
    assert_reported("a.cfg", &twice, "modules (line 2) stands a second time");
    let also = format!("{{rabbit, []}}.\n{RABBIT_TERMS}");
    assert_reported("a.cfg", &also, "rabbit (line 2) stands a second time; this one counts");
}

#[test]
fn what_is_not_about_events_is_named_once() {
    let rest = "[general]\nloglevel = \"error\"\n[modules.mod_mam]\n[modules.mod_muc_log]\n[acme]\n[outgoing_pools.rdbms]\n\
                [[host_config]]\nhost = \"a\"\n[host_config.auth]\n[host_config.modules.mod_mam]\n";
    let toml = made_of("a.toml", &format!("{RABBIT}{rest}"));
    let expected = "# Not read, having nothing to do with these events: acme, general, host_config.auth, \
                    host_config.modules.mod_mam, modules.mod_mam, modules.mod_muc_log, outgoing_pools.rdbms.\n";
    assert!(toml.contains(expected) && !toml.contains("NOT CARRIED OVER:"), "{toml}");
    let rest = "override_global.\n{acl, local, {user_regexp, \"\"}}.\n{acl, admin, none}.\n{{s2s_host, \"a\"}, allow}.\n\
                {outgoing_pools, [{redis, global, default, [], []}]}.\n";
    let toml = made_of("a.cfg", &format!("{RABBIT_TERMS}{rest}"));
    let expected = "events: acl, outgoing_pools.redis, override_global, s2s_host.\n";
    assert!(toml.contains(expected) && !toml.contains("NOT CARRIED OVER:"), "{toml}");
    let many = (0..150).map(|number| format!("[x{number}]\n")).collect::<Vec<_>>().concat();
    let toml = made_of("a.toml", &format!("{RABBIT}{many}"));
    assert!(toml.contains(" and 50 more.\n"), "{toml}");
    assert!(!made_of("a.toml", RABBIT).contains("Not read"));
}

#[test]
fn a_part_that_stands_before_the_modules_is_kept() {
    let topic = "{sns, [{region, \"eu-west-1\"}, {pm_messages_topic, \"kept\"}]}.\n";
    for text in [format!("{topic}{RABBIT_TERMS}"), format!("{RABBIT_TERMS}{topic}")] {
        let toml = made_of("a.cfg", &text);
        assert!(toml.contains("pm_messages_topic = \"kept\""), "{toml}");
        assert!(!toml.contains("NOT CARRIED OVER:"), "{toml}");
    }
}

#[test]
fn where_nothing_can_be_imported_the_misspelt_name_is_shown() {
    for (name, text, expected) in [
        (
            "a.toml",
            "[modules.mod_event_pusher_sns]\n",
            "not read: modules.mod_event_pusher_sns (line 1)",
        ),
        (
            "a.cfg",
            "{moduels, []}.",
            "not read: moduels (line 1) is no name that is read here; did you mean",
        ),
    ] {
        let error = import(&input(text, name, Secrets::File)).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let text = format!("[modules.\"mod_muk{}\u{202e}\"]\n", "x".repeat(500))
        + "[modules.\"mod_muk\u{202e}\"]\n";
    let error = import(&input(&text, "a.toml", Secrets::File)).err().unwrap().to_string();
    assert!(error.contains("mod_muk\\u{202e} (line 2)"), "{error}");
}

#[test]
fn a_template_is_refused_with_its_line_and_the_place_of_the_rendered_file() {
    let in_text = with_sns("pm_messages_topic = \"a-{{topic}}\"\n");
    let password = "[outgoing_pools.rabbit.event_pusher.connection]\npassword = ";
    for (name, text, place) in [
        ("a.toml", "[general]\n  hosts = {{{hosts}}}\n", ":2:11: "),
        ("a.toml", "{{{mod_last}}}\n[modules]\n", ":1:1: "),
        ("a.cfg", "%% {{no}}\n{hosts, {{{hosts}}} }.\n", ":2:9: "),
        ("a.cfg", "{sns, [{region, \"a\"},\n {account_id, \"{{id}}\"}]}.", ":2:16: "),
        ("a.toml", &*in_text, ":4:24: "),
        ("a.toml", &*format!("{RABBIT}{password}\"{{{{rabbit_password}}}}\""), ":3:13: "),
        ("a.toml", &*format!("{RABBIT}[[host_config]]\nhost = \"{{{{a}}}}\""), ":3:9: "),
    ] {
        let error =
            import(&input(text, name, Secrets::File)).err().unwrap_or_else(|| panic!("{text}"));
        let said = error.to_string();
        assert!(said.starts_with(place), "{text}: {said}");
        let file = if name == "a.cfg" { "mongooseim.cfg" } else { "mongooseim.toml" };
        assert!(said.contains("import the rendered file") && said.contains(file), "{said}");
    }
    // A secret may have braces, and what is not read may have anything.
    let other = "[modules.mod_register]\nwelcome_message.body = \"Hello {{user}}\"\n";
    made_of("a.toml", &format!("{RABBIT}{other}{password}\"a{{{{b}}}}c\""));
}

#[test]
fn each_type_of_exchange_is_told_by_what_it_does() {
    for (routing, said) in [
        ("direct", "nobody can take the events of all users"),
        (
            "x-consistent-hash",
            "by a hash of the routing key: a queue that is bound alone gets the events of all users",
        ),
        (
            "x-modulus-hash",
            "modulo their number: a queue that is bound alone gets the events of all users",
        ),
        ("x-random", "at random: a queue that is bound alone gets the events of all users"),
        ("x-local-random", "only queues on every such node get the events of all users"),
        (
            "x-recent-history",
            "gets the last ones again, 20 unless set otherwise, and they would be published twice",
        ),
        ("x-delayed-message", "in the exchange's argument x-delayed-type"),
        ("x-jms-topic", "a queue whose selector is always true gets the events of all users"),
        ("x-acme", "is of type x-acme, which is not one of RabbitMQ's own"),
    ] {
        let made = with_rabbit(
            &["pm_messages_topic"],
            &format!("chat_msg_exchange.type = \"{routing}\"\n"),
        );
        let toml = made.toml.replace("\n#  ", "");
        assert_eq!((sources(&toml), made.left_out), (vec![], 1), "{toml}");
        assert!(toml.contains(said), "{toml}");
        assert!(toml.contains("docs/from-mongooseim.md#exchange-types."), "{toml}");
        assert_eq!(toml.contains("A worker does not bind to it"), routing != "direct", "{toml}");
    }
    for routing in ["fanout", "headers"] {
        let made = with_rabbit(
            &["pm_messages_topic"],
            &format!("chat_msg_exchange.type = \"{routing}\"\n"),
        );
        let toml = made.toml.replace("\n#  ", "");
        assert_eq!((sources(&toml), made.left_out), (vec!["chat"], 0), "{toml}");
        let said = format!("An exchange of type {routing} hands on all that is published to it");
        assert!(toml.contains(&said), "{toml}");
    }
}

#[test]
fn the_default_plugin_is_known_by_its_name_up_to_2_1() {
    let toml = made(&with_sns("plugin_module = \"mod_aws_sns_defaults\"\n"), Secrets::File).toml;
    assert!(toml.contains("\nplugin_module = \"mod_event_pusher_sns_defaults\"\n"), "{toml}");
    assert!(toml.contains("choice: mod_aws_sns_defaults is the default plugin's name"), "{toml}");
    assert!(!toml.contains("NOT CARRIED OVER:"), "{toml}");
}

#[test]
fn topics_that_may_have_been_silent_are_told_only_where_they_can_be() {
    let note = "topics that got nothing so far may get events now";
    let old = "{mod_aws_sns, [{pm_messages_topic, \"t\"}]}.\n";
    let pool = "{outgoing_pools, [{rabbit, host, event_pusher, [], []}]}.\n";
    for (name, text, expected) in [
        ("a.toml", with_sns("pm_messages_topic = \"t\"\n"), true),
        ("a.toml", with_sns(""), false),
        ("a.toml", RABBIT.to_owned(), false),
        ("a.cfg", "{sns, [{pm_messages_topic, \"t\"}]}.".to_owned(), true),
        ("a.cfg", old.to_owned(), false),
        // Pools for RabbitMQ came with 3.3.
        ("a.cfg", format!("{old}{pool}"), true),
    ] {
        let made = import(&input(&text, name, Secrets::File)).unwrap_or_else(|it| panic!("{it}"));
        let is_told = made.toml.replace("\n#  ", "").contains(note);
        assert_eq!((made.may_have_been_silent, is_told), (expected, expected), "{}", made.toml);
    }
}

#[test]
fn rooms_are_told_of_in_two_lines() {
    let toml = made(&with_sns("muc_messages_topic = \"g\"\n"), Secrets::File).toml;
    let (_, rest) = toml.split_once("# choice: a room must be on a domain").unwrap();
    let said: Vec<_> = rest.lines().take_while(|line| !line.starts_with("muc_")).collect();
    assert!(said.len() <= 2 && rest.contains("docs/from-mongooseim.md#rooms"), "{toml}");
}

#[test]
fn what_turns_or_hides_text_is_escaped_in_comments_and_values() {
    let name = "a\u{202e}b\u{200b}\u{2066}\u{e0041}";
    let sns = with_sns(&format!("pm_messages_topic = \"{name}\"\nplugin_module = \"{name}\"\n"));
    let text = format!(
        "[\"{name}\"]\n{sns}\"{name}\" = 1\n[modules.mod_event_pusher.rabbit.chat_msg_exchange]\nname = \"{name}\"\n\
         [[host_config]]\nhost = \"{name}\"\n[host_config.modules.mod_event_pusher.sns]\n"
    );
    let made = import(&input(&text, &format!("{name}.toml"), Secrets::File)).unwrap().toml;
    assert!(
        !made.chars().any(|c| c != '\n' && event_pusher_core::text::is_unprintable(c)),
        "{made}"
    );
    let table: ::toml::Table = made.parse().unwrap();
    assert_eq!(table["sns"]["pm_messages_topic"].as_str(), Some(name));
    assert_eq!(table["amqp"]["sources"]["chat"]["exchange"].as_str(), Some(name));
}
