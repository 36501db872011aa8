//! Which event becomes which notification, and which is refused before it is sent.

mod plugins;
mod rooms;

use proptest::prelude::*;

use super::*;
use crate::event::{Decoded, Envelope, Format, decode};
use crate::plugin::{AttributeValue, Attributes, is_xml_char};

const LIMIT: usize = 262_144;
const RULES: Rules = Rules { max_message_bytes: LIMIT, per_key: false, group_id: false };

fn topic(name: &str) -> TopicArn {
    TopicArn::parse(&format!("arn:aws:sns:eu-west-1:123456789012:{name}")).unwrap()
}

/// The three topics, MongooseIM's `muc_host`, and two further MUC hosts.
fn routing() -> Routing {
    Routing {
        presence_updates_topic: Some(topic("presences")),
        pm_messages_topic: Some(topic("messages")),
        muc_messages_topic: Some(topic("rooms")),
        plugin_module: "mod_event_pusher_sns_defaults".to_owned(),
        muc_host: "conference.@HOST@".to_owned(),
        muc_topics: BTreeMap::from([
            ("rooms.partner.example".to_owned(), topic("partner_rooms")),
            ("x.@HOST@.rooms".to_owned(), topic("own_rooms")),
        ]),
    }
}

fn router_of(base: &Routing) -> Router {
    Router::new(base, &BTreeMap::new(), &Plugins::default(), RULES).unwrap()
}

fn routed_by(router: &Router, payload: &str) -> Result<Routed, DeadLetter> {
    let payload = payload.as_bytes().to_vec();
    let envelope = Envelope { payload, ..Envelope::default() };
    match decode(&envelope, Format::Native) {
        Ok(Decoded::Event(event)) => router.route(&event, &envelope),
        other => panic!("no event: {other:?}"),
    }
}

fn notification(router: &Router, payload: &str) -> Notification {
    match routed_by(router, payload) {
        Ok(Routed::Notification(notification)) => notification,
        other => panic!("no notification: {other:?}"),
    }
}

/// The topic's name, or why there is none.
fn destination(router: &Router, payload: &str) -> String {
    match routed_by(router, payload) {
        Ok(Routed::Notification(Notification { topic, .. })) => {
            topic.as_str().rsplit(':').next().unwrap().to_owned()
        }
        Ok(Routed::Skip(reason)) => format!("skip {reason}"),
        Err(letter) => format!("{}: {}", letter.reason, letter.error),
    }
}

const PRESENCE: &str = r#"{"type":"presence","user_id":"Alice@localhost/phone","present":false}"#;

fn message(kind: &str, from: &str, to: &str, text: &str) -> String {
    serde_json::json!({"type": kind, "from_user_id": from, "to_user_id": to, "message": text})
        .to_string()
}

fn chat(text: &str) -> String {
    message("chat", "alice@localhost/phone", "Bob@localhost/pc", text)
}

fn to_room(from: &str, room: &str) -> String {
    message("groupchat", from, room, "hi")
}

#[test]
fn bodies_are_those_of_mongooseim_with_bare_jids() {
    let router = router_of(&routing());
    assert_eq!(
        notification(&router, PRESENCE).body,
        r#"{"user_id":"alice@localhost","present":false}"#
    );
    assert_eq!(
        notification(&router, &chat("❤ \"x\"\n")).body,
        r#"{"from_user_id":"alice@localhost","to_user_id":"bob@localhost","message":"❤ \"x\"\n"}"#
    );
}

#[test]
fn each_kind_has_its_topic() {
    let router = router_of(&routing());
    for (payload, expected) in [
        (PRESENCE, "presences"),
        (&chat(""), "messages"),
        (&to_room("a@localhost", "r@conference.localhost"), "rooms"),
        (&to_room("a@ORG", "r@Conference.org/nick"), "rooms"),
        (&to_room("a@localhost", "r@rooms.partner.example"), "partner_rooms"),
        (&to_room("a@localhost", "r@x.localhost.rooms"), "own_rooms"),
        (&to_room("a@localhost", "r@x.org.rooms"), "skip muc_host_unmatched"),
        (&to_room("a@localhost", "r@conference.org"), "skip muc_host_unmatched"),
        (&to_room("a@localhost", "r@conference.localhost.org"), "skip muc_host_unmatched"),
        (&to_room("a@localhost", "r@x.conference.localhost"), "skip muc_host_unmatched"),
        (&to_room("a@localhost", "b@localhost"), "skip muc_host_unmatched"),
    ] {
        assert_eq!(destination(&router, payload), expected, "{payload}");
    }
}

#[test]
fn an_unset_topic_skips_its_kind_alone() {
    let room = to_room("a@localhost", "r@conference.localhost");
    let unset = Routing { muc_messages_topic: None, ..routing() };
    assert_eq!(destination(&router_of(&unset), &room), "skip topic_unset");
    assert_eq!(destination(&router_of(&unset), PRESENCE), "presences");
    let unset = Routing { presence_updates_topic: None, pm_messages_topic: None, ..routing() };
    assert_eq!(destination(&router_of(&unset), PRESENCE), "skip topic_unset");
    assert_eq!(destination(&router_of(&unset), &chat("x")), "skip topic_unset");
    assert_eq!(destination(&router_of(&unset), &room), "rooms");
}

#[test]
fn muc_host_wins_over_muc_topics_and_a_literal_over_a_pattern() {
    let muc_topics = BTreeMap::from([
        ("conference.localhost".to_owned(), topic("never")),
        ("@HOST@".to_owned(), topic("pattern")),
        ("localhost".to_owned(), topic("literal")),
    ]);
    let router = router_of(&Routing { muc_topics, ..routing() });
    for (room, expected) in [
        ("r@conference.localhost", "rooms"),
        ("r@localhost", "literal"),
        ("r@org", "skip muc_host_unmatched"),
    ] {
        assert_eq!(destination(&router, &to_room("a@localhost", room)), expected);
    }
    assert_eq!(destination(&router, &to_room("a@org", "r@org")), "pattern");
}

#[test]
fn a_senders_domain_has_its_own_routing() {
    let own = Routing {
        pm_messages_topic: Some(topic("of_example")),
        muc_host: "muc.@HOST@".to_owned(),
        ..routing()
    };
    let hosts = BTreeMap::from([("example.org".to_owned(), own)]);
    let router = Router::new(&routing(), &hosts, &Plugins::default(), RULES).unwrap();
    for (payload, expected) in [
        (message("chat", "a@Example.org", "b@localhost", "x"), "of_example"),
        (message("chat", "a@localhost", "b@example.org", "x"), "messages"),
        (message("chat", "a@sub.example.org", "b@localhost", "x"), "messages"),
        (to_room("a@example.org", "r@muc.example.org"), "rooms"),
        (to_room("a@example.org", "r@conference.example.org"), "skip muc_host_unmatched"),
    ] {
        assert_eq!(destination(&router, &payload), expected, "{payload}");
    }
}

#[test]
fn a_plugin_that_is_not_registered_is_an_error_that_names_those_that_are() {
    let unknown = Routing { plugin_module: "nobody".to_owned(), ..routing() };
    let hosts = BTreeMap::from([("example.org".to_owned(), unknown)]);
    assert_eq!(
        Router::new(&routing(), &hosts, &Plugins::default(), RULES).unwrap_err().to_string(),
        "plugin_module: there is no plugin \"nobody\", but mod_event_pusher_sns_defaults"
    );
}

#[test]
fn a_notification_over_the_limit_is_too_large_and_says_by_how_much() {
    let router = router_of(&routing());
    let frame = notification(&router, &chat("")).size();
    assert_eq!(destination(&router, &chat(&"x".repeat(LIMIT - frame))), "messages");
    assert_eq!(
        destination(&router, &chat(&"x".repeat(LIMIT - frame + 1))),
        "too_large: 262145 bytes with attributes, but max_message_bytes allows 262144"
    );
    let letter = routed_by(&router, &chat(&"x".repeat(1 << 20))).unwrap_err();
    assert_eq!((letter.reason, letter.attempts), (Reason::TooLarge, 0));
    assert_eq!(letter.topic, Some(topic("messages")));
}

/// Gives every notification one attribute, or what the event's metadata says.
struct Attribute(&'static str, AttributeValue);

impl Plugin for Attribute {
    fn user_guid<'a>(&self, user: &'a jid::Jid) -> Result<std::borrow::Cow<'a, str>, PluginError> {
        Ok(format!("guid-of-{user}").into())
    }

    fn presence_attributes(
        &self,
        topic: &TopicArn,
        presence: &Presence<'_>,
    ) -> Result<Attributes, PluginError> {
        let present = i32::from(presence.present);
        Ok([("present", AttributeValue::from(present)), ("topic", topic.as_str().into())]
            .into_iter()
            .collect())
    }

    fn message_attributes(
        &self,
        _: &TopicArn,
        message: &Message<'_>,
    ) -> Result<Attributes, PluginError> {
        let mut attributes = Attributes::default();
        attributes.set(self.0, self.1.clone());
        if let Some(os) = message.meta.metadata.get("os").and_then(|os| os.as_str()) {
            attributes.set("os", os);
        }
        Ok(attributes)
    }
}

fn router_with(name: &'static str, value: impl Into<AttributeValue>) -> Router {
    let plugins = Plugins::default().register("mine", Attribute(name, value.into()));
    let base = Routing { plugin_module: "mine".to_owned(), ..routing() };
    Router::new(&base, &BTreeMap::new(), &plugins, RULES).unwrap()
}

#[test]
fn the_plugin_decides_ids_and_attributes() {
    let router = router_with("kind", "pm");
    let presence = notification(&router, PRESENCE);
    assert_eq!(presence.body, r#"{"user_id":"guid-of-alice@localhost/phone","present":false}"#);
    assert_eq!(presence.attributes.get("present"), Some(&AttributeValue::Number("0".to_owned())));
    assert_eq!(presence.attributes.get("topic"), Some(&presence.topic.as_str().into()));
    let payload = chat("x").replace(r#""type""#, r#""os":"debian","type""#);
    let attributes = notification(&router, &payload).attributes;
    assert_eq!(attributes, [("kind", "pm"), ("os", "debian")].into_iter().collect());
}

#[test]
fn the_size_counts_names_types_and_values() {
    let with = |value: AttributeValue| {
        let notification = notification(&router_with("name", value), &chat("x"));
        notification.size() - notification.body.len()
    };
    assert_eq!(with("❤".into()), "name".len() + "String".len() + 3);
    assert_eq!(with(12.into()), "name".len() + "Number".len() + 2);
    assert_eq!(with(vec![0, 255].into()), "name".len() + "Binary".len() + 2);
    let router = router_with("name", "x".repeat(LIMIT));
    assert!(destination(&router, &chat("x")).starts_with("too_large: 26"));
}

#[test]
fn an_attribute_that_sns_would_refuse_is_rejected_by_name() {
    let letter = routed_by(&router_with("score", f64::NAN), &chat("x")).unwrap_err();
    assert_eq!((letter.reason, letter.attempts), (Reason::Rejected, 0));
    assert_eq!(letter.error, "the plugin's attribute `score` is not a decimal number");
    assert_eq!(letter.topic, Some(topic("messages")));
}

proptest! {
    #[test]
    fn any_text_arrives_unchanged_in_xml_characters(
        text in prop_oneof![any::<String>(), "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{fffc}-\u{ffff}\"\\\\é😀]*"],
    ) {
        let body = notification(&router_of(&routing()), &chat(&text)).body;
        let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(parsed["message"].as_str(), Some(text.as_str()));
        prop_assert!(body.chars().all(is_xml_char));
    }
}
