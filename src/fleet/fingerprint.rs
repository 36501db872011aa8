//! A configuration as hashes: what differs is named by its key, and no value is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Effective;
use crate::limits::MOST_COMPARED;
use crate::text::hexadecimal;

/// Bytes of a part's hash, and of the whole's.
const OF_A_PART: usize = 4;
const OF_ALL: usize = 8;

/// Keys in which workers of one fleet may well differ: addresses and files of their own machines, their logs, and the nodes of
/// the broker, which are the same broker's if workers hear each other.
const NOT_COMPARED: [&str; 10] = [
    "admin.health_listen",
    "admin.listen",
    "amqp.ca_file",
    "amqp.cert_file",
    "amqp.key_file",
    "amqp.signing_key_file",
    "amqp.uri",
    "amqp.uris",
    "log.filter",
    "log.format",
];

/// The hash of a configuration, and those of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Fingerprint {
    /// Of all keys that are compared.
    pub hash: String,
    /// By key, or, where there are too many, by group of keys, or nothing.
    pub parts: BTreeMap<String, String>,
}

impl Fingerprint {
    /// Of what applies. Secrets are in it as they are shown, so that nobody can guess them by their hash; two workers that
    /// differ in a secret alone are alike.
    #[must_use]
    pub fn of(effective: &[Effective]) -> Self {
        let keys: BTreeMap<_, _> = effective
            .iter()
            .map(|it| (it.key.to_string(), it.value.as_str()))
            .filter(|(key, _)| !NOT_COMPARED.contains(&key.as_str()))
            .collect();
        let each = keys.iter().map(|(key, value)| (key.as_str(), *value));
        let hash = hash(each, OF_ALL);
        if keys.len() <= MOST_COMPARED {
            let part = |(key, value): (&String, &&str)| {
                (key.clone(), self::hash([(key.as_str(), *value)].into_iter(), OF_A_PART))
            };
            return Self { hash, parts: keys.iter().map(part).collect() };
        }
        let mut groups: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (key, value) in &keys {
            let group = key.rsplit_once('.').map_or(key.as_str(), |(group, _)| group);
            groups.entry(group).or_default().push((key, value));
        }
        if groups.len() > MOST_COMPARED {
            return Self { hash, parts: BTreeMap::new() };
        }
        let part = |(group, keys): (&str, Vec<(&str, &str)>)| {
            (format!("[{group}]"), self::hash(keys.into_iter(), OF_A_PART))
        };
        Self { hash, parts: groups.into_iter().map(part).collect() }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hash.is_empty() && self.parts.is_empty()
    }

    /// Whether it tells of this key by itself.
    #[must_use]
    pub fn tells(&self, key: &str) -> bool {
        self.parts.contains_key(key)
    }

    /// The names of the parts in which another one differs; of versions that differ, only parts that both have count.
    #[must_use]
    pub fn differences(&self, other: &Self, same_version: bool) -> Vec<String> {
        if self.hash == other.hash || self.hash.is_empty() || other.hash.is_empty() {
            return Vec::new();
        }
        let names = self.parts.keys().chain(other.parts.keys());
        let differs = |name: &&String| match (self.parts.get(*name), other.parts.get(*name)) {
            (Some(one), Some(other)) => one != other,
            _ => same_version,
        };
        let mut names: Vec<_> = names.filter(differs).cloned().collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() && same_version {
            names.push("the configuration".to_owned());
        }
        names
    }
}

fn hash<'a>(keys: impl Iterator<Item = (&'a str, &'a str)>, bytes: usize) -> String {
    let mut hash = Sha256::new();
    for text in keys.flat_map(|(key, value)| [key, value]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hexadecimal(&hash.finalize()[..bytes])
}
