//! The layers and their merging: defaults, then files, then the environment.

use std::collections::{BTreeMap, BTreeSet};

use super::key::{Key, Origin};
use super::problem::Problem;
use super::schema;
use super::suggest;
use super::value::Value;
use super::{Inputs, domain, environment, file};

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What one layer gives, or all of them together.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) values: BTreeMap<Key, Setting>,
    /// The groups it names, which may be empty: that a source exists is a setting too.
    pub(super) groups: BTreeSet<Key>,
    /// Keys it gives wrongly, so that nothing is concluded from the value that stands instead.
    pub(super) faulty: BTreeSet<Key>,
    pub(super) problems: Vec<Problem>,
}

impl Layer {
    /// The key `name` below `parent`, with names that a user chooses in their one normal form.
    pub(super) fn child(&mut self, parent: &Key, name: &str, origin: &Origin) -> Option<Key> {
        let normal = match parent.segments().as_slice() {
            ["hosts"] => domain::normalise(name),
            [.., "sns", "muc_topics"] => domain::normalise_pattern(name),
            ["amqp", "sources"] => source_name(name),
            _ => Ok(name.to_owned()),
        };
        match normal {
            Ok(name) => Some(parent.child(&name)),
            Err(wrong) => {
                let remedy = "correct the name";
                self.problems.push(Problem::new(origin, parent.child(name), wrong, remedy));
                None
            }
        }
    }

    /// Takes a value in.
    pub(super) fn set(&mut self, key: Key, value: Value, origin: Origin) {
        if let Some(earlier) = self.values.get(&key) {
            let wrong = format!("is given twice; the other is {}", earlier.origin);
            self.fault(Problem::new(&origin, key, wrong, "remove one of them"));
            return;
        }
        self.values.insert(key, Setting { value, origin });
    }

    /// Takes note of a key that is known but wrongly given.
    pub(super) fn fault(&mut self, problem: Problem) {
        self.faulty.extend(problem.key.clone());
        self.problems.push(problem);
    }

    /// Takes note of a key that doesn't exist. Its value is never shown: it may be a secret
    /// under a misspelt name.
    pub(super) fn unknown(&mut self, key: &Key, origin: &Origin, is_group: bool) {
        if let ["hosts", _, "sns", rest @ ..] = key.segments().as_slice() {
            let base =
                Key::from(["sns"].iter().chain(rest).copied().collect::<Vec<_>>().as_slice());
            if schema::place(&base).is_some() {
                let remedy = format!(
                    "set {base} for all hosts; a host overrides only {}",
                    schema::HOST_KEYS.join(", ")
                );
                self.problems.push(Problem::new(origin, key.clone(), "is for [sns] only", remedy));
                return;
            }
        }
        let remedy = match suggest::nearest(key, is_group) {
            Some(nearest) if matches!(origin, Origin::Environment(_)) => {
                format!("did you mean `{}`?", nearest.environment_name())
            }
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "remove it; config/default.toml has every key that exists".to_owned(),
        };
        let wrong = if is_group { "is not a known group of keys" } else { "is not a known key" };
        self.problems.push(Problem::new(origin, key.clone(), wrong, remedy));
    }

    fn defaults() -> Self {
        let setting = |value: &Value| Setting { value: value.clone(), origin: Origin::Default };
        let values = schema::defaults().iter().map(|(key, value)| (key.clone(), setting(value)));
        Self { values: values.collect(), ..Self::default() }
    }

    fn add(&mut self, upper: Self) {
        self.values.extend(upper.values);
        self.groups.extend(upper.groups);
        self.faulty.extend(upper.faulty);
        self.problems.extend(upper.problems);
    }
}

/// The names that [`source_name`] allows.
pub(super) const SOURCE_NAME: &str = "^[a-z0-9_-]+$";

/// A source's name is a label in metrics and a level in the names of environment
/// variables, which are read in lower case.
fn source_name(name: &str) -> Result<String, String> {
    let usual = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || !name.bytes().all(usual) {
        return Err(
            "is not a source's name, which is lower-case letters, digits, `-` and `_`".to_owned()
        );
    }
    Ok(name.to_owned())
}

/// All layers in one: every key that applies has a value.
pub(super) fn merge(inputs: &Inputs) -> Layer {
    let mut users = Layer::default();
    for (order, (name, text)) in inputs.files.iter().enumerate() {
        users.add(file::read(order, name, text));
    }
    users.add(environment::read(&inputs.environment));

    let mut merged = Layer::defaults();
    fill_sources(&mut users, &mut merged);
    let uris = Key::from("amqp.uris");
    let uri = Key::from("amqp.uri");
    if users.values.get(&uris).is_some_and(|uris| !uris.value.is_unset())
        && !users.values.contains_key(&uri)
    {
        // The default must not stand beside what the user gave in its place.
        merged
            .values
            .insert(uri, Setting { value: Value::Text(String::new()), origin: Origin::Default });
    }
    merged.add(users);
    merged
}

/// Where the user has sources, only those exist, with the default source's values for what
/// they leave out.
fn fill_sources(users: &mut Layer, defaults: &mut Layer) {
    let group = Key::from("amqp.sources");
    let given = users.groups.iter().chain(users.values.keys());
    let names: BTreeSet<String> = given
        .filter(|key| key.is_within(&group))
        .filter_map(|key| key.segments().get(2).map(|name| (*name).to_owned()))
        .collect();
    if names.is_empty() {
        return;
    }
    let template = group.child(schema::DEFAULT_SOURCE);
    let (of_default, others) = std::mem::take(&mut defaults.values)
        .into_iter()
        .partition(|(key, _)| key.is_within(&template));
    defaults.values = others;
    for (key, setting) in &of_default {
        for name in &names {
            defaults.values.insert(group.child(name).child(key.last()), setting.clone());
        }
    }
}
