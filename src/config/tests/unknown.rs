//! A value that is wrong, or can't be read, is unknown in the rules about others: they judge the rest.

use super::{PLUGINS, load, load_files, problems};
use crate::config::{Askable, Draft, Inputs};

#[test]
fn what_stands_under_a_misspelt_name_is_looked_at_under_the_name_that_was_meant() {
    let keys = |toml: &str, environment: &[(&str, &str)]| {
        let problems = load(toml, environment).unwrap_err();
        let keys = problems.as_slice().iter().map(|it| it.key.as_ref().unwrap().to_string());
        keys.collect::<Vec<_>>()
    };
    for (toml, expected) in [
        // One mistake is one problem.
        (
            "sns.regoin = \"eu-west-1\"\nsns.account_id = \"123456789012\"\nsns.pm_messages_topic = \"a\"",
            &["sns.regoin"][..],
        ),
        ("sns.pool_sise = 0", &["sns.pool_sise", "sns.pool_size"]),
        (
            "[ampq]\nprefetch = 70000\nqueue_tpye = \"x\"",
            &["ampq", "amqp.prefetch", "amqp.queue_tpye", "amqp.queue_type"],
        ),
        ("[source.chat]\nqueue = \"amq.x\"", &["source", "amqp.sources.chat.queue"]),
        ("[sources.chat]\nqueue = \"amq.x\"", &["sources", "amqp.sources.chat.queue"]),
        (
            "[hosts.\"a.b\".snss]\nsns_host = \"ftp://x\"",
            &["hosts.\"a.b\".snss", "hosts.\"a.b\".sns.sns_host"],
        ),
        // What has the right name counts, and nobody asked for a second source.
        ("[sns]\npool_sise = 0\npool_size = 5", &["sns.pool_sise"]),
        ("[amqp]\nqueue = \"amq.x\"\n[amqp.sources.chat]", &["amqp.queue"]),
    ] {
        assert_eq!(keys(toml, &[]), expected, "{toml}");
    }
    let variables = [("EVENT_PUSHER__SNS__POOL_SISE", "0"), ("EVENT_PUSHER__ADMIN_LISTEN", "x")];
    let expected = ["admin.listen", "admin_listen", "sns.pool_sise", "sns.pool_size"];
    assert_eq!(keys("", &variables), expected);
    let secret = "sns.muc_hots = \"planted secret\"\nsns.plugin_modul = \"planted\"";
    assert!(!problems(secret, &[]).contains("planted"), "{}", problems(secret, &[]));
}

#[test]
fn of_what_can_not_be_read_nothing_is_concluded() {
    let rest = "[sns]\npm_messages_topic = \"a b\"\naccess_key_id = \"A\"\n[amqp]\ncert_file = \"c\"\nuri = \"\"";
    let broken = load_files(&[("rest.toml", rest), ("broken.toml", "[sns\n")], &[]).unwrap_err();
    let said: Vec<_> = broken.as_slice().iter().map(|it| it.origin.to_string()).collect();
    assert_eq!(said, ["rest.toml:2", "broken.toml:1:5"], "{broken}");
    // Without the broken file there is more to say.
    assert_eq!(load(rest, &[]).unwrap_err().as_slice().len(), 6);

    let (mut inputs, unread) = Inputs::read_all(&["absent.toml".into()], "none".as_ref(), []);
    inputs.files.push(("rest.toml".to_owned(), rest.to_owned()));
    let mut draft = Draft::read(&inputs, unread, PLUGINS).unwrap();
    draft.require_topics();
    assert_eq!(draft.problems().unwrap().as_slice().len(), 2, "{:?}", draft.problems());
    assert!(matches!(draft.askable_broker(), Askable::Nothing));
    assert_eq!(draft.askable_topics().count(), 0);
}

#[test]
fn retries_are_judged_by_what_is_known_of_them() {
    for (toml, expected) in [
        (
            "publish_retry_count = 25\nattempt_timeout_ms = 0",
            "1677722 s or more (1677722 s of pauses), which",
        ),
        (
            "publish_retry_count = 30\nattempt_timeout_ms = 60000\npublish_retry_time_ms = -1",
            "1860 s or more (31 attempts of 60000 ms), which",
        ),
        (
            "publish_retry_count = 25\n[outage]\nhand_back_after_s = 0",
            "outage.hand_back_after_s at its most, 1799;",
        ),
        (
            "publish_retry_count = -1\nattempt_timeout_ms = 20000\n[outage]\nhand_back_after_s = 20",
            "20 s or more (1 attempts",
        ),
    ] {
        let found = problems(&format!("[sns]\n{toml}"), &[]);
        assert!(found.contains(expected), "{toml}: {found}");
        assert!(found.starts_with("2 problems"), "{toml}: {found}");
    }
    for unknown in [
        "publish_retry_count = -1\npublish_retry_time_ms = 600000",
        "attempt_timeout_ms = 0\npublish_retry_count = 14",
    ] {
        let found = problems(&format!("[sns]\n{unknown}"), &[]);
        assert!(found.starts_with("1 problem"), "{unknown}: {found}");
    }
}

#[test]
fn an_exchange_of_two_sources_is_declared_alike() {
    const ARN: &str = "sns.pm_messages_topic = \"arn:aws:sns:eu-west-1:123456789012:t\"";
    let sources = |more: &str| {
        format!("{ARN}\n[amqp.sources.a]\nqueue = \"a\"\n[amqp.sources.b]\nqueue = \"b\"\n{more}")
    };
    assert!(load(&sources(""), &[]).is_ok());
    for (key, value) in [("exchange_type", "\"direct\""), ("exchange_durable", "false")] {
        let differing = sources(&format!("{key} = {value}"));
        let found = problems(&differing, &[]);
        let expected = format!(
            "local.toml:6: amqp.sources.b.{key} = {value}\n      differs from amqp.sources.a.{key}, and both"
        );
        assert!(found.contains(&expected), "{found}");
        assert!(load(&format!("{differing}\nexchange = \"other\""), &[]).is_ok());
        assert!(load(&differing, &[("EVENT_PUSHER__AMQP__DECLARE", "false")]).is_ok());
        // It is not consumed, so `run` does not declare it.
        let rooms = format!("{differing}\nformat = \"mongooseim-groupchat\"");
        assert!(load(&rooms, &[]).is_ok());
    }
}
