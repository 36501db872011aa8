//! The layer of the environment: `EVENT_PUSHER__SNS__REGION` is `sns.region`, and in the name of a domain `_DOT_` is
//! a dot: `EVENT_PUSHER__HOSTS__EXAMPLE_DOT_ORG__SNS__REGION` is `hosts."example.org".sns.region`.

use ::config::{Value, ValueKind};
use toml::de::DeValue;

use super::key::{ENVIRONMENT_DOT, ENVIRONMENT_PREFIX, ENVIRONMENT_SEPARATOR, Key, Origin};
use super::layer::Layer;
use super::problem::Problem;
use super::schema::{self, Place};
use super::value::{Kind, from_toml};

/// Reads the variables whose names begin with [`ENVIRONMENT_PREFIX`], in any case.
pub(super) fn read(variables: &[(String, String)]) -> Layer {
    let mut layer = Layer::default();
    let mut ours: Vec<_> = variables.iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    for (name, text) in ours {
        let origin = Origin::Environment(name.clone());
        let Some(key) = key(&mut layer, name, &origin) else {
            continue;
        };
        match schema::place(&key) {
            Some(Place::Leaf(kind)) => match convert(kind, text) {
                Ok(Some(value)) => layer.set(key, value, &origin),
                Ok(None) => {}
                Err(wrong) => {
                    let problem = Problem::new(&origin, key, wrong, kind.remedies()[1]);
                    layer.fault(problem.with_value(&Value::from(text.as_str())));
                }
            },
            Some(Place::Group) => {
                let remedy =
                    format!("set a key of it: {}{ENVIRONMENT_SEPARATOR}…", key.environment_name());
                layer.fault(Problem::new(
                    &origin,
                    key,
                    "is a group of keys, which has no value",
                    remedy,
                ));
            }
            None => layer.unknown(&key, &origin, false),
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
    let path = path(name)?;
    path.split(ENVIRONMENT_SEPARATOR).try_fold(Key::default(), |parent, name| {
        if schema::names_domains(&parent) {
            layer.child(&parent, &name.replace(ENVIRONMENT_DOT, "."), origin)
        } else {
            layer.child(&parent, name, origin)
        }
    })
}

/// `Ok(None)`: an empty variable, which can't stand for a number or a flag, gives nothing.
fn convert(kind: Kind, text: &str) -> Result<Option<ValueKind>, String> {
    let trimmed = text.trim();
    let converted = match kind {
        Kind::Text => Some(text.into()),
        Kind::List if trimmed.starts_with('[') => {
            let list = DeValue::parse(trimmed).ok().and_then(|it| from_toml(it.get_ref()));
            let list = list.filter(|it| Kind::of(it) == Some(Kind::List));
            return match list {
                Some(_) => Ok(list),
                None => Err("begins with `[`, but is not a list of texts in TOML".to_owned()),
            };
        }
        Kind::List => {
            let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(items.map(str::to_owned).collect::<Vec<_>>().into())
        }
        Kind::Integer | Kind::Number | Kind::Bool if trimmed.is_empty() => return Ok(None),
        Kind::Integer => trimmed.parse::<i64>().ok().map(ValueKind::from),
        Kind::Number => trimmed.parse::<f64>().ok().map(ValueKind::from),
        Kind::Bool => trimmed.to_ascii_lowercase().parse::<bool>().ok().map(ValueKind::from),
    };
    converted.map(Some).ok_or_else(|| format!("must be {kind}"))
}
