//! No secret leaves the configuration by accident.

use super::{load, load_files};
use crate::config::{Config, Inputs, Key};
use secrecy::ExposeSecret;

const TOML: &str = r#"
[amqp]
uri = "amqp://user:planted-1@rabbit.example/%2f"
[sns]
access_key_id = "planted-2"
secret_access_key = "planted-3"
session_token = "planted-4"
[admin]
token = "planted-5"
"#;

fn assert_clean(text: &str) {
    assert!(!text.contains("planted"), "{text}");
}

#[test]
fn neither_debug_nor_the_summary_shows_a_secret() {
    let environment = [("EVENT_PUSHER__ADMIN__TOKEN", "planted-6")];
    let config = load(TOML, &environment).unwrap();
    assert_eq!(
        config.sns.access.credentials.as_ref().unwrap().secret_access_key.expose_secret(),
        "planted-3"
    );
    assert_clean(&format!("{config:?}"));
    assert_clean(&format!("{config:#?}"));
    let row = |key: &str| {
        config.effective.iter().find(|row| row.key.to_string() == key).unwrap().value.clone()
    };
    assert_eq!(row("sns.secret_access_key"), "***");
    assert_eq!(row("admin.token"), "***");
    assert_eq!(row("amqp.uri"), "\"amqp://user:***@rabbit.example/%2f\"");

    let inputs = Inputs {
        files: vec![("local.toml".to_owned(), TOML.to_owned())],
        environment: vec![("EVENT_PUSHER__ADMIN__TOKEN".to_owned(), "planted-6".to_owned())],
    };
    assert_clean(&format!("{inputs:?}"));
    assert!(Config::load(&inputs, super::PLUGINS).is_ok());
}

#[test]
fn a_problem_with_a_secret_does_not_show_it() {
    for toml in [
        "sns.secret_access_key = \"planted\"",
        "sns.secret_access_key = [\"planted\"]",
        "sns.session_token = \"planted\"",
        "sns.secret_acces_key = \"planted\"",
        "secret_access_key = \"planted\"",
        "[hosts.\"example.org\".sns]\nsecret_access_key = \"planted\"",
        "sns.sns_host = \"http://user:planted@sns.example\"",
        "trace.otlp_endpoint = \"http://user:planted@collector.example\"",
        "trace.otlp_endpoint = [\"http://user:planted@collector.example\"]",
        "amqp.uri = [\"amqp://user:planted@rabbit.example\"]",
        "amqp.uri = \"http://user:planted@rabbit.example\"",
        "amqp.uri = \"amqp://user:1/planted@rabbit.example\"",
        "amqp.uri = \"amqp://user:planted#@rabbit.example\"",
        "amqp.uris = [\"amqp://a\", \"user:planted@rabbit.example\"]",
        "amqp.uris = \"amqp://user:planted@rabbit.example\"",
        "amqp.uri = { x = \"amqp://user:planted@rabbit.example\" }",
        "amqp.uris = [[\"amqp://user:planted\"]]",
        "amqp.uris = [1, { x = \"planted\" }]",
        "amqp.url = \"amqp://user:planted@rabbit.example\"",
        "amqp = \"amqp://user:planted@rabbit.example\"",
        "amqp.uri = \"amqp://a\"\namqp.uris = [\"amqp://user:planted@b\"]",
    ] {
        let problems = load(toml, &[]).unwrap_err();
        assert_clean(&problems.to_string());
        assert_clean(&format!("{problems:?}"));
    }
    for name in [
        "SNS__SECRET_ACCESS_KEY",
        "SNS_SECRET_ACCESS_KEY",
        "SNS",
        "AMQP__URI",
        "AMQP__URIS",
        "SNS__TOKEN",
    ] {
        let name = format!("EVENT_PUSHER__{name}");
        assert_clean(&load("", &[(&name, "[planted")]).unwrap_err().to_string());
    }
}

#[test]
fn an_error_of_syntax_does_not_show_the_line() {
    for toml in [
        "[sns]\nsecret_access_key = \"planted",
        "[sns]\nsecret_access_key = planted",
        "[sns]\nsecret_access_key = 'planted' planted",
        "[sns]\nsecret_access_key = \"planted\\q\"",
        "[sns]\nsecret_access_key = \"planted\"\nsecret_access_key = \"planted\"",
        "[sns]\nsecret_access_key: planted",
        "[sns]\nsecret_access_key = 2024-13-99planted",
        "[sns\nsecret_access_key = \"planted\"",
    ] {
        assert_clean(&load(toml, &[]).unwrap_err().to_string());
    }
    let problems =
        load_files(&[("a.toml", ""), ("b.toml", "[sns]\nregion = \"é\" oops")], &[]).unwrap_err();
    let first = problems.as_slice().first().unwrap();
    assert!(first.origin.to_string().starts_with("b.toml:2:"), "{first}");
    assert!(first.wrong.starts_with("is not valid TOML: "), "{first}");
    assert!(!first.wrong.contains('\n'), "{first}");
}

#[test]
fn operators_tokens_are_not_shown_and_their_names_are_checked() {
    let config = load("[admin.tokens]\nalice = \"planted-planted-planted-planted\"", &[]).unwrap();
    assert_clean(&format!("{config:?}"));
    let shown = config.effective.iter().find(|it| it.key == Key::from("admin.tokens.alice"));
    assert_eq!(shown.unwrap().value, "***");
    assert_eq!(config.admin.usable_tokens().map(|it| it.0).collect::<Vec<_>>(), ["alice"]);
    for name in ["Alice", "admin", "a.b"] {
        let wrong = format!("[admin.tokens]\n{name:?} = \"planted-planted-planted-planted\"");
        assert_clean(&load(&wrong, &[]).unwrap_err().to_string());
    }
}
