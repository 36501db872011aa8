use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn masks(said: &str, confidential: &[&str]) -> String {
    masked(&[said], |see| confidential.iter().for_each(|it| see(it))).remove(0)
}

const BODY: &str = r#"{"from_user_id":"ann@h","to_user_id":"bob@h","message":"Meet me at the \"Blue Ünion\" & bring 4711"}"#;

#[test]
fn what_occurs_in_the_event_is_masked_however_it_is_escaped() {
    for quoted in [
        "Meet me at the \"Blue Ünion\" & bring 4711",
        r#"Meet me at the \"Blue \u00dcnion\" \u0026 bring 4711"#,
        "Meet me at the &quot;Blue &#xDC;nion&quot; &amp; bring 4711",
        "Meet%20me%20at%20the%20%22Blue%20%C3%9Cnion%22%20%26%20bring%204711",
        "Meet+me+at+the+%5C%22Blue+%C3%9Cnion%5C%22+%26+bring+4711",
        "Meet%2520me%2520at%2520the%2520%2522Blue%2520%25C3%259Cnion%2522%2520%2526%2520bring%25204711",
        "MEET ME AT THE \u{1b}[1m\"BLUE Ünion\"\n& bring 4711",
    ] {
        let said = format!("Invalid parameter: Message Reason: {quoted} is not allowed");
        let shown = masks(&said, &[BODY]);
        let shown = shown
            .strip_prefix("Invalid parameter: Message Reason: …")
            .unwrap_or_else(|| panic!("{shown}"));
        for word in ["meet", "blue", "nion", "4711"] {
            assert!(!shown.to_lowercase().contains(word), "{word} of {quoted}: {shown}");
        }
        assert!(shown.ends_with("is not allowed"), "{shown}");
    }
}

#[test]
fn short_parts_are_masked_where_they_are_quoted_or_look_like_an_address_or_a_number() {
    assert_eq!(masks("no such user ann@h here", &[BODY]), "no such user … here");
    assert_eq!(masks("bad words: 'Blue'", &[BODY]), "bad words: '…'");
    assert_eq!(masks("the code is 4711", &[BODY]), "the code is …");
    assert_eq!(masks("bring order", &[BODY]), "bring order", "an English word is none");
    assert_eq!(masks("'message' is too long", &[BODY]), "'message' is too long", "SNS's own name");
}

#[test]
fn keys_and_the_session_token_are_masked() {
    let token = "FwoGZXIvYXdzEJr//////////wEaDPlanted+Session/Token==";
    let said = format!(
        "The Canonical String should have been 'POST\n/\n\nx-amz-security-token:{token}\n\nhost'"
    );
    let shown = masks(&said, &["AKIDEXAMPLE", token]);
    assert!(!shown.contains("Planted") && !shown.contains("FwoG"), "{shown}");
    assert!(shown.contains("x-amz-security-token:…"), "{shown}");
    // Where it was cut.
    assert!(!masks("token: FwoGZXIvYXdzEJr", &[token]).contains("FwoG"));
}

#[test]
fn what_sns_says_on_its_own_account_stays() {
    for said in [
        "Rate exceeded",
        "Topic does not exist",
        "User: arn:aws:iam::123456789012:user/x is not authorized to perform: SNS:Publish on resource: \
         arn:aws:sns:eu-west-1:123456789012:pm because no identity-based policy allows the SNS:Publish action",
        "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
    ] {
        assert_eq!(masks(said, &[BODY]), said);
    }
}

#[test]
fn a_value_that_was_cut_before_its_end_is_left_out_to_the_end() {
    let said = "1 validation error detected: Value 'my secret of seve";
    assert_eq!(masks(said, &[]), "1 validation error detected: Value '…");
}

#[test]
fn the_cost_grows_with_the_length_alone() {
    let said = vec!["%25".repeat(340); 100];
    let said: Vec<_> = said.iter().map(String::as_str).collect();
    let events = ["%25".repeat(100_000), "a".repeat(300_000), "\\u005c".repeat(50_000)];
    let began = Instant::now();
    let shown = masked(&said, |see| events.iter().for_each(|it| see(it)));
    assert_eq!(shown.len(), 100);
    // Quadratic, it would be minutes; without optimisation it is a second or so.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

/// Letters and digits apart, since all else is a separator.
fn escaped(text: &str, how: usize) -> String {
    let json = || serde_json::to_string(text).unwrap_or_default();
    match how {
        0 => text.to_owned(),
        1 => json(),
        2 => text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
        3 => percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
            .to_string(),
        _ => percent_encoding::utf8_percent_encode(&json(), percent_encoding::NON_ALPHANUMERIC)
            .to_string(),
    }
}

proptest! {
    #[test]
    fn a_secret_in_an_event_is_never_shown(
        before in "[ -~]{0,40}", after in "[ -~]{0,40}", around in "[ -~ü€😀]{0,20}",
        secret in "[a-z]{6} ?[a-z0-9]{6,20}", how in 0..5_usize,
    ) {
        let body = format!("{around} {secret} {around}");
        let said = format!("{before} {} {after}", escaped(&body, how));
        let shown = masks(&said, &[&body]);
        let outside = format!("{before}{after}");
        if !outside.contains(&secret) {
            prop_assert!(!shown.contains(&secret), "{} -> {}", said, shown);
        }
    }

    #[test]
    fn whatever_comes_it_neither_panics_nor_grows_much(said: String, event: String) {
        let shown = masks(&said, &[&event, &said]);
        // The mark is longer than what it may stand for.
        prop_assert!(shown.len() <= 3 * said.len() + 3);
    }
}
