//! Promises about payloads that nobody thought of.

use proptest::prelude::*;

use super::*;

fn any_format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Auto), Just(Format::Native), Just(Format::Mongooseim)]
}

/// Text that is nearly an event, so that all branches are met.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[{}\\[\\]:,\"\\\\ \n]",
        "\"(type|user_id|present|from_user_id|to_user_id|message|id|timestamp|x)\"",
        "\"(presence|chat|groupchat|a@b|room@muc/x|\\PC{0,4})\"",
        "(true|null|-1.5|\\\\u00e9)",
        Just(r#"{"type":"chat","from_user_id":"a@b","#.to_owned()),
        Just(r#""to_user_id":"c@d","message":"x"}"#.to_owned()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(payload in prop::collection::vec(any::<u8>(), 0..256),
                                        format in any_format()) {
        let _ = decode(&envelope(payload), format);
    }

    #[test]
    fn what_is_nearly_json_is_decoded_or_refused(payload in nearly_json(),
                                                 key in "\\PC{0,20}",
                                                 format in any_format()) {
        let envelope = mongoose("presence", &key, &payload);
        if let Err(error) = decode(&envelope, format) {
            prop_assert!(!error.to_string().contains('\n'));
            prop_assert!(error.position().is_some());
        }
    }

    #[test]
    fn positions_point_at_the_value(before in "[ -~]{0,20}", key in "[a-z\"\\\\{}\\[\\]:,]{0,8}") {
        let metadata = serde_json::json!({ key: [before, {"}": ","}] }).to_string();
        let inside = &metadata[1..metadata.len() - 1];
        let payload = format!("{{\"type\":\"chat\", {inside} ,\n\"id\": 7}}");
        prop_assert_eq!(
            outcome(&envelope(payload), Format::Native),
            "line 2, column 7: `id` must be a string, found a number"
        );
    }
}
