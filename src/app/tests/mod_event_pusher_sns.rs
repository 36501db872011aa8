//! The cases of the test suite of MongooseIM's `mod_event_pusher_sns`.

use std::borrow::Cow;

use jid::Jid;
use serde_json::json;

use super::service::Accepted;
use super::*;
use crate::plugin::{Plugin, PluginError};

const ALICE: &str = "Alice@localhost/phone";
const BOB: &str = "bob@localhost/home";
const ROOM: &str = "room@conference.localhost";

fn presence(user: &str, present: bool) -> Envelope {
    event(&json!({"type": "presence", "user_id": user, "present": present}))
}

/// Publishes them with these settings, and returns what was accepted, in the order of topics and bodies.
fn published(
    settings: &str,
    plugins: &Plugins,
    events: impl IntoIterator<Item = Envelope>,
) -> (Vec<Accepted>, Totals) {
    let (events, mut accepted): (Vec<_>, _) = (events.into_iter().collect(), Vec::new());
    let totals = simulate(settings, plugins, async |it| {
        let count = events.len() as u64;
        it.publish(events);
        it.settles(count).await;
        accepted = it.sns.accepted();
    });
    accepted.sort_by_key(|it| (it.topic.clone(), it.body.clone()));
    (accepted, totals)
}

/// Topics and bodies.
fn seen(accepted: &[Accepted]) -> Vec<(&str, &str)> {
    accepted.iter().map(|it| (&*it.topic, &*it.body)).collect()
}

#[test]
fn a_chat_message_goes_to_the_private_message_topic() {
    let (accepted, totals) =
        published("", &Plugins::default(), [message("chat", ALICE, BOB, "hi")]);
    let body = r#"{"from_user_id":"alice@localhost","to_user_id":"bob@localhost","message":"hi"}"#;
    assert_eq!(seen(&accepted), [("pm", body)]);
    assert_eq!((totals.received, totals.published), (1, 1), "{totals}");
}

#[test]
fn a_groupchat_message_goes_to_the_muc_topic() {
    let said = message("groupchat", ALICE, ROOM, "hi all");
    let (accepted, _) = published("", &Plugins::default(), [said]);
    let body = json!({"from_user_id": "alice@localhost", "to_user_id": ROOM, "message": "hi all"});
    assert_eq!((accepted.len(), &*accepted[0].topic, accepted[0].json()), (1, "muc", body));
}

#[test]
fn other_message_types_are_not_forwarded() {
    let kinds = ["headline", "normal", "error", "presence-probe"];
    let events = kinds.map(|kind| message(kind, ALICE, BOB, "hi"));
    let (accepted, totals) = published("", &Plugins::default(), events);
    assert!(accepted.is_empty());
    assert_eq!(totals.reasons().as_deref(), Some("unsupported_type 4"), "{totals}");
}

#[test]
fn a_topic_can_be_given_by_its_arn() {
    let settings = r#"
        [sns]
        account_id = ""
        presence_updates_topic = ""
        pm_messages_topic = "arn:aws:sns:us-east-1:123456789012:other"
        muc_messages_topic = ""
    "#;
    let (accepted, _) = published(settings, &Plugins::default(), [chat(1)]);
    assert_eq!((accepted.len(), &*accepted[0].topic), (1, "other"));
}

#[test]
fn online_and_offline_presence_is_published() {
    let events = [true, false].map(|present| presence(ALICE, present));
    let (accepted, _) = published("", &Plugins::default(), events);
    let body = |present: &str| format!(r#"{{"user_id":"alice@localhost","present":{present}}}"#);
    let (offline, online) = (body("false"), body("true"));
    assert_eq!(seen(&accepted), [("presence", &*offline), ("presence", &*online)]);
}

#[test]
fn a_message_without_a_text_is_skipped_and_an_empty_text_is_published() {
    let without = event(&json!({"type": "chat", "from_user_id": ALICE, "to_user_id": BOB}));
    let events = [without, message("chat", ALICE, BOB, "")];
    let (accepted, totals) = published("", &Plugins::default(), events);
    assert_eq!((accepted.len(), &accepted[0].json()["message"]), (1, &json!("")));
    assert_eq!((totals.published, totals.reasons().as_deref()), (1, Some("no_text 1")), "{totals}");
}

#[test]
fn an_unset_topic_skips_its_events_and_no_others() {
    for (setting, unset) in [
        ("pm_messages_topic", "pm"),
        ("muc_messages_topic", "muc"),
        ("presence_updates_topic", "presence"),
    ] {
        let events = [
            message("chat", ALICE, BOB, "hi"),
            message("groupchat", ALICE, ROOM, "hi"),
            presence(ALICE, true),
        ];
        let settings = format!("[sns]\n{setting} = \"\"\n");
        let (accepted, totals) = published(&settings, &Plugins::default(), events);
        assert!(accepted.len() == 2 && accepted.iter().all(|it| it.topic != unset), "{unset}");
        assert_eq!(
            (totals.published, totals.reasons().as_deref()),
            (2, Some("topic_unset 1")),
            "{totals}"
        );
    }
}

/// Upper-case ids.
struct Shouting;

impl Plugin for Shouting {
    fn user_guid<'a>(&self, user: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        Ok(Cow::Owned(user.to_bare().to_string().to_uppercase()))
    }
}

#[test]
fn ids_come_from_the_plugin() {
    let plugins = Plugins::default().register("shouting", Shouting);
    let events = [message("chat", ALICE, BOB, "hi"), presence(ALICE, true)];
    let (accepted, _) = published("[sns]\nplugin_module = \"shouting\"\n", &plugins, events);
    let [message, presence] = &accepted[..] else { panic!("{accepted:?}") };
    assert_eq!(message.json()["from_user_id"], "ALICE@LOCALHOST");
    assert_eq!(message.json()["to_user_id"], "BOB@LOCALHOST");
    assert_eq!(presence.json()["user_id"], "ALICE@LOCALHOST");
}
