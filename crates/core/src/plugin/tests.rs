//! What a plugin may say, and how it is found.

use proptest::prelude::*;

use super::*;

struct Shouts;

impl Plugin for Shouts {
    fn user_guid<'a>(&self, user: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        Ok(user.as_str().to_uppercase().into())
    }
}

#[test]
fn the_default_id_is_the_bare_jid() {
    for (jid, expected) in
        [("a@b/c", "a@b"), ("a@b", "a@b"), ("b/c@d/e", "b"), ("Straße@b", "strasse@b")]
    {
        assert_eq!(DefaultPlugin.user_guid(&Jid::new(jid).unwrap()).unwrap(), expected);
    }
}

const ZEROS_AND_38_DIGITS: &str = "-0012345678901234567890.123456789012345678";

#[test]
fn what_sns_would_refuse_is_told_by_name_and_rule() {
    let fault = |name: &str, value: AttributeValue| {
        [(name, value)].into_iter().collect::<Attributes>().fault()
    };
    let long = &*"n".repeat(257);
    let taken = [
        ("A-z_0.9", AttributeValue::from("\t\n\r \u{7f}😀")),
        (&long[1..], "x".into()),
        ("awsome", vec![0].into()),
        ("n", (-1.5e-9).into()),
        ("n", (-1e125).into()),
        ("n", u64::MAX.into()),
        ("AWS.SNS.MOBILE.APNS.PRIORITY", "10".into()),
        ("AWS.SNS.SMS.SenderID", "me".into()),
    ];
    for (name, value) in taken {
        assert_eq!(fault(name, value.clone()), None, "{value:?}");
    }
    for text in
        ["-0.50E+7", "+1", ".5", "1.", "000", "0e999", "9e125", "1E-128", ZEROS_AND_38_DIGITS]
    {
        assert_eq!(fault("n", AttributeValue::Number(text.to_owned())), None, "{text:?}");
    }
    let illegal = "has a name with a character other than A-Z, a-z, 0-9, `_`, `-` and `.`";
    let dots = "has a name with a leading, trailing or double dot";
    let reserved = "has a name that begins with `AWS.` or `Amazon.`, which are reserved";
    let empty = "is empty, which SNS refuses";
    let xml = "has a character outside of XML 1.0, which SNS refuses";
    let no_number = "is not a decimal number";
    let range = "is a number beyond 10^126 or below 10^-128, which SNS refuses";
    let digits = "is a number of over 38 digits, which SNS refuses";
    let number = |text: &str| AttributeValue::Number(text.to_owned());
    let refused = [
        ("", "x".into(), "", "has no name"),
        (long, "x".into(), &long[..64], "has a name of over 256 bytes"),
        ("a\nb", "x".into(), "a\\nb", illegal),
        ("naïve", "x".into(), "naïve", illegal),
        (".a", "x".into(), ".a", dots),
        ("a.", "x".into(), "a.", dots),
        ("a..b", "x".into(), "a..b", dots),
        ("aws.x", "x".into(), "aws.x", reserved),
        ("Amazon.x", "x".into(), "Amazon.x", reserved),
        ("a", "".into(), "a", empty),
        ("a", vec![].into(), "a", empty),
        ("a", "\u{0}".into(), "a", xml),
        ("a", "x\u{ffff}".into(), "a", xml),
        ("a", f64::NAN.into(), "a", no_number),
        ("a", f64::NEG_INFINITY.into(), "a", no_number),
        ("a", number(""), "a", empty),
        ("a", number("1,5"), "a", no_number),
        ("a", number("-"), "a", no_number),
        ("a", number("."), "a", no_number),
        ("a", number("--1"), "a", no_number),
        ("a", number("1.2.3"), "a", no_number),
        ("a", number(".5e"), "a", no_number),
        ("a", number("1e1.5"), "a", no_number),
        ("a", number("1e+-5"), "a", no_number),
        ("a", number("0x1f"), "a", no_number),
        ("a", number("١"), "a", no_number),
        ("a", 1e300.into(), "a", range),
        ("a", 5e-324.into(), "a", range),
        ("a", number("10e125"), "a", range),
        ("a", number("0.1e-128"), "a", range),
        ("a", number("1e99999999999999999999"), "a", range),
        ("a", number("-1e-99999999999999999999"), "a", range),
        ("a", number(&format!("{ZEROS_AND_38_DIGITS}1")), "a", digits),
        ("AWS.SNS.x", "x".into(), "AWS.SNS.x", reserved),
        ("aws.sns.mobile.x", "x".into(), "aws.sns.mobile.x", reserved),
    ];
    for (name, value, shown, why) in refused {
        let expected = format!("the plugin's attribute `{shown}` {why}");
        assert_eq!(fault(name, value), Some(expected));
    }
}

#[test]
fn more_than_ten_attributes_are_allowed_and_known_as_too_many_for_some() {
    let of = |count: i32| (0..count).map(|n| (format!("a{n}"), n)).collect::<Attributes>();
    assert_eq!((of(11).len(), of(11).fault()), (11, None));
    assert!(of(11).are_too_many_for_raw_delivery() && !of(10).are_too_many_for_raw_delivery());
}

#[test]
fn numbers_are_decimal_text() {
    for (number, expected) in
        [(0.0, "0"), (0.1, "0.1"), (-12.5, "-12.5"), (1e14, "100000000000000"), (1e300, "1e300")]
    {
        assert_eq!(AttributeValue::from(number), AttributeValue::Number(expected.to_owned()));
    }
}

#[test]
fn plugins_are_found_by_name_and_replaced() {
    let plugins = Plugins::default().register("b", Shouts);
    let plugins = plugins.register("b", DefaultPlugin);
    assert_eq!(plugins.names().collect::<Vec<_>>(), ["b", "mod_event_pusher_sns_defaults"]);
    assert!(plugins.get("b").is_some() && plugins.get("c").is_none());
}

proptest! {
    #[test]
    fn every_number_in_range_is_taken_as_it_is(number in any::<f64>()) {
        let attributes: Attributes = [("n", number)].into_iter().collect();
        let in_range = number == 0.0 || (1e-128..1e126).contains(&number.abs());
        prop_assert_eq!(attributes.fault().is_none(), in_range);
        if let (Some(AttributeValue::Number(text)), true) = (attributes.get("n"), number.is_finite()) {
            prop_assert_eq!(text.parse(), Ok(number));
        }
    }
}

/// `examples/policy.rhai`, natively.
struct Policy;

const PARTNERS: [&str; 2] = ["partner.example", "example.net"];

impl Plugin for Policy {
    fn keep(&self, event: &Event<'_>) -> Result<bool, PluginError> {
        Ok(event.sender().node().is_none_or(|name| !name.as_str().starts_with("bot-")))
    }

    fn user_guid<'a>(&self, user: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        let domain = user.domain().as_str();
        let partner = PARTNERS.contains(&domain);
        Ok(if partner { format!("someone@{domain}").into() } else { bare(user).into() })
    }

    fn presence_attributes(
        &self,
        _: &TopicArn,
        presence: &Presence<'_>,
    ) -> Result<Attributes, PluginError> {
        let state = if presence.present { "online" } else { "offline" };
        Ok([("host", presence.user.domain().as_str()), ("state", state)].into_iter().collect())
    }

    fn message_attributes(
        &self,
        _: &TopicArn,
        message: &Message<'_>,
    ) -> Result<Attributes, PluginError> {
        let mut attributes = Attributes::default();
        if !message.to.domain().as_str().ends_with(message.from.domain().as_str()) {
            attributes.set("abroad", "yes");
        }
        attributes.set("kind", message.kind.label());
        attributes.set("length", i64::try_from(message.body.chars().count()).unwrap());
        Ok(attributes)
    }

    fn metadata(&self, event: &Event<'_>) -> Result<Metadata, PluginError> {
        let mut metadata = Metadata::new();
        if let Some(timestamp) = event.meta().timestamp {
            metadata.insert("sent_at".to_owned(), timestamp.to_string().into());
        }
        if let Some(tenant) = event.meta().metadata.get("tenant") {
            metadata.insert("tenant".to_owned(), tenant.clone());
        }
        Ok(metadata)
    }
}

fn policy_script() -> Script {
    Script::compile("policy.rhai", include_str!("../../../../examples/policy.rhai")).unwrap()
}

#[test]
fn the_default_a_native_plugin_and_a_script_pass_the_same_conformance() {
    let plugins: [&dyn Plugin; 3] = [&DefaultPlugin, &Policy, &policy_script()];
    for plugin in plugins {
        assert_eq!(conformance(plugin), []);
    }
}

#[test]
fn the_same_policy_says_the_same_natively_and_as_a_script() {
    let script = policy_script();
    let topic = TopicArn::build("eu-west-1", "123456789012", "t").unwrap();
    for (name, event) in samples::samples() {
        assert_eq!(Policy.keep(&event), script.keep(&event), "{name}");
        assert_eq!(Policy.metadata(&event), script.metadata(&event), "{name}");
        let user = event.sender();
        assert_eq!(Policy.user_guid(user), script.user_guid(user), "{name}");
        match &event {
            Event::Presence(it) => {
                let native = Policy.presence_attributes(&topic, it);
                assert_eq!(native, script.presence_attributes(&topic, it), "{name}");
            }
            Event::Message(it) => {
                assert_eq!(Policy.user_guid(&it.to), script.user_guid(&it.to), "{name}");
                let native = Policy.message_attributes(&topic, it);
                assert_eq!(native, script.message_attributes(&topic, it), "{name}");
            }
        }
    }
}

/// Wrong in all ways that only a native plugin can be.
struct Unsound(std::sync::atomic::AtomicU32);

impl Plugin for Unsound {
    fn user_guid<'a>(&self, _: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        let asked = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(asked.to_string().into())
    }

    fn metadata(&self, _: &Event<'_>) -> Result<Metadata, PluginError> {
        panic!("a bug")
    }
}

#[test]
fn conformance_finds_panics_and_answers_that_change() {
    let said: Vec<_> = conformance(&Unsound(0.into())).iter().map(ToString::to_string).collect();
    let changing = "`user_guid`, on a presence: gives another answer each time it is asked";
    assert_eq!(said, [changing, "`metadata`, on a presence: panics"]);
}
