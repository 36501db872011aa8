//! The promises of the configuration as a whole.

mod draft;
mod keys;
mod layering;
mod odd_values;
mod one_go;
mod problems;
mod rules;
mod secrets;
mod topics;
mod unknown;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::*;

/// The plugin of the tests besides the default one.
const PLUGINS: &[&str] = &["mod_event_pusher_sns_defaults", "custom"];

/// Loads one file, `local.toml`, and environment variables.
fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    load_files(&[("local.toml", toml)], environment)
}

fn load_files(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Config, Problems> {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let inputs = Inputs {
        files: files.iter().map(owned).collect(),
        environment: environment.iter().map(owned).collect(),
    };
    Config::load(&inputs, PLUGINS)
}

/// The text of the problems that the configuration must have.
fn problems(toml: &str, environment: &[(&str, &str)]) -> String {
    match load(toml, environment) {
        Ok(config) => panic!("no problem found: {config:#?}"),
        Err(problems) => problems.to_string(),
    }
}

fn origin_of(config: &Config, key: &str) -> String {
    let row = config.effective.iter().find(|row| row.key.to_string() == key);
    row.map_or_else(|| "absent".to_owned(), |row| row.origin.to_string())
}

#[test]
fn the_defaults_alone_are_a_valid_configuration() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.amqp.uris[0].expose(), "amqp://guest:guest@127.0.0.1:5672/%2f");
    assert_eq!(config.amqp.sources.len(), 1);
    assert_eq!(config.amqp.sources[0].queue, "event-pusher-sns");
    assert_eq!(config.sns.routing.pm_messages_topic, None);
    assert_eq!(config.sns.routing.muc_host, "conference.@HOST@");
    assert!(config.sns.access.credentials.is_none());
    assert_eq!(config.sns.pool_size, 100);
    assert_eq!(config.admin.listen.as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(config.effective.len(), schema::defaults().len());
}

#[test]
fn the_demo_skips_presences_of_the_quiet_host_only() {
    let config = load(include_str!("../../config/demo.toml"), &[]).unwrap();
    let topic =
        |routing: &Routing| routing.presence_updates_topic.as_ref().map(ToString::to_string);
    let arn = "arn:aws:sns:us-east-1:123456789012:presence_updates";
    assert_eq!(topic(&config.sns.routing).as_deref(), Some(arn));
    let quiet = &config.hosts["quiet.example"];
    assert_eq!(topic(quiet), None);
    assert_eq!(quiet.pm_messages_topic, config.sns.routing.pm_messages_topic);
    assert_eq!(config.amqp.sources[0].queue, "event-pusher-sns-demo");
    assert_eq!(config.sns.access.endpoint.unwrap().as_str(), "http://127.0.0.1:21673/");
}

#[test]
fn the_prefetch_follows_pool_and_batch_unless_it_is_given() {
    assert_eq!(load("", &[]).unwrap().amqp.prefetch, 1500);
    let least = load("[sns]\npool_size = 1\nbatch_max_entries = 1", &[]).unwrap();
    assert_eq!(least.amqp.prefetch, 1);
    let most = load("[sns]\npool_size = 1000", &[]).unwrap();
    assert_eq!(most.amqp.prefetch, 15_000);
    let ordered = load("[sns]\nordering = \"per-key\"", &[]).unwrap();
    assert_eq!(ordered.amqp.prefetch, 4500, "much of it waits for its turn");
    assert_eq!(load("amqp.prefetch = 7", &[]).unwrap().amqp.prefetch, 7);
}

#[test]
fn files_are_read_in_order_and_only_the_default_one_may_be_absent() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.toml"), "sns.pool_size = 1").unwrap();
    std::fs::write(path("b.toml"), "sns.pool_size = 2").unwrap();
    let size = |paths: &[_], default: &str| {
        let inputs = Inputs::read(paths, &path(default), Vec::new()).unwrap();
        Config::load(&inputs, PLUGINS).unwrap().sns.pool_size
    };
    assert_eq!(size(&[path("a.toml"), path("b.toml")], "absent.toml"), 2);
    assert_eq!(size(&[], "a.toml"), 1);
    assert_eq!(size(&[], "absent.toml"), 100);

    let absent = path("absent.toml");
    let problems =
        Inputs::read(std::slice::from_ref(&absent), &path("a.toml"), Vec::new()).unwrap_err();
    assert_eq!(
        problems.to_string(),
        format!(
            "1 problem in the configuration:\n\n  {}\n      can't be read: No such file or directory (os error 2)\
             \n      remedy: name a file in TOML that this user may read",
            absent.display()
        )
    );
}

#[test]
fn a_variable_of_ours_that_is_not_utf_8_is_a_problem_and_anothers_is_none() {
    let read = |name: &[u8], value: &[u8]| {
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Inputs::read(&[], Path::new("absent.toml"), [(text(name), text(value))])
    };
    let problems = read(b"EVENT_PUSHER__ADMIN__TOKEN", b"planted\xff").unwrap_err().to_string();
    for part in ["environment variable EVENT_PUSHER__ADMIN__TOKEN", "is not UTF-8", "remedy: "] {
        assert!(problems.contains(part), "{problems}");
    }
    assert!(!problems.contains("planted"), "{problems}");
    let inputs = read(b"EVENT_PUSHER__\xff", b"1").unwrap();
    assert!(Config::load(&inputs, PLUGINS).is_err(), "a name that is no key");
    assert!(read(b"OTHER\xff", b"\xff").unwrap().environment.is_empty());
}

#[test]
fn a_collector_gets_traces_where_otlp_has_them() {
    let endpoint = |text: &str| {
        let toml = format!("trace.otlp_endpoint = \"{text}\"");
        load(&toml, &[]).unwrap().trace.endpoint.map(|it| it.to_string())
    };
    assert_eq!(endpoint(""), None);
    for (text, url) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("localhost:4318", "http://localhost:4318/v1/traces"),
        ("https://otlp.example/otlp/", "https://otlp.example/otlp/v1/traces"),
        ("https://otlp.example/v1/traces", "https://otlp.example/v1/traces"),
    ] {
        assert_eq!(endpoint(text).as_deref(), Some(url), "{text}");
    }
}
