//! The layer of the environment: `EVENT_PUSHER__SNS__REGION` is `sns.region`, and in the name of a domain `_DOT_` is
//! a dot: `EVENT_PUSHER__HOSTS__EXAMPLE_DOT_ORG__SNS__REGION` is `hosts."example.org".sns.region`.

use ::config::Value;

use super::key::{ENVIRONMENT_DOT, ENVIRONMENT_PREFIX, ENVIRONMENT_SEPARATOR, Key, Origin};
use super::layer::Layer;
use super::schema;

/// Reads the variables whose names begin with [`ENVIRONMENT_PREFIX`], in any case.
pub(super) fn read(variables: &[(String, String)]) -> Layer {
    let mut layer = Layer::default();
    let mut ours: Vec<_> = variables.iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    for (name, text) in ours {
        let origin = Origin::Environment(name.clone());
        if let Some(key) = key(&mut layer, name, &origin) {
            let shown = Value::from(text.as_str());
            layer.give(key, &origin, None, Some(&shown), |kind| kind.read_variable(text));
        }
    }
    layer
}

/// Whether it is this program's.
pub(super) fn is_ours(name: &str) -> bool {
    path(name).is_some()
}

/// The part of the name that is a key, in lower case.
fn path(name: &str) -> Option<String> {
    let prefix = name.get(..ENVIRONMENT_PREFIX.len())?;
    prefix
        .eq_ignore_ascii_case(ENVIRONMENT_PREFIX)
        .then(|| name[ENVIRONMENT_PREFIX.len()..].to_lowercase())
}

/// `None` where a name in it is invalid, which is in the layer's problems then.
fn key(layer: &mut Layer, name: &str, origin: &Origin) -> Option<Key> {
    path(name)?.split(ENVIRONMENT_SEPARATOR).try_fold(Key::default(), |parent, name| {
        let dotted = schema::names_domains(&parent).then(|| name.replace(ENVIRONMENT_DOT, "."));
        layer.child(&parent, dotted.as_deref().unwrap_or(name), origin)
    })
}
