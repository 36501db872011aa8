//! The permissions that `run` needs, of RabbitMQ's three: configure, write and read.

use std::collections::BTreeSet;
use std::fmt;

use crate::config::{Amqp, Fleet, Partitioning, Source};
use crate::rabbitmq::fleet::queue_prefix;
use crate::rabbitmq::topology::partitions::{Names, moving};

/// The name that RabbitMQ gives the default exchange in permissions.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// An exchange or a queue, which a permission is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    Exchange(String),
    Queue(String),
}

impl Resource {
    /// The default exchange, by which a message reaches the queue that its routing key names.
    pub(super) fn default_exchange() -> Self {
        Self::Exchange(String::new())
    }

    /// As permissions name it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Exchange(name) if name.is_empty() => DEFAULT_EXCHANGE,
            Self::Exchange(name) | Self::Queue(name) => name,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Exchange(_)) { "exchange" } else { "queue" };
        write!(f, "{kind} `{}`", self.name())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Permission {
    Configure,
    Write,
    Read,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        })
    }
}

/// A permission on a resource, and what for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) permission: Permission,
    pub(super) resource: Resource,
    pub(super) purpose: &'static str,
    /// Where the resource stands for others of its kind: the regular expression that matches their names.
    pub(super) family: Option<String>,
}

/// All that `run` needs, where these queues are `missing`, and it is not known of the `hidden` resources whether they are.
pub(super) fn needs(
    amqp: &Amqp,
    missing: &BTreeSet<String>,
    hidden: &BTreeSet<Resource>,
) -> Vec<Need> {
    let mut needs = Needs(Vec::new());
    let dead_letter_exchange = Resource::Exchange(amqp.dead_letter_exchange.clone());
    needs.add(Permission::Write, &dead_letter_exchange, "publish dead letters to it");
    for source in &amqp.sources {
        let queue = Resource::Queue(source.queue.clone());
        needs.add(Permission::Read, &queue, "consume it");
        needs.partitions(amqp, source);
        if let Some(parking) = &source.parking
            && (amqp.declare || !missing.contains(&parking.queue))
        {
            let purpose = "publish events of held topics to the queue for them";
            needs.add(Permission::Write, &Resource::default_exchange(), purpose);
            if !amqp.declare {
                let queue = Resource::Queue(parking.queue.clone());
                let purpose =
                    "see whether events that are parked there come back (else none is parked)";
                needs.add(Permission::Configure, &queue, purpose);
            }
        }
    }
    if amqp.declare {
        declaring(amqp, missing, hidden, &mut needs);
    }
    needs.0
}

/// What the view of the fleet needs beside. The queue stands for each worker's own.
pub(super) fn needs_of_fleet(fleet: &Fleet) -> Vec<Need> {
    let exchange = Resource::Exchange(fleet.exchange());
    let queue = Resource::Queue(format!("{}check", queue_prefix(fleet)));
    let mut needs = Needs(Vec::new());
    needs.add(Permission::Configure, &exchange, "declare it");
    needs.add(Permission::Configure, &queue, "declare it");
    needs.add(Permission::Write, &exchange, "tell the others");
    needs.bind(&exchange, &queue);
    needs.add(Permission::Read, &queue, "hear the others");
    needs.0
}

/// RabbitMQ asks for read on a queue and write on its dead-letter exchange when it creates the queue, and for write on a queue and read
/// on an exchange when it binds them, each time.
fn declaring(
    amqp: &Amqp,
    missing: &BTreeSet<String>,
    hidden: &BTreeSet<Resource>,
    needs: &mut Needs,
) {
    let exchange = Resource::Exchange(amqp.dead_letter_exchange.clone());
    let queue = Resource::Queue(amqp.dead_letter_queue.clone());
    needs.declare(&exchange);
    needs.declare(&queue);
    needs.bind(&exchange, &queue);
    for source in &amqp.sources {
        let exchange = Resource::Exchange(source.exchange.clone());
        let queue = Resource::Queue(source.queue.clone());
        needs.declare(&exchange);
        needs.declare(&queue);
        needs.bind(&exchange, &queue);
        if let Some(parking) = &source.parking {
            let queue = Resource::Queue(parking.queue.clone());
            needs.declare(&queue);
            if missing.contains(&parking.queue) || hidden.contains(&queue) {
                needs.add(Permission::Read, &queue, "declare it with a dead-letter exchange");
            }
        }
    }
}

/// Without repetitions.
struct Needs(Vec<Need>);

impl Need {
    /// Whether RabbitMQ asks for a permission on topics, too.
    pub(super) fn may_be_of_topics(&self) -> bool {
        self.permission == Permission::Read && matches!(self.resource, Resource::Exchange(_))
    }
}

impl Needs {
    fn add(&mut self, permission: Permission, resource: &Resource, purpose: &'static str) {
        if !self.0.iter().any(|it| it.permission == permission && it.resource == *resource) {
            let (resource, family) = (resource.clone(), None);
            self.0.push(Need { permission, resource, purpose, family });
        }
    }

    fn declare(&mut self, resource: &Resource) {
        // RabbitMQ's own exchanges are not declared.
        if !matches!(resource, Resource::Exchange(name) if name.starts_with("amq.")) {
            self.add(Permission::Configure, resource, "declare it (amqp.declare = true)");
        }
    }

    /// What a source's partitions need besides. The first one stands for all.
    fn partitions(&mut self, amqp: &Amqp, source: &Source) {
        let Some(Partitioning { count, .. }) = source.partitioning() else { return };
        let names = Names::of(&source.queue, count);
        let marker = Resource::Queue(names.marker);
        self.add(Permission::Read, &marker, "consume it, by which workers are counted");
        let Some(first) = names.queues.into_iter().next() else { return };
        let partition = Resource::Queue(first);
        self.add(Permission::Read, &partition, "consume it and all other partitions");
        if amqp.declare {
            let hash = Resource::Exchange(names.hash_exchange);
            self.declare(&hash);
            self.declare(&marker);
            self.declare(&partition);
            let moving = Resource::Queue(moving::name_of(&source.queue));
            self.declare(&moving);
            self.add(Permission::Read, &moving, "give it a dead-letter exchange");
            self.bind(&hash, &partition);
            self.add(Permission::Write, &hash, "bind it to the exchange that it divides");
            let purpose = "put a last message behind what was there before the partitions";
            self.add(Permission::Write, &Resource::default_exchange(), purpose);
        }
        if let Some(sorted) = source.sorted_exchange() {
            let sorted = Resource::Exchange(sorted);
            self.add(Permission::Write, &sorted, "pass sorted events on to their partitions");
            if amqp.declare {
                self.declare(&sorted);
                self.add(Permission::Read, &sorted, "bind the exchange that divides events to it");
            }
        }
        // Also of another number, if there is one.
        let family = format!(r"{}\.\d+\.\d+", escaped(&source.queue));
        for need in self.0.iter_mut().filter(|it| it.resource == partition) {
            need.family = Some(family.clone());
        }
    }

    fn bind(&mut self, exchange: &Resource, queue: &Resource) {
        self.add(Permission::Read, exchange, "bind a queue to it");
        self.add(Permission::Write, queue, "bind it to its exchange");
    }
}

/// As a regular expression.
pub(super) fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if "\\.^$|()[]{}*+?".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Inputs};

    fn of(settings: &str, missing: &[&str]) -> [String; 3] {
        let base = "amqp.uri = \"amqp://u:p@127.0.0.1:1/%2f\"\namqp.dead_letter_exchange = \"DX\"\namqp.dead_letter_queue = \"DQ\"\n\
                    amqp.sources.events.exchange = \"E\"\namqp.sources.events.queue = \"Q\"\n";
        let files = [("base.toml", base), ("own.toml", settings)];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let inputs = Inputs { files, environment: Vec::new() };
        let config = Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap();
        let missing = missing.iter().map(|it| (*it).to_owned()).collect();
        let needs = needs(&config.amqp, &missing, &BTreeSet::new());
        [Permission::Configure, Permission::Write, Permission::Read].map(|permission| {
            let of_it = needs.iter().filter(|it| it.permission == permission);
            let mut names: Vec<_> = of_it.map(|it| it.resource.name()).collect();
            names.sort_unstable();
            names.join(" ")
        })
    }

    /// As measured on 3.10 and 4.3: fewer are not enough, and more are not needed.
    #[test]
    fn run_needs_these_permissions_and_no_others() {
        let (all, held) = ("DQ DX E Q Q.held", "Q.held");
        assert_eq!(of("", &["E", "Q", "DQ", held]), [all, "DQ DX Q amq.default", "DX E Q Q.held"]);
        assert_eq!(of("", &[]), [all, "DQ DX Q amq.default", "DX E Q"]);
        assert_eq!(of("amqp.declare = false", &[]), ["Q.held", "DX amq.default", "Q"]);
        assert_eq!(of("amqp.declare = false", &[held]), ["", "DX", "Q"]);
        let ordered = of("sns.ordering = \"per-key\"", &[]);
        assert_eq!(ordered, ["DQ DX E Q", "DQ DX Q", "DX E Q"], "nothing is parked");
        let ordered = "sns.ordering = \"per-key\"\namqp.sources.events.partitions = 4";
        assert_eq!(
            of(ordered, &[]),
            [
                "DQ DX E Q Q.4.00 Q.4.hash Q.moving Q.partitions",
                "DQ DX Q Q.4.00 Q.4.hash amq.default",
                "DX E Q Q.4.00 Q.4.hash Q.moving Q.partitions"
            ]
        );
        let own = of("amqp.sources.events.exchange = \"amq.topic\"", &[]);
        assert_eq!(own[0], "DQ DX Q Q.held", "RabbitMQ's own exchanges are not declared");
    }
}
