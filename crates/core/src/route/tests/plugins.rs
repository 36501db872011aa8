//! What plugins keep away and add.

use super::*;

/// What it keeps and adds is in the event's metadata.
struct MetadataPlugin;

impl Plugin for MetadataPlugin {
    fn keep(&self, event: &Event<'_>) -> Result<bool, PluginError> {
        let keep = event.meta().metadata.get("keep").and_then(serde_json::Value::as_bool);
        keep.ok_or_else(|| PluginError::new("`keep` is missing"))
    }

    fn metadata(&self, event: &Event<'_>) -> Result<Metadata, PluginError> {
        Ok(event.meta().metadata.clone())
    }
}

fn destination_with(what: &str) -> String {
    let plugins = Plugins::default().register("by-metadata", MetadataPlugin);
    let base = Routing { plugin_module: "by-metadata".to_owned(), ..routing() };
    let router = Router::new(&base, &BTreeMap::new(), &plugins, RULES).unwrap();
    let payload = chat("x").replacen('{', &format!("{{{what},"), 1);
    match routed_by(&router, &payload) {
        Ok(Routed::Notification(notification)) => notification.body,
        _ => destination(&router, &payload),
    }
}

#[test]
fn what_the_plugin_does_not_keep_is_skipped_as_filtered() {
    assert_eq!(destination_with(r#""keep":false"#), "skip filtered");
    assert_eq!(
        destination_with(r#""a":1"#),
        "plugin_failed: the plugin's `keep` failed: `keep` is missing"
    );
}

#[test]
fn metadata_stand_behind_the_bodys_own_fields_and_never_in_their_place() {
    let own = r#"{"from_user_id":"alice@localhost","to_user_id":"bob@localhost","message":"x","#;
    let more = r#""a":{"b":[1,null]},"keep":true,"\uffff":"\ufffe\u0000"}"#;
    assert_eq!(destination_with(&more[..more.len() - 1]), format!("{own}{more}"));
    for name in ["message", "present"] {
        let plugins = Plugins::default().register("adds", Adds(name));
        let base = Routing { plugin_module: "adds".to_owned(), ..routing() };
        let router = Router::new(&base, &BTreeMap::new(), &plugins, RULES).unwrap();
        let expected = format!("plugin_failed: the plugin's `metadata` gives `{name}`, which is");
        assert!(destination(&router, &chat("x")).starts_with(&expected));
    }
}

/// A field, as large as its name says.
struct Adds(&'static str);

impl Plugin for Adds {
    fn metadata(&self, _: &Event<'_>) -> Result<Metadata, PluginError> {
        Ok([(self.0.to_owned(), "x".repeat(LIMIT).into())].into_iter().collect())
    }
}

#[test]
fn metadata_count_towards_the_limit() {
    let plugins = Plugins::default().register("adds", Adds("much"));
    let base = Routing { plugin_module: "adds".to_owned(), ..routing() };
    let router = Router::new(&base, &BTreeMap::new(), &plugins, RULES).unwrap();
    assert!(destination(&router, &chat("x")).starts_with("too_large: 262"));
}
