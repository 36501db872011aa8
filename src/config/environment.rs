//! The layer of the environment: `EVENT_PUSHER__SNS__REGION` is `sns.region`, and in the name of a domain `_DOT_` is
//! a dot: `EVENT_PUSHER__HOSTS__EXAMPLE_DOT_ORG__SNS__REGION` is `hosts."example.org".sns.region`.

use ::config::Value;

use super::key::{ENVIRONMENT_DOT, ENVIRONMENT_PREFIX, ENVIRONMENT_SEPARATOR, Key, Origin};
use super::layer::{Given, Layer};
use super::problem::Problem;
use super::schema;

/// Reads the variables whose names begin with [`ENVIRONMENT_PREFIX`], in any case. Those that are `unreadable` have a
/// value, and nobody knows which.
pub(super) fn read(variables: &[(String, String)], unreadable: &[Problem]) -> Layer {
    let mut layer = Layer::default();
    let mut ours: Vec<_> = variables.iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    let mut misnamed = Vec::new();
    for (name, text) in ours {
        let origin = Origin::Environment(name.clone());
        let meant = match meant(name) {
            Some(meant) => {
                let wrong = "is not read: two underscores separate EVENT_PUSHER, groups and key";
                let remedy = format!("did you mean `{}`?", meant.environment_name());
                layer.problems.push(Problem::new(&origin, None, wrong, remedy));
                Some(meant)
            }
            None => key(&mut layer, name, &origin)
                .and_then(|key| give(&mut layer, (&key, Given::Plainly), &origin, text)),
        };
        misnamed.extend(meant.map(|meant| (meant, origin, text)));
    }
    // What stands under a misspelt name is looked at as well, once all that has its own name is known.
    for (meant, origin, text) in misnamed {
        give(&mut layer, (&meant, Given::ByNearestName), &origin, text);
    }
    for problem in unreadable {
        if let Origin::Environment(name) = &problem.origin {
            match meant(name).or_else(|| key(&mut layer, name, &problem.origin)) {
                Some(key) if schema::place(&key).is_some() => {
                    layer.faults.note(key, &problem.origin);
                }
                _ => {}
            }
        }
    }
    layer
}

fn give(layer: &mut Layer, key: (&Key, Given), origin: &Origin, text: &str) -> Option<Key> {
    let shown = Value::from(text);
    layer.give(key, origin, None, Some(&shown), |kind| kind.read_variable(text))
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

/// The key that the name of a variable of ours spells.
fn key(layer: &mut Layer, name: &str, origin: &Origin) -> Option<Key> {
    let path = path(name)?;
    let spelt = path.split(ENVIRONMENT_SEPARATOR).fold(Key::default(), |parent, name| {
        let dotted = schema::names_domains(&parent).then(|| name.replace(ENVIRONMENT_DOT, "."));
        layer.child(&parent, dotted.as_deref().unwrap_or(name), origin)
    });
    Some(spelt)
}
