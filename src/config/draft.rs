//! A configuration in which something may be wrong: all problems are collected, and what is not wrong can be used.

use super::faults::Faults;
use super::inputs::Inputs;
use super::key::{Key, Origin};
use super::merged::Merged;
use super::problem::{Problem, Problems};
use super::settings::{Amqp, Config, Effective};
use super::{broker, doubt, routing, schema, service};
use crate::arn::TopicArn;
use crate::event::EventKind;

/// Stands for a value that is not to be shown.
const HIDDEN: &str = "***";

/// A configuration as it was read. The default stands in for what is wrong.
#[derive(Debug)]
pub struct Draft {
    config: Config,
    faults: Faults,
    problems: Vec<Problem>,
}

/// What of RabbitMQ can be asked, although something is wrong with the configuration.
#[derive(Debug)]
pub(crate) enum Askable {
    /// All that this names.
    Topology(Amqp),
    /// Only whether one can log in: what there should be is not known.
    Login(Amqp),
    /// Nothing.
    Nothing,
}

impl Draft {
    /// Merges and validates the layers. `unread` is what [`Inputs::read_all`] could not read, and `plugin_names` are the
    /// values that `plugin_module` may have.
    ///
    /// # Errors
    ///
    /// [`Problems`]: what is wrong, where no draft can be made of the rest.
    pub fn read(
        inputs: &Inputs,
        unread: Vec<Problem>,
        plugin_names: &[&str],
    ) -> Result<Self, Problems> {
        let mut merged = Merged::of(inputs, unread);
        let mut config = match routing::read(&mut merged, plugin_names) {
            Ok(config) => config,
            Err(problems) => {
                let (_, mut all) = merged.into_problems();
                all.extend(problems.as_slice().iter().cloned());
                return Err(Problems::from(all));
            }
        };
        doubt::note(&merged, &mut config);
        broker::complete(&mut merged, &mut config);
        service::check(&mut merged, &config);
        config.effective = effective(&merged, &config.amqp);
        config.emptied_topics = std::mem::take(&mut merged.emptied_topics);
        let (faults, problems) = merged.into_problems();
        Ok(Self { config, faults, problems })
    }

    /// The configuration, with defaults for what is wrong.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same, to complete it by what is in files that it names.
    pub(crate) fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Notes what is wrong with the value that applies of a key.
    pub(crate) fn problem(&mut self, key: &Key, wrong: String, remedy: &str) {
        let mut problem = self.config.problem(key, wrong, remedy);
        // To say that it is hidden would say nothing.
        problem.value = problem.value.filter(|it| it != HIDDEN);
        self.faults.note(key.clone(), &problem.origin);
        self.problems.push(problem);
    }

    /// Notes that no event of any source could be published. See [`Config::require_topics`].
    pub(crate) fn require_topics(&mut self) {
        if let Err(problems) = self.config.require_topics() {
            self.problems.extend(problems.as_slice().iter().cloned());
        }
    }

    /// Whether nothing is wrong with a key, nor with a group that it is in.
    pub(crate) fn is_sound(&self, key: &Key) -> bool {
        self.faults.is_sound(key)
    }

    /// Whether all that was to be read could be read.
    pub(crate) fn is_read(&self) -> bool {
        !self.faults.is_unread
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    /// What is wrong so far, if anything is.
    #[must_use]
    pub fn problems(&self) -> Option<Problems> {
        (!self.is_valid()).then(|| Problems::from(self.problems.clone()))
    }

    /// The configuration, if nothing is wrong with it.
    ///
    /// # Errors
    ///
    /// All that is wrong.
    pub fn finish(self) -> Result<Config, Problems> {
        match self.problems() {
            Some(problems) => Err(problems),
            None => Ok(self.config),
        }
    }

    /// The topics that SNS can be asked for: their ARNs and how they are reached are known.
    pub(crate) fn askable_topics(&self) -> impl Iterator<Item = (Key, &TopicArn)> {
        let topics = self.config.topics().filter(|_| self.is_read());
        topics.filter(|(key, _)| self.access_is_sound(key))
    }

    /// Whether there are topics that SNS can't be asked for, because of what is wrong with them or with how they are reached.
    pub(crate) fn has_other_topics(&self) -> bool {
        !self.config.kinds_in_doubt.is_empty()
            || self.config.topics().any(|(key, _)| !self.access_is_sound(&key))
    }

    /// Whether it is known which topics are set for events of this kind.
    pub(crate) fn knows_topics_of(&self, kind: EventKind) -> bool {
        !self.config.kinds_in_doubt.contains(&kind)
    }

    fn access_is_sound(&self, topic: &Key) -> bool {
        let of_host = match topic.segments().as_slice() {
            ["hosts", host, ..] => Some(Key::from(["hosts", host, "sns"])),
            _ => None,
        };
        ["sns_host", "access_key_id", "secret_access_key", "session_token"].iter().all(|name| {
            // A host that has none of its own has that of all, and one that has, differs.
            let own = of_host.iter().map(|group| group.child(name));
            own.chain([Key::from(["sns", name])]).all(|key| self.is_sound(&key))
        })
    }

    /// What RabbitMQ can be asked for: what is wrong with a source leaves the others.
    pub(crate) fn askable_broker(&self) -> Askable {
        let are_sound = |names: &[&str]| {
            names.iter().all(|name| self.is_sound(&Key::from(["amqp", name]))) && self.is_read()
        };
        if !are_sound(&["uri", "uris", "ca_file", "cert_file", "key_file"]) {
            return Askable::Nothing;
        }
        let mut amqp = self.config.amqp.clone();
        let topology = ["declare", "queue_type", "delivery_limit"];
        let dead_letters = ["dead_letter_exchange", "dead_letter_queue", "sources"];
        if !are_sound(&topology) || !are_sound(&dead_letters) {
            return Askable::Login(amqp);
        }
        amqp.sources.retain(|source| {
            self.faults.is_sound_within(&Key::from(["amqp", "sources", &source.name]))
                && self.config.missing_topics(source).is_none()
        });
        let parking = ["sns.ordering", "outage.probe_max_ms"];
        if !parking.iter().all(|key| self.is_sound(&Key::from(*key))) {
            amqp.sources.iter_mut().for_each(|source| source.parking = None);
        }
        Askable::Topology(amqp)
    }
}

fn effective(merged: &Merged, amqp: &Amqp) -> Vec<Effective> {
    let shown = merged.values().into_iter().map(|(key, value)| {
        let origin = Origin::of(value);
        let shown = if key == Key::from("amqp.prefetch") {
            Some(amqp.prefetch.to_string())
        } else {
            schema::shown(&key, value).filter(|_| !merged.is_guessed(&key, &origin))
        };
        Effective { value: shown.unwrap_or_else(|| HIDDEN.to_owned()), origin, key }
    });
    shown.collect()
}
