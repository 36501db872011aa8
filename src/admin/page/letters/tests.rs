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
