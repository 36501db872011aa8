//! Takes typed values out of the merged layers and keeps a list of what is wrong.
//!
//! Nothing here fails: a value that is wrong is noted, and the default stands in for it, so
//! that all the rest is looked at too. The result is thrown away if anything was noted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ::config::{Value, ValueKind};
use secrecy::SecretString;

use super::key::{Key, Origin};
use super::layers::Merged;
use super::problem::{Problem, Problems};
use super::value::{is_unset, texts};
use super::{schema, suggest};

/// What a key's value has to be, besides of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// A number in this range.
    Range(RangeInclusive<i64>),
    /// One of these words.
    Words(Vec<String>),
    /// A text, or a list of texts, of this form as a regular expression.
    Pattern(&'static str),
}

#[derive(Debug)]
pub(super) struct Reader {
    layer: Merged,
    /// What was asked of the values so far.
    rules: BTreeMap<Key, Rule>,
    /// Unset keys, and the topics whose ARNs can't be built without them.
    missing: BTreeMap<Key, BTreeSet<Key>>,
}

impl Reader {
    pub(super) const fn new(layer: Merged) -> Self {
        Self { layer, rules: BTreeMap::new(), missing: BTreeMap::new() }
    }

    /// What was read, if nothing is wrong with it.
    pub(super) fn finish(mut self) -> Result<Merged, Problems> {
        for (key, topics) in std::mem::take(&mut self.missing) {
            if self.layer.faulty.contains(&key) {
                continue;
            }
            let topics: Vec<String> = topics.iter().map(ToString::to_string).collect();
            let (arns, names) =
                if topics.len() == 1 { ("ARN", "a whole ARN") } else { ("ARNs", "whole ARNs") };
            let wrong =
                format!("is unset, but needed to build the {arns} of {}", topics.join(", "));
            self.problem(&key, wrong, format!("set it, or give {names}"));
        }
        Problems::none_in(std::mem::take(&mut self.layer.problems))?;
        Ok(self.layer)
    }

    /// What was asked of the values that were read.
    pub(super) fn into_rules(self) -> BTreeMap<Key, Rule> {
        self.rules
    }

    /// Notes for whoever writes a configuration which form a text has. Its reader checks more.
    pub(super) fn has_form(&mut self, key: &Key, pattern: &'static str) {
        self.rules.insert(key.clone(), Rule::Pattern(pattern));
    }

    /// The value that applies, if any layer has the key.
    pub(super) fn setting(&self, key: &Key) -> Option<&Value> {
        self.layer.setting(key)
    }

    /// The names that users chose directly below `group`.
    pub(super) fn names_in(&self, group: &Key) -> BTreeSet<String> {
        match self.setting(group).map(|it| &it.kind) {
            Some(ValueKind::Table(table)) => table.keys().cloned().collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Notes what is wrong with a key, together with its value and origin.
    pub(super) fn problem(
        &mut self,
        key: &Key,
        wrong: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let problem = match self.setting(key) {
            Some(value) => {
                Problem::new(&Origin::of(value), key.clone(), wrong, remedy).with_value(value)
            }
            None => Problem::new(&Origin::Default, key.clone(), wrong, remedy),
        };
        self.layer.faulty.insert(key.clone());
        self.layer.problems.push(problem);
    }

    /// Notes that `topic` can't do without the unset `key`.
    pub(super) fn missing(&mut self, key: &Key, topic: &Key) {
        self.missing.entry(key.clone()).or_default().insert(topic.clone());
    }

    /// Whether nothing was wrong with any of these, so that something can be said about
    /// them together.
    pub(super) fn sound(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.is_sound(&Key::from(*key)))
    }

    /// Whether nothing was wrong with it.
    pub(super) fn is_sound(&self, key: &Key) -> bool {
        !self.layer.faulty.contains(key)
    }

    fn value(&self, key: &Key) -> Option<&Value> {
        self.setting(key).or_else(|| schema::default_of(key))
    }

    /// A text; `None` if it is empty.
    pub(super) fn optional(&self, key: &Key) -> Option<String> {
        let value = self.value(key).filter(|it| !is_unset(it))?;
        texts(value).first().map(|text| (*text).to_owned())
    }

    /// A text; the default if it is empty.
    pub(super) fn text(&self, key: &Key) -> String {
        self.optional(key).unwrap_or_else(|| {
            let default = schema::default_of(key).map(texts).unwrap_or_default();
            default.first().map(|text| (*text).to_owned()).unwrap_or_default()
        })
    }

    pub(super) fn secret(&self, key: &str) -> Option<SecretString> {
        self.optional(&key.into()).map(SecretString::from)
    }

    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        self.optional(&key.into()).map(PathBuf::from)
    }

    pub(super) fn flag(&self, key: &Key) -> bool {
        matches!(self.value(key).map(|it| &it.kind), Some(ValueKind::Boolean(true)))
    }

    pub(super) fn list(&self, key: &Key) -> Vec<String> {
        self.value(key).map(texts).unwrap_or_default().into_iter().map(str::to_owned).collect()
    }

    /// A number in `range`, every number of which `T` must be able to hold; `why` says, as
    /// a sentence's end, what the bounds come from.
    pub(super) fn number<T>(&mut self, key: &str, range: RangeInclusive<i64>, why: &str) -> T
    where
        T: TryFrom<i64> + Default,
    {
        let key = Key::from(key);
        self.rules.insert(key.clone(), Rule::Range(range.clone()));
        let integer = |value: Option<&Value>| match value.map(|it| &it.kind) {
            Some(ValueKind::I64(number)) => *number,
            _ => *range.start(),
        };
        let mut number = integer(self.value(&key));
        if !range.contains(&number) {
            let wrong = format!("must be from {} to {}: {why}", range.start(), range.end());
            self.problem(&key, wrong, "give a number in that range");
            number = integer(schema::default_of(&key));
        }
        T::try_from(number).unwrap_or_default()
    }

    /// A number in `range` that may have a fraction.
    pub(super) fn fraction(&mut self, key: &str, range: RangeInclusive<f64>, why: &str) -> f64 {
        let key = Key::from(key);
        let number = |value: Option<&Value>| match value.map(|it| &it.kind) {
            Some(ValueKind::Float(number)) => *number,
            _ => *range.start(),
        };
        let given = number(self.value(&key));
        if range.contains(&given) {
            return given;
        }
        let wrong = format!("must be from {} to {}: {why}", range.start(), range.end());
        self.problem(&key, wrong, "give a number in that range");
        number(schema::default_of(&key))
    }

    /// A duration that is configured in milliseconds.
    pub(super) fn millis(&mut self, key: &str, range: RangeInclusive<i64>, why: &str) -> Duration {
        Duration::from_millis(self.number(key, range, why))
    }

    /// One of a set of words; the default, which comes first, if it is empty.
    pub(super) fn choice<T: Copy>(&mut self, key: &Key, choices: &[(&str, T)]) -> T {
        let words = choices.iter().map(|(word, _)| (*word).to_owned()).collect();
        self.rules.insert(key.clone(), Rule::Words(words));
        let text = self.text(key);
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return *choice;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let wrong = format!("must be one of {}", words.join(", "));
        self.problem(key, wrong, did_you_mean(&text, &words));
        choices[0].1
    }
}

/// The remedy for a word that is none of `words`.
pub(super) fn did_you_mean(unknown: &str, words: &[&str]) -> String {
    match suggest::nearest_word(unknown, words) {
        Some(word) => format!("did you mean {word:?}?"),
        None => "give one of these".to_owned(),
    }
}
