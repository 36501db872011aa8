//! Validates where events go: for all XMPP domains, and for those that override it.

use std::collections::BTreeMap;
use std::path::Path;

use super::domain;
use super::key::{Key, Origin};
use super::reader::{Reader, did_you_mean};
use super::settings::Routing;
use crate::arn::{self, Access, ArnError, TopicArn};
use crate::plugin::is_script;

/// The routing of `[sns]`.
pub(super) fn base(read: &mut Reader, plugin_names: &[&str]) -> Routing {
    Scope { read, plugin_names, host: None, access: 0 }.routing()
}

/// The routing of every domain in `[hosts]`: that of `[sns]` with the domain's overrides. Its topics are
/// reached by the access that the domain has in `accesses`.
pub(super) fn hosts(
    read: &mut Reader,
    plugin_names: &[&str],
    accesses: &BTreeMap<String, Access>,
) -> BTreeMap<String, Routing> {
    let names = read.names_in(&Key::from("hosts"));
    let routing = |host: String| {
        let access = accesses.get(&host).copied().unwrap_or_default();
        let scope = Scope { read: &mut *read, plugin_names, host: Some(&host), access };
        let routing = scope.routing();
        (host, routing)
    };
    names.into_iter().map(routing).collect()
}

/// All domains, or one of them.
struct Scope<'a> {
    read: &'a mut Reader,
    plugin_names: &'a [&'a str],
    host: Option<&'a str>,
    access: Access,
}

impl Scope<'_> {
    fn routing(mut self) -> Routing {
        Routing {
            presence_updates_topic: self.topic(&self.key("presence_updates_topic")),
            pm_messages_topic: self.topic(&self.key("pm_messages_topic")),
            muc_messages_topic: self.topic(&self.key("muc_messages_topic")),
            plugin_module: self.plugin(),
            muc_host: self.muc_host(),
            muc_topics: self.muc_topics(),
        }
    }

    /// The host's own key where it has it, else that of `[sns]`. So a problem names the
    /// key that is to be changed, and one that all hosts share is the same for each.
    fn key(&self, name: &str) -> Key {
        let shared = Key::from(["sns", name]);
        match self.host {
            Some(host) => Some(Key::from(["hosts", host, "sns", name]))
                .filter(|own| self.read.setting(own).is_some())
                .unwrap_or(shared),
            None => shared,
        }
    }

    fn topic(&mut self, key: &Key) -> Option<TopicArn> {
        let topic = self.read.optional(key)?;
        let arn = if topic.starts_with("arn:") {
            TopicArn::parse(&topic)
        } else {
            let region = self.part_of_arn("region", key, arn::check_region);
            let account_id = self.part_of_arn("account_id", key, arn::check_account_id);
            TopicArn::build(&region?, &account_id?, &topic)
        };
        match arn {
            Ok(arn) => Some(arn.by(self.access)),
            Err(error) => {
                self.read.problem(key, error.to_string(), "give a topic's name or its whole ARN");
                None
            }
        }
    }

    /// What a topic's name needs to become an ARN; `None` if it is missing or invalid.
    fn part_of_arn(
        &mut self,
        name: &str,
        topic: &Key,
        check: fn(&str) -> Result<(), ArnError>,
    ) -> Option<String> {
        let key = self.key(name);
        let Some(value) = self.read.optional(&key) else {
            self.read.missing(&key, topic);
            return None;
        };
        // An invalid one is a problem of its own, reported by `check_parts`.
        check(&value).is_ok().then_some(value)
    }

    fn plugin(&mut self) -> String {
        let key = self.key("plugin_module");
        let name = self.read.text(&key);
        if self.plugin_names.contains(&name.as_str()) {
            return name;
        }
        if is_script(&name) {
            return self.beside_its_file(&key, &name);
        }
        let wrong = format!(
            "is not a plugin of this program, which has {}, and not a script, whose name ends in .rhai",
            self.plugin_names.join(", ")
        );
        self.read.problem(&key, wrong, did_you_mean(&name, self.plugin_names));
        name
    }

    /// A relative path is meant from the folder of the file that names it; from the environment, from where the
    /// program runs.
    fn beside_its_file(&self, key: &Key, path: &str) -> String {
        match self.read.setting(key).map(Origin::of) {
            Some(Origin::File { name, .. }) => {
                let folder = Path::new(&name).parent().unwrap_or(Path::new(""));
                folder.join(path).to_string_lossy().into_owned()
            }
            _ => path.to_owned(),
        }
    }

    fn muc_host(&mut self) -> String {
        let key = self.key("muc_host");
        let text = self.read.text(&key);
        domain::normalise_pattern(&text).unwrap_or_else(|wrong| {
            self.read.problem(&key, wrong, "give a domain, such as \"conference.@HOST@\"");
            text
        })
    }

    fn muc_topics(&mut self) -> BTreeMap<String, TopicArn> {
        let mut keys = BTreeMap::new();
        let mut groups = vec![Key::from("sns.muc_topics")];
        groups.extend(self.host.map(|host| Key::from(["hosts", host, "sns", "muc_topics"])));
        for group in groups {
            for name in self.read.names_in(&group) {
                let key = group.child(&name);
                keys.insert(name, key);
            }
        }
        keys.into_iter().filter_map(|(name, key)| Some((name, self.topic(&key)?))).collect()
    }
}

/// Checks regions and account ids wherever they are given, whether a topic needs them or not.
pub(super) fn check_parts(read: &mut Reader) {
    let mut groups = vec![Key::from("sns")];
    groups.extend(
        read.names_in(&Key::from("hosts")).iter().map(|host| Key::from(["hosts", host, "sns"])),
    );
    for group in groups {
        let region = group.child("region");
        read.has_form(&region, "^[a-z0-9-]+$");
        if read.optional(&region).is_some_and(|text| arn::check_region(&text).is_err()) {
            let wrong = "must be lower-case letters, digits and hyphens";
            read.problem(&region, wrong, "give a region's code, such as \"eu-west-1\"");
        }
        let account_id = group.child("account_id");
        read.has_form(&account_id, "^[0-9]{12}$");
        if read.optional(&account_id).is_some_and(|text| arn::check_account_id(&text).is_err()) {
            read.problem(
                &account_id,
                "must be 12 digits",
                "give the id of the topics' owner, leading zeros included",
            );
        }
    }
}
