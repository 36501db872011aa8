//! The layer of the environment: `EVENT_PUSHER__SNS__REGION` is `sns.region`.

use toml::de::DeValue;

use super::file::plain;
use super::key::{ENVIRONMENT_PREFIX, ENVIRONMENT_SEPARATOR, Key, Origin};
use super::layers::Layer;
use super::problem::Problem;
use super::schema::{self, Place};
use super::value::{Kind, Value};

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
                Ok(Some(value)) => layer.set(key, value, origin),
                Ok(None) => {}
                Err(wrong) => {
                    let problem = Problem::new(&origin, key, wrong, environment_remedy(kind));
                    layer.fault(problem.with_value(&Value::Text(text.clone())));
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
    path.split(ENVIRONMENT_SEPARATOR)
        .try_fold(Key::default(), |parent, name| layer.child(&parent, name, origin))
}

/// `Ok(None)`: an empty variable, which can't stand for a number or a flag, gives nothing.
fn convert(kind: Kind, text: &str) -> Result<Option<Value>, String> {
    let trimmed = text.trim();
    match kind {
        Kind::Text => Ok(Some(Value::Text(text.to_owned()))),
        Kind::List if trimmed.starts_with('[') => {
            match DeValue::parse(trimmed).ok().and_then(|v| plain(v.get_ref())) {
                Some(list @ Value::List(_)) => Ok(Some(list)),
                _ => Err("begins with `[`, but is not a list of texts in TOML".to_owned()),
            }
        }
        Kind::List => {
            let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Some(Value::List(items.map(str::to_owned).collect())))
        }
        Kind::Integer | Kind::Number | Kind::Bool if trimmed.is_empty() => Ok(None),
        Kind::Integer => match trimmed.parse() {
            Ok(number) => Ok(Some(Value::Integer(number))),
            Err(_) => Err(format!("must be {kind}")),
        },
        Kind::Number => match trimmed.parse::<f64>() {
            Ok(_) => Ok(Some(Value::Number(trimmed.to_owned()))),
            Err(_) => Err(format!("must be {kind}")),
        },
        Kind::Bool => match trimmed.to_ascii_lowercase().parse() {
            Ok(flag) => Ok(Some(Value::Bool(flag))),
            Err(_) => Err(format!("must be {kind}")),
        },
    }
}

const fn environment_remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "give a text",
        Kind::Integer => "give a whole number",
        Kind::Number => "give a number, such as 0.5",
        Kind::Bool => "give true or false",
        Kind::List => r#"give texts with commas between them, or a list in TOML: ["a", "b"]"#,
    }
}
