//! What the schema says of keys.

use crate::config::key::Key;
use crate::config::schema::*;
use crate::config::value::Kind;

#[test]
fn every_key_has_a_default_and_a_meaning_in_the_reference() {
    let rows = reference();
    let keys: Vec<String> = defaults().keys().map(ToString::to_string).collect();
    for key in &keys {
        assert_eq!(rows.iter().filter(|row| row.key == *key).count(), 1, "{key}");
    }
    let groups = ["admin.tokens", "hosts", "sns.muc_topics"];
    assert_eq!(rows.len(), keys.len() + groups.len(), "and the groups {groups:?}");
    assert!(rows.iter().all(|row| !row.comment.is_empty()), "{rows:#?}");
}

#[test]
fn the_reference_says_what_the_default_is_as_toml() {
    let row = reference().into_iter().find(|row| row.key == "sns.publish_retry_count");
    assert_eq!(
        row,
        Some(Reference {
            key: "sns.publish_retry_count".to_owned(),
            default: "2".to_owned(),
            comment: "Retries of a failed publish, each after a longer pause.".to_owned(),
        })
    );
}

#[test]
fn a_host_overrides_only_routing_naming_plugin_and_access() {
    let host = Key::from(["hosts", "example.org", "sns"]);
    assert_eq!(place(&host.child("region")), Kind::named("string").map(Place::Leaf));
    assert_eq!(place(&host.child("muc_topics")), Some(Place::Group));
    assert_eq!(
        place(&host.child("muc_topics").child("muc.example")),
        Kind::named("string").map(Place::Leaf)
    );
    assert_eq!(place(&host.child("pool_size")), None);
}
