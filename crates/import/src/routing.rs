//! Converts MongooseIM's SNS backend to `[sns]` and `[hosts]`.

use super::server::{HostConfig, Server};
use super::sns::{DEFAULT_PLUGIN, NUMBERS, Sns, TOPICS};
use super::writer::{TomlWriter, Unsupported, quoted};
use super::{Input, Secrets};

const CREDENTIALS: [&str; 2] = ["access_key_id", "secret_access_key"];

const MUC_CHOICE: &str = "a room must be on a domain that is named here, though MongooseIM never applied muc_host: \
    docs/from-mongooseim.md#rooms";

/// Writes `[sns]`, with what it has in it for all domains, and `[hosts]`.
pub(super) fn write(server: &Server, input: &Input, writer: &mut TomlWriter) {
    let own = Sns::read(&server.base);
    let base = with_service(server, own, writer);
    writer.group("sns");
    writer.leave_out_all(&base.unsupported);
    topics(server, &base, writer);
    plugin(&base, "plugin_module", writer);
    service(&base, input, writer);
    rooms(server, &base, writer);
    for host in &server.hosts {
        self::host(host, &base, input, writer);
    }
}

/// Where only single domains have the backend, what can't be set for one comes from the first.
fn with_service(server: &Server, base: Sns, writer: &mut TomlWriter) -> Sns {
    if server.base.sns.is_some() {
        return base;
    }
    let with_backend =
        |host: &&HostConfig| host.modules.as_ref().is_some_and(|it| it.sns.is_some());
    let Some(first) = server.hosts.iter().find(with_backend) else { return base };
    writer.blank();
    writer.choice(&format!(
        "the general modules have no SNS backend, so no topic is set for all domains. Where a domain \
         has no credentials, region or other settings of its own, it has those of {}.",
        first.name
    ));
    first.modules.as_ref().map(Sns::read).map_or(base.clone(), |sns| base.with_service_of(&sns))
}

fn topics(server: &Server, sns: &Sns, writer: &mut TomlWriter) {
    for topic in TOPICS {
        if let Some(name) = sns.get(topic) {
            writer.set(topic, name);
        }
    }
    // What is said of a host type is only a comment.
    let of_hosts = server.hosts.iter().filter(|host| !host.is_type);
    let mut of_hosts = of_hosts.filter_map(|host| host.modules.as_ref()).map(Sns::read);
    if sns.has_topics() {
        return;
    }
    if of_hosts.any(|it| it.has_topics()) {
        writer.comment(
            "Without a topic here, events of domains that are not named below are skipped.",
        );
        return;
    }
    writer.leave_to_do(&format!(
        "no topic is set, so `check` and `run` refuse this configuration. Set at least one of {}, with region and account_id, here or \
         for single domains in [hosts.\"DOMAIN\".sns]; remove the sources whose events are not to be published.",
        TOPICS.join(", ")
    ));
}

fn plugin(sns: &Sns, what: &str, writer: &mut TomlWriter) {
    match sns.own_plugin() {
        None => match sns.get("plugin_module") {
            Some(DEFAULT_PLUGIN) => writer.set("plugin_module", DEFAULT_PLUGIN),
            Some(old) => {
                writer.choice(&format!("{old} is the default plugin's name up to MongooseIM 2.1."));
                writer.set("plugin_module", DEFAULT_PLUGIN);
            }
            None => {}
        },
        Some(module) => {
            let why = format!(
                "is the Erlang module {module}, which can't run here; ids and attributes are those of the \
                 default plugin until you rewrite it, often in a few lines: docs/plugins.md"
            );
            writer.leave_out(&Unsupported::new(sns.plugin_line, what, why));
        }
    }
}

fn service(sns: &Sns, input: &Input, writer: &mut TomlWriter) {
    match (sns.endpoint(), sns.get("sns_host")) {
        (Some(host), _) => writer.set("sns_host", host),
        (None, Some(host)) => writer.choice(&format!(
            "sns_host {host} is left out: the region's own endpoint is used unless another is named."
        )),
        (None, None) => {}
    }
    for name in ["region", "account_id"] {
        match sns.get(name) {
            Some(value) => writer.set(name, value),
            None if sns.has_topics() => {
                writer.comment(&format!("{name} is not in the input, and topics need it: set it."));
            }
            None => {}
        }
    }
    credentials(sns, input, writer);
    for (name, _, least, most) in NUMBERS {
        if let Some(&number) = sns.numbers.get(name) {
            let bounded = number.clamp(least, most);
            if bounded != number {
                writer.choice(&format!("{name} was {number}; from {least} to {most} is possible."));
            }
            writer.set_plain(name, bounded);
        }
    }
}

fn credentials(sns: &Sns, input: &Input, writer: &mut TomlWriter) {
    let found: Vec<_> =
        CREDENTIALS.into_iter().filter_map(|name| Some((name, sns.get(name)?))).collect();
    if found.is_empty() {
        return;
    }
    if input.secrets == Secrets::File {
        return found.into_iter().for_each(|(name, value)| writer.set(name, value));
    }
    let variables: Vec<_> = found.iter().map(|(name, _)| (input.variable)(name)).collect();
    writer.secret(&format!(
        "the credentials are not written here. Give them in the environment: {}. Or set neither, and \
         give the workers a role: without them, the AWS SDK looks for one.",
        variables.join(" and ")
    ));
}

fn rooms(server: &Server, sns: &Sns, writer: &mut TomlWriter) {
    let topic = "muc_messages_topic";
    if server.modules().any(|modules| Sns::read(modules).get(topic).is_some()) {
        writer.choice(MUC_CHOICE);
    }
    let Some((first, others)) = sns.muc_hosts.split_first() else { return };
    writer.set("muc_host", first);
    if let Some(topic) = sns.get(topic)
        && !others.is_empty()
    {
        writer.group("sns.muc_topics");
        for host in others {
            writer.set(&quoted(host), topic);
        }
    }
}

/// What differs for one domain, or one host type.
fn host(host: &HostConfig, base: &Sns, input: &Input, writer: &mut TomlWriter) {
    let Some(modules) = &host.modules else { return };
    let sns = Sns::read(modules);
    let lacks = modules.sns.is_none();
    let changes = if lacks { silenced(base) } else { changes(&sns, base, input) };
    let rooms = room_changes(&sns, base);
    writer.blank();
    if lacks && !changes.is_empty() {
        writer.choice(&format!(
            "{} has modules of its own, without the SNS backend: nothing is published for it.",
            host.name
        ));
    }
    writer.leave_out_all(&sns.unsupported);
    if !lacks {
        writer.leave_out_all(&unchangeable(host, &sns, base, input.host_keys));
        credentials_of_host(host, &sns, base, input, writer);
    }
    if sns.own_plugin().is_some() && sns.own_plugin() != base.own_plugin() {
        plugin(&sns, &format!("plugin_module of {}", host.name), writer);
    }
    if changes.is_empty() && rooms.is_empty() {
        return;
    }
    let name = if host.is_type { "DOMAIN" } else { &host.name };
    let group = format!("hosts.{}.sns", quoted(name));
    let mut section = TomlWriter::default();
    section.group(&group);
    for (name, value) in &changes {
        section.set(name, value);
    }
    if !rooms.is_empty() {
        section.group(&format!("{group}.muc_topics"));
        for (name, value) in &rooms {
            section.set(&quoted(name), value);
        }
    }
    if host.is_type {
        let why = "stands for domains that only MongooseIM's database knows; write this for each:";
        writer.leave_out(&Unsupported::new(host.line, format!("the host type {}", host.name), why));
        writer.comment_lines(section.finish().trim());
    } else {
        writer.append(&section);
    }
}

fn differing_credentials<'a>(
    sns: &'a Sns,
    base: &'a Sns,
) -> impl Iterator<Item = &'static str> + 'a {
    CREDENTIALS.into_iter().filter(move |name| sns.get(name) != base.get(name))
}

/// Tells of credentials that are a domain's own and could be set, but are not to be written.
fn credentials_of_host(
    host: &HostConfig,
    sns: &Sns,
    base: &Sns,
    input: &Input,
    writer: &mut TomlWriter,
) {
    let mut possible =
        differing_credentials(sns, base).filter(|name| input.host_keys.contains(name)).peekable();
    if input.secrets == Secrets::Environment && possible.peek().is_some() {
        writer.secret(&format!(
            "{} has credentials of its own, which are not written here; set {} in its section, in a \
             file that only the workers can read.",
            host.name,
            possible.collect::<Vec<_>>().join(" and ")
        ));
    }
}

/// A domain without the backend has no topics.
fn silenced(base: &Sns) -> Vec<(&'static str, String)> {
    let set = TOPICS.into_iter().filter(|topic| base.get(topic).is_some());
    set.map(|topic| (topic, String::new())).collect()
}

/// A domain's options replace all of the general ones, so an unset topic is none.
fn changes(sns: &Sns, base: &Sns, input: &Input) -> Vec<(&'static str, String)> {
    let plain = TOPICS.into_iter().chain(["region", "account_id", "sns_host"]);
    let secret = CREDENTIALS.into_iter().filter(|_| input.secrets == Secrets::File);
    let mut found: Vec<_> = plain
        .chain(secret)
        .filter(|name| input.host_keys.contains(name) && value(sns, name) != value(base, name))
        .map(|name| (name, value(sns, name).unwrap_or_default().to_owned()))
        .collect();
    let muc_host =
        |sns: &Sns| sns.muc_hosts.first().map_or("conference.@HOST@", String::as_str).to_owned();
    if muc_host(sns) != muc_host(base) {
        found.push(("muc_host", muc_host(sns)));
    }
    if base.own_plugin().is_some() && sns.own_plugin().is_none() {
        // It must not get the one that is to be written for the others.
        found.push(("plugin_module", DEFAULT_PLUGIN.to_owned()));
    }
    found
}

/// As it would be written.
fn value<'a>(sns: &'a Sns, name: &str) -> Option<&'a str> {
    if name == "sns_host" { sns.endpoint() } else { sns.get(name) }
}

/// The topics of rooms on further domains: those that are set for all apply here, too.
fn room_changes(sns: &Sns, base: &Sns) -> Vec<(String, String)> {
    let topic = |sns: &Sns| sns.get("muc_messages_topic").unwrap_or_default().to_owned();
    let inherited = match base.get("muc_messages_topic") {
        Some(_) => base.muc_hosts.get(1..).unwrap_or_default(),
        None => &[],
    };
    let wanted = sns.muc_hosts.get(1..).unwrap_or_default();
    let missing = |host: &&String| {
        let has = inherited.contains(host) && topic(sns) == topic(base);
        !has && !topic(sns).is_empty()
    };
    let more = wanted.iter().filter(missing).map(|host| (host.clone(), topic(sns)));
    let unwanted = |host: &&String| !sns.muc_hosts.contains(host) || topic(sns).is_empty();
    let fewer = inherited.iter().filter(unwanted).map(|host| (host.clone(), String::new()));
    more.chain(fewer).collect()
}

fn number(sns: &Sns, name: &str, default: i64) -> i64 {
    sns.numbers.get(name).copied().unwrap_or(default)
}

/// What differs and can't.
fn unchangeable(host: &HostConfig, sns: &Sns, base: &Sns, host_keys: &[&str]) -> Vec<Unsupported> {
    let endpoint = ["sns_host"].into_iter().filter(|name| value(sns, name) != value(base, name));
    let numbers = NUMBERS
        .into_iter()
        .filter(|(name, default, ..)| number(sns, name, *default) != number(base, name, *default))
        .map(|(name, ..)| name);
    let why = "is another for this domain, and can be set for a whole worker only; if it matters, give \
               the domain workers of its own";
    endpoint
        .chain(differing_credentials(sns, base))
        .chain(numbers)
        .filter(|name| !host_keys.contains(name))
        .map(|name| Unsupported::new(host.line, format!("{name} of {}", host.name), why))
        .collect()
}
