//! The layers and their merging by the `config` crate: defaults, then files, then the environment.

use std::collections::BTreeSet;

use ::config::{Config, Value};

use super::inputs::Inputs;
use super::key::{Key, Origin};
use super::layer::Layer;
use super::merged::Merged;
use super::schema;
use super::value::is_unset;
use super::{environment, file};

/// Reads the layers and puts each over those below it.
pub(super) fn merge(inputs: &Inputs) -> Merged {
    let files = inputs.files.iter().enumerate();
    let mut layers: Vec<Layer> =
        files.map(|(order, (name, text))| file::read(order, name, text)).collect();
    layers.push(environment::read(&inputs.environment));
    let (mut faulty, mut problems) = (BTreeSet::new(), Vec::new());
    let mut builder = Config::builder().add_source(defaults(&layers));
    for mut layer in layers {
        faulty.append(&mut layer.faulty);
        problems.append(&mut layer.problems);
        builder = builder.add_source(layer);
    }
    match builder.build() {
        Ok(config) => Merged::new(config, faulty, problems),
        Err(_) => unreachable!("a layer that has been read gives what it has"),
    }
}

/// What applies below the layers of users. Where these have sources, only those exist, with the default source's
/// values for what they leave out.
fn defaults(users: &[Layer]) -> Layer {
    let mut defaults = Layer::default();
    let group = Key::from("amqp.sources");
    let template = group.child(schema::DEFAULT_SOURCE);
    let sources: BTreeSet<String> = users.iter().flat_map(|it| it.names_in(&group)).collect();
    for (key, value) in schema::defaults() {
        let mut set = |key| defaults.set(key, value.kind.clone(), &Origin::Default);
        if key.is_within(&template) && !sources.is_empty() {
            sources.iter().for_each(|name| set(group.child(name).child(key.last())));
        } else {
            set(key.clone());
        }
    }
    let given = |key| users.iter().rev().find_map(|layer| layer.values.get(&Key::from(key)));
    if given("amqp.uri").is_none() && given("amqp.uris").is_some_and(|uris| !is_unset(uris)) {
        // The default must not stand beside what the user gave in its place.
        defaults.values.insert(Key::from("amqp.uri"), Value::from(""));
    }
    defaults
}
