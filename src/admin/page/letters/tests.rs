//! Filters as they come in.

use super::*;

#[test]
fn filters_have_the_command_lines_names_and_words() {
    let read = |pairs: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        filter(&pairs.iter().map(owned).collect::<Vec<_>>())
    };
    assert!(read(&[]).unwrap().is_empty());
    let all = read(&[
        ("reason", "rejected"),
        ("reason", "too_large"),
        ("kind", "chat"),
        ("topic", "pm"),
        ("source", "events"),
        ("user", "ann@h"),
        ("room", "r@h"),
        ("since", "2h"),
        ("until", "2026-01-31T02:00:00Z"),
        ("error", "x"),
        ("id", "3f"),
        ("limit", "5"),
    ])
    .unwrap();
    assert_eq!((all.reasons.len(), all.limit, all.users.len()), (2, Some(5), 1));
    for (name, value) in
        [("kind", "poke"), ("user", "@"), ("since", "soon"), ("limit", "0"), ("reasons", "x")]
    {
        assert!(read(&[(name, value)]).unwrap_err().contains(name), "{name}");
    }
}

#[test]
fn a_filter_in_a_body_is_read_like_one_in_a_query() {
    let read = |text: &str| serde_json::from_str::<FilterBody>(text).map(|it| it.parse());
    let both = read(r#"{"id": ["3f1c", "d86a"], "limit": ["5"]}"#).unwrap().unwrap();
    assert_eq!((both.ids.len(), both.limit), (2, Some(5)));
    assert!(read("{}").unwrap().unwrap().is_empty());
    assert!(read(r#"{"raeson": ["x"]}"#).unwrap().unwrap_err().contains("raeson"));
    for wrong in [r#"{"id": "3f1c"}"#, r#"["id"]"#, r#"{"limit": [5]}"#] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_filter_is_logged_as_the_options_that_mean_the_same() {
    let body = r#"{"reason": ["rejected", "too_large"], "user": ["ann@h"], "error": ["it's \u001b[0m \u202enot"]}"#;
    let body: FilterBody = serde_json::from_str(body).unwrap();
    let expected = r"--error 'it'\''s [0m not' --reason rejected --reason too_large --user ann@h";
    assert_eq!(body.as_options(), expected);
    assert_eq!(FilterBody::default().as_options(), "none (all letters)");
    let many = vec![("id".to_owned(), "3f1c".to_owned()); 1000];
    assert!(filter::as_options(&many).len() < 4010);
}
