//! The layer of the environment: `EVENT_PUSHER__SNS__REGION` is `sns.region`, and in the name of a domain `_DOT_` is
//! a dot: `EVENT_PUSHER__HOSTS__EXAMPLE_DOT_ORG__SNS__REGION` is `hosts."example.org".sns.region`.

use ::config::Value;

use super::key::{ENVIRONMENT_DOT, ENVIRONMENT_PREFIX, ENVIRONMENT_SEPARATOR, Key, Origin};
use super::layer::Layer;
use super::problem::Problem;
use super::schema;

/// Reads the variables whose names begin with [`ENVIRONMENT_PREFIX`], in any case.
pub(super) fn read(variables: &[(String, String)]) -> Layer {
    let mut layer = Layer::default();
    let mut ours: Vec<_> = variables.iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    for (name, text) in ours {
        let origin = Origin::Environment(name.clone());
        if let Some(meant) = meant(name) {
            let wrong = "is not read: two underscores separate EVENT_PUSHER, groups and key";
            let remedy = format!("did you mean `{}`?", meant.environment_name());
            layer.problems.push(Problem::new(&origin, None, wrong, remedy));
            continue;
        }
        if let Some(key) = key(&mut layer, name, &origin) {
            let shown = Value::from(text.as_str());
            layer.give(key, &origin, None, Some(&shown), |kind| kind.read_variable(text));
        }
    }
    layer
}

/// Whether it is this program's.
pub(super) fn is_ours(name: &str) -> bool {
    path(name).is_some() || meant(name).is_some()
}

/// The key that was most likely meant by a name with other underscores. Other names that begin with `EVENT_PUSHER_` are
/// somebody else's.
fn meant(name: &str) -> Option<Key> {
    let letters = |name: &str| name.to_ascii_uppercase().replace('_', "");
    let is_meant = |key: &&Key| letters(&key.environment_name()) == letters(name);
    let is_near = path(name).is_none() && name.contains('_');
    schema::defaults().keys().filter(|_| is_near).find(is_meant).cloned()
}

/// The part of the name that is a key, in lower case.
fn path(name: &str) -> Option<String> {
    let (prefix, path) = name.split_at_checked(ENVIRONMENT_PREFIX.len())?;
    prefix.eq_ignore_ascii_case(ENVIRONMENT_PREFIX).then(|| path.to_lowercase())
}

/// `None` where a name in it is invalid, which is in the layer's problems then.
fn key(layer: &mut Layer, name: &str, origin: &Origin) -> Option<Key> {
    path(name)?.split(ENVIRONMENT_SEPARATOR).try_fold(Key::default(), |parent, name| {
        let dotted = schema::names_domains(&parent).then(|| name.replace(ENVIRONMENT_DOT, "."));
        layer.child(&parent, dotted.as_deref().unwrap_or(name), origin)
    })
}
