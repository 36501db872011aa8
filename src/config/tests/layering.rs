//! Which layer wins, and what becomes of named things.

use secrecy::ExposeSecret;

use super::{load, load_files, origin_of, problems};
use crate::config::{Format, QueueType};

#[test]
fn the_environment_wins_over_files_and_a_later_file_over_an_earlier() {
    let files = [
        ("a.toml", "[sns]\npool_size = 1\nregion = \"eu-west-1\"\n[log]\nfilter = \"warn\""),
        ("b.toml", "[sns]\npool_size = 2\nregion = \"eu-west-2\""),
    ];
    let config = load_files(&files, &[("EVENT_PUSHER__SNS__POOL_SIZE", "3")]).unwrap();
    assert_eq!(config.sns.pool_size, 3);
    assert_eq!(config.sns.account.region.as_deref(), Some("eu-west-2"));
    assert_eq!(config.log.filter, "warn");
    assert_eq!(
        origin_of(&config, "sns.pool_size"),
        "environment variable EVENT_PUSHER__SNS__POOL_SIZE"
    );
    assert_eq!(origin_of(&config, "sns.region"), "b.toml:3");
    assert_eq!(origin_of(&config, "log.filter"), "a.toml:5");
    assert_eq!(origin_of(&config, "sns.muc_host"), "default");
}

#[test]
fn the_environment_gives_every_kind_of_value() {
    let config = load(
        "",
        &[
            ("EVENT_PUSHER__AMQP__DECLARE", "False"),
            ("EVENT_PUSHER__AMQP__URIS", r#"["amqp://a", "amqp://b"]"#),
            ("EVENT_PUSHER__AMQP__QUEUE_TYPE", "classic"),
            ("EVENT_PUSHER__AMQP__SOURCES__EVENTS__ROUTING_KEYS", "a.#, b.*"),
            ("EVENT_PUSHER__SHUTDOWN__GRACE_MS", " 0 "),
            (
                "EVENT_PUSHER__SNS__MUC_TOPICS__ROOMS.@HOST@",
                "arn:aws:sns:eu-west-1:123456789012:rooms",
            ),
        ],
    )
    .unwrap();
    assert!(!config.amqp.declare);
    assert_eq!(
        config.amqp.uris.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["amqp://a", "amqp://b"]
    );
    assert_eq!(config.amqp.queue_type, QueueType::Classic);
    assert_eq!(config.amqp.sources[0].routing_keys, ["a.#", "b.*"]);
    assert!(config.shutdown.grace.is_zero());
    assert_eq!(config.sns.routing.muc_topics["rooms.@HOST@"].name(), "rooms");
}

#[test]
fn an_empty_variable_unsets_a_text_and_leaves_a_number_alone() {
    let toml = "[sns]\nregion = \"eu-west-1\"\npool_size = 7\nmuc_host = \"muc.example\"\n[admin]\nlisten = \"a:1\"";
    let environment = [
        ("EVENT_PUSHER__SNS__REGION", ""),
        ("EVENT_PUSHER__SNS__POOL_SIZE", ""),
        ("EVENT_PUSHER__SNS__MUC_HOST", ""),
        ("EVENT_PUSHER__ADMIN__LISTEN", ""),
    ];
    let config = load(toml, &environment).unwrap();
    assert_eq!(config.sns.account.region, None);
    assert_eq!(config.sns.pool_size, 7);
    assert_eq!(config.sns.routing.muc_host, "conference.@HOST@", "which it can't do without");
    assert_eq!(config.admin.listen, None);
}

#[test]
fn variables_of_others_are_left_alone() {
    assert!(
        load("", &[("EVENT_PUSHER_DEV__PORT", "x"), ("EVENT_PUSHER", "y"), ("ÄÄÄÄÄÄÄÄÄ", "z")])
            .is_ok()
    );
}

#[test]
fn given_sources_replace_the_default_one_and_take_over_its_values() {
    let toml = "[amqp.sources.mongoose]\nexchange = \"chat_msg\"\nexchange_durable = false\nformat = \"mongooseim\"";
    let config = load(toml, &[("EVENT_PUSHER__AMQP__SOURCES__OTHER__QUEUE", "other")]).unwrap();
    let [mongoose, other] = config.amqp.sources.as_slice() else {
        panic!("{:?}", config.amqp.sources);
    };
    assert_eq!((mongoose.name.as_str(), mongoose.exchange.as_str()), ("mongoose", "chat_msg"));
    assert_eq!(
        (mongoose.queue.as_str(), mongoose.format),
        ("event-pusher-sns", Format::Mongooseim)
    );
    assert!(!mongoose.exchange_durable);
    assert_eq!((other.name.as_str(), other.exchange.as_str()), ("other", "chat.events"));
    assert_eq!((other.queue.as_str(), other.format), ("other", Format::Auto));
    assert_eq!(origin_of(&config, "amqp.sources.events.queue"), "absent");
}

#[test]
fn a_source_may_have_nothing_but_a_name() {
    let config = load("[amqp.sources.chat]", &[]).unwrap();
    assert_eq!(config.amqp.sources.len(), 1);
    assert_eq!(config.amqp.sources[0].name, "chat");
}

#[test]
fn a_user_s_uris_replace_the_default_uri_but_not_a_user_s_own() {
    let uris = "amqp.uris = [\"amqp://a\", \"amqps://b:5671/chat\"]";
    assert_eq!(load(uris, &[]).unwrap().amqp.uris.len(), 2);
    assert_eq!(
        problems(uris, &[("EVENT_PUSHER__AMQP__URI", "amqp://u:planted@c")]),
        "1 problem in the configuration:\n\n  \
         local.toml:1: amqp.uris = [\"amqp://a\", \"amqps://b:5671/chat\"]\n      \
         stands beside amqp.uri (environment variable EVENT_PUSHER__AMQP__URI), which it replaces\n      \
         remedy: keep one of them; an empty amqp.uri counts as unset"
    );
    let file = "[amqp]\nuri = \"amqp://c\"\nuris = [\"amqp://a\"]";
    assert!(load(file, &[("EVENT_PUSHER__AMQP__URI", "")]).is_ok());
}

const ROUTING: &str = r#"
[sns]
region = "eu-west-1"
account_id = "123456789012"
pm_messages_topic = "pm"
muc_messages_topic = "arn:aws:sns:us-east-1:210987654321:muc"
[sns.muc_topics]
"Rooms.Partner.example" = "partner"
"other.example" = "other"
"#;

#[test]
fn a_host_overrides_what_it_names_and_keeps_the_rest() {
    let toml = ROUTING.to_owned()
        + r#"
[hosts."Example.CN".sns]
region = "cn-north-1"
plugin_module = "custom"
muc_host = "MUC.@HOST@"
muc_topics = { "other.example" = "" }
"#;
    let config = load(&toml, &[]).unwrap();
    let host = &config.hosts["example.cn"];
    assert_eq!(
        host.pm_messages_topic.as_ref().unwrap().as_str(),
        "arn:aws-cn:sns:cn-north-1:123456789012:pm"
    );
    assert_eq!(
        host.muc_messages_topic.as_ref().unwrap().region(),
        "us-east-1",
        "a whole ARN stays as it is"
    );
    assert_eq!(host.presence_updates_topic, None);
    assert_eq!((host.plugin_module.as_str(), host.muc_host.as_str()), ("custom", "muc.@HOST@"));
    assert_eq!(host.muc_topics.keys().collect::<Vec<_>>(), ["rooms.partner.example"]);
    assert_eq!(config.sns.routing.muc_topics.len(), 2);
    assert_eq!(config.sns.routing.pm_messages_topic.as_ref().unwrap().region(), "eu-west-1");
}

#[test]
fn a_host_in_the_environment_is_the_same_host_as_in_the_file() {
    let toml = ROUTING.to_owned() + "[hosts.\"example.org\".sns]\npm_messages_topic = \"file\"";
    let name = "EVENT_PUSHER__HOSTS__EXAMPLE.ORG__SNS__PM_MESSAGES_TOPIC";
    let config = load(&toml, &[(name, "environment")]).unwrap();
    assert_eq!(
        config.hosts["example.org"].pm_messages_topic.as_ref().unwrap().name(),
        "environment"
    );
}

/// Bash sets no variable with a dot in its name.
#[test]
fn a_domain_in_the_name_of_a_variable_may_have_its_dots_spelled_out() {
    let toml = ROUTING.to_owned() + "[hosts.\"example.org\".sns]\npm_messages_topic = \"file\"";
    let variables = [
        ("EVENT_PUSHER__HOSTS__EXAMPLE_DOT_ORG__SNS__REGION", "us-east-2"),
        ("EVENT_PUSHER__SNS__MUC_TOPICS__ROOMS_DOT_A_DOT_EXAMPLE", "rooms"),
        ("EVENT_PUSHER__AMQP__SOURCES__A_DOT_B__QUEUE", "q"),
    ];
    let config = load(&toml, &variables).unwrap();
    let host = &config.hosts["example.org"];
    let topic = host.pm_messages_topic.as_ref().unwrap();
    assert_eq!((topic.region(), topic.name()), ("us-east-2", "file"));
    assert_eq!(host.muc_topics["rooms.a.example"].name(), "rooms");
    assert_eq!(config.amqp.sources[0].name, "a_dot_b", "which is no domain");
    let key = config.effective.iter().find(|it| it.key.to_string().contains("example.org\".sns.r"));
    assert_eq!(key.unwrap().key.environment_name(), variables[0].0);
    assert_eq!(key.unwrap().origin.to_string(), format!("environment variable {}", variables[0].0));

    let misspelt = [("EVENT_PUSHER__HOSTS__EXAMPLE_DOT_ORG__SNS__REGOIN", "x")];
    let remedy = problems("", &misspelt);
    assert!(remedy.contains(&format!("did you mean `{}`?", variables[0].0)), "{remedy}");
    let twice = [variables[0], ("EVENT_PUSHER__HOSTS__EXAMPLE.ORG__SNS__REGION", "us-east-2")];
    assert!(problems("", &twice).contains("is given twice"));
}

#[test]
fn a_host_has_an_access_of_its_own_only_where_it_differs() {
    let toml = r#"
[sns]
region = "eu-west-1"
account_id = "123456789012"
pm_messages_topic = "pm"
access_key_id = "base"
secret_access_key = "s"
session_token = "t"
[hosts."same.example".sns]
access_key_id = "base"
secret_access_key = "s"
session_token = "t"
[hosts."other.example".sns]
access_key_id = "other"
secret_access_key = "s"
[hosts."others-twin.example".sns]
access_key_id = "other"
secret_access_key = "s"
[hosts."elsewhere.example".sns]
sns_host = "localhost:1"
[hosts."chain.example".sns]
access_key_id = ""
secret_access_key = ""
session_token = ""
"#;
    let config = load(toml, &[]).unwrap();
    let access = |host: &str| {
        let topic = config.hosts[host].pm_messages_topic.as_ref().unwrap();
        let access = config.sns.access_to(topic);
        let keys = access.credentials.as_ref();
        let id = keys.map(|it| it.access_key_id.expose_secret().to_owned());
        let token = keys.and_then(|it| it.session_token.as_ref()).is_some();
        (topic.access(), id.unwrap_or_default(), token, access.endpoint.is_some())
    };
    assert_eq!(access("same.example"), (0, "base".to_owned(), true, false));
    assert_eq!(
        access("other.example"),
        (3, "other".to_owned(), false, false),
        "no token of the base"
    );
    assert_eq!(access("others-twin.example"), access("other.example"));
    assert_eq!(access("elsewhere.example"), (2, "base".to_owned(), true, true));
    assert_eq!(access("chain.example"), (1, String::new(), false, false));
    assert_eq!(config.topics().filter(|(_, topic)| topic.name() == "pm").count(), 4);
}

#[test]
fn a_script_is_meant_from_the_folder_of_the_file_that_names_it() {
    let named = |files: &[(&str, &str)], environment: &[(&str, &str)]| {
        load_files(files, environment).unwrap().sns.routing.plugin_module
    };
    let toml = "sns.plugin_module = \"policies/a.rhai\"";
    assert_eq!(named(&[("/etc/pusher/worker.toml", toml)], &[]), "/etc/pusher/policies/a.rhai");
    assert_eq!(named(&[("worker.toml", toml)], &[]), "policies/a.rhai");
    let absolute = "sns.plugin_module = \"/srv/a.rhai\"";
    assert_eq!(named(&[("/etc/pusher/worker.toml", absolute)], &[]), "/srv/a.rhai");
    let variable = [("EVENT_PUSHER__SNS__PLUGIN_MODULE", "b.rhai")];
    assert_eq!(named(&[("/etc/pusher/worker.toml", toml)], &variable), "b.rhai");
}
