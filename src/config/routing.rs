//! What applies to all XMPP domains, and to those that override it: where events go, and how SNS is reached.

use std::collections::BTreeMap;
use std::path::Path;

use ::config::Value;

use super::key::{Key, Origin};
use super::merged::{self, Merged};
use super::problem::Problems;
use super::schema::{self, HOST_KEYS};
use super::settings::{Access, Config, Overrides};
use crate::arn::{self, ArnError, TopicArn};
use crate::nearest::did_you_mean;
use crate::plugin::is_script;

/// Those of one key pair belong together: a host takes none of them from elsewhere if it gives one.
const CREDENTIALS: [&str; 3] = ["access_key_id", "secret_access_key", "session_token"];

/// Reads the settings with `[sns]` and each host as they apply.
pub(super) fn read(merged: &mut Merged, plugin_names: &[&str]) -> Result<Config, Problems> {
    let base = Key::from("sns");
    let mut values = Scope { merged: &mut *merged, plugin_names, host: None }.values(&base);
    for key in merged.values().into_keys() {
        let is_resolved = |name: &&str| key.is_within(&base.child(name));
        if !key.is_within(&Key::from("hosts")) && !HOST_KEYS.iter().any(is_resolved) {
            let value = merged.applying(&key);
            values.extend(value.map(|value| (key, value)));
        }
    }
    let mut config: Config = merged::read(values)?;
    for host in merged.names_in(&Key::from("hosts")) {
        let scope = Scope { merged: &mut *merged, plugin_names, host: Some(&host) };
        let Overrides { routing, access, .. } = merged::read(scope.values(&Key::default()))?;
        let access = number(&mut config, access);
        config.hosts.insert(host, routing.by(access));
    }
    Ok(config)
}

/// The number of an access, each of which is there once; 0 is that of `[sns]`.
fn number(config: &mut Config, access: Access) -> arn::AccessId {
    let all = &mut config.sns.host_accesses;
    let number = match all.iter().position(|it| it.is_like(&access)) {
        _ if config.sns.access.is_like(&access) => 0,
        Some(index) => index + 1,
        None => {
            all.push(access);
            all.len()
        }
    };
    arn::AccessId::try_from(number).unwrap_or_default()
}

/// All domains, or one of them.
struct Scope<'a> {
    merged: &'a mut Merged,
    plugin_names: &'a [&'a str],
    host: Option<&'a str>,
}

impl Scope<'_> {
    /// The values that apply, by their keys below `group`: topics are whole ARNs.
    fn values(mut self, group: &Key) -> BTreeMap<Key, Value> {
        self.check_credentials();
        let mut keys = BTreeMap::new();
        for name in HOST_KEYS.iter() {
            let groups = [Some(Key::from(["sns", name])), self.own(name)];
            for from in groups.into_iter().flatten() {
                for below in self.merged.names_in(&from) {
                    keys.insert(group.child(name).child(&below), from.child(&below));
                }
            }
            if schema::default_of(&Key::from(["sns", name])).is_some() {
                keys.insert(group.child(name), self.key(name));
            }
        }
        let values = keys.into_iter().filter_map(|(to, from)| Some((to, self.value(&from)?)));
        values.collect()
    }

    fn value(&mut self, key: &Key) -> Option<Value> {
        match schema::format(key) {
            Some("topic") => self.topic(key),
            Some("plugin") => Some(self.plugin(key).into()),
            _ => self.merged.applying(key),
        }
    }

    /// The key of the host itself.
    fn own(&self, name: &str) -> Option<Key> {
        Some(Key::from(["hosts", self.host?, "sns", name]))
    }

    /// The host's own key where it has it, else that of `[sns]`. So a problem names the
    /// key that is to be changed, and one that all hosts share is the same for each.
    fn key(&self, name: &str) -> Key {
        let with = if CREDENTIALS.contains(&name) { &CREDENTIALS[..] } else { &[name] };
        let is_given = with.iter().any(|it| self.own(it).is_some_and(|it| self.merged.has(&it)));
        self.own(name).filter(|_| is_given).unwrap_or_else(|| Key::from(["sns", name]))
    }

    fn topic(&mut self, key: &Key) -> Option<Value> {
        let region_key = self.key("region");
        let region = self.merged.text(&region_key).filter(|_| self.merged.is_sound(&region_key));
        let Some(topic) = self.merged.text(key).filter(|_| self.merged.is_sound(key)) else {
            // It may be a name.
            if let Some(region) = region.filter(|_| self.merged.is_given(key)) {
                self.check_region(&region_key, &region);
            }
            return None;
        };
        if topic.starts_with("arn:") {
            let faults = arn::faults(&topic);
            let region = topic.split(':').nth(3).unwrap_or_default();
            if arn::check_region(region).is_ok() {
                self.check_region(key, region);
            }
            self.note(key, faults);
            let arn = TopicArn::parse(&topic).ok().filter(|_| self.merged.is_sound(key));
            return arn.map(|arn| arn.as_str().into());
        }
        // Looked at even where no ARN can be built of it.
        self.note(key, arn::check_name(&topic).err());
        let account_id = self.part_of_arn("account_id", key);
        let region = self.part_of_arn("region", key)?;
        self.check_region(&region_key, &region);
        let arn = TopicArn::build(&region, &account_id?, &topic).ok();
        arn.filter(|_| self.merged.is_sound(&region_key)).map(|arn| arn.as_str().into())
    }

    fn note(&mut self, key: &Key, faults: impl IntoIterator<Item = ArnError>) {
        for fault in faults {
            let remedy = "give a topic's name or its whole ARN";
            self.merged.problem(key, fault.to_string(), remedy);
        }
    }

    /// A misspelt region is part of a host name that DNS does not have, unless `sns_host` is another host.
    fn check_region(&mut self, key: &Key, region: &str) {
        let near = arn::misspelt_region(region);
        if let Some(near) = near.filter(|_| self.merged.is_unset(&self.key("sns_host"))) {
            let wrong = "names no region of AWS, whose regions have names such as eu-west-1";
            self.merged.problem(key, wrong, format!("did you mean {near:?}?"));
        }
    }

    /// What a topic's name needs to become an ARN; `None` if it is missing or wrong.
    fn part_of_arn(&mut self, name: &str, topic: &Key) -> Option<String> {
        let key = self.key(name);
        if self.merged.is_unset(&key) {
            self.merged.missing(&key, topic);
        }
        self.merged.text(&key).filter(|_| self.merged.is_sound(&key))
    }

    fn plugin(&mut self, key: &Key) -> String {
        let name = self.merged.text(key).or_else(|| self.merged.applying(key)?.into_string().ok());
        let name = name.unwrap_or_default();
        if self.plugin_names.contains(&name.as_str()) {
            return name;
        }
        if is_script(&name) {
            return self.beside_its_file(key, &name);
        }
        let wrong = format!(
            "is not a plugin of this program, which has {}, and not a script, whose name ends in .rhai",
            self.plugin_names.join(", ")
        );
        self.merged.problem(key, wrong, did_you_mean(&name, self.plugin_names));
        name
    }

    /// A relative path is meant from the folder of the file that names it; from the environment, from where the
    /// program runs.
    fn beside_its_file(&self, key: &Key, path: &str) -> String {
        match self.merged.value(key).map(Origin::of) {
            Some(Origin::File { name, .. }) => {
                let folder = Path::new(&name).parent().unwrap_or(Path::new(""));
                folder.join(path).to_string_lossy().into_owned()
            }
            _ => path.to_owned(),
        }
    }

    fn check_credentials(&mut self) {
        let keys = CREDENTIALS.map(|name| self.key(name));
        let Some(given) = keys.iter().find(|key| self.merged.is_given(key)) else { return };
        let unset: Vec<_> = keys[..2].iter().filter(|key| self.merged.is_unset(key)).collect();
        for unset in unset {
            let wrong = format!("is unset, but {given} is given");
            self.merged.problem(unset, wrong, "set both parts of the credentials, or none");
        }
    }
}
