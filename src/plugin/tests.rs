//! What a plugin may say, and how it is found.

use proptest::prelude::*;

use super::*;

struct Shouts;

impl Plugin for Shouts {
    fn user_guid<'a>(&self, user: &'a Jid) -> Cow<'a, str> {
        user.as_str().to_uppercase().into()
    }
}

#[test]
fn the_default_id_is_the_bare_jid() {
    for (jid, expected) in
        [("a@b/c", "a@b"), ("a@b", "a@b"), ("b/c@d/e", "b"), ("Straße@b", "strasse@b")]
    {
        assert_eq!(DefaultPlugin.user_guid(&Jid::new(jid).unwrap()), expected);
    }
}

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
        ("n", 1e300.into()),
        ("n", u64::MAX.into()),
        ("n", AttributeValue::Number("-0.50E+7".to_owned())),
    ];
    for (name, value) in taken {
        assert_eq!(fault(name, value.clone()), None, "{value:?}");
    }
    let illegal = "has a name with a character other than A-Z, a-z, 0-9, `_`, `-` and `.`";
    let dots = "has a name with a leading, trailing or double dot";
    let reserved = "has a name that begins with `AWS.` or `Amazon.`, which are reserved";
    let empty = "is empty, which SNS refuses";
    let xml = "has a character outside of XML 1.0, which SNS refuses";
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
        ("a", f64::NAN.into(), "a", "is not a decimal number"),
        ("a", f64::NEG_INFINITY.into(), "a", "is not a decimal number"),
        ("a", number(""), "a", empty),
        ("a", number("1,5"), "a", "is not a decimal number"),
        ("a", number("-"), "a", "is not a decimal number"),
        ("a", number("1."), "a", "is not a decimal number"),
        ("a", number(".5e"), "a", "is not a decimal number"),
        ("a", number("0x1f"), "a", "is not a decimal number"),
    ];
    for (name, value, shown, why) in refused {
        let expected = format!("the plugin's attribute `{shown}` {why}");
        assert_eq!(fault(name, value), Some(expected));
    }
}

#[test]
fn more_than_ten_attributes_are_allowed() {
    let attributes: Attributes = (0..11).map(|n| (format!("a{n}"), n)).collect();
    assert_eq!((attributes.len(), attributes.fault()), (11, None));
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
    fn every_finite_number_is_taken(number in any::<f64>()) {
        let attributes: Attributes = [("n", number)].into_iter().collect();
        prop_assert_eq!(attributes.fault().is_none(), number.is_finite());
        if let (Some(AttributeValue::Number(text)), true) = (attributes.get("n"), number.is_finite()) {
            prop_assert_eq!(text.parse(), Ok(number));
        }
    }
}
