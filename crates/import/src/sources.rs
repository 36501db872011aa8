//! Converts the exchanges of MongooseIM's RabbitMQ backend to `[amqp.sources]`.

use event_pusher_core::event::EventKind;

use super::exchange::{Exchange, section};
use super::exchange_type;
use super::server::{Form, Modules, Server};
use super::sns::{Sns, TOPICS};
use super::writer::{TomlWriter, Unsupported, quoted};

/// What the kind is called in the plural.
const fn events(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Presence => "presences",
        EventKind::Chat => "private messages",
        EventKind::Groupchat => "group messages",
    }
}

/// Writes the sources.
pub(super) fn write(server: &Server, kinds: &[EventKind], writer: &mut TomlWriter) {
    let mut unsupported = Vec::new();
    let exchanges = exchanges(server, &mut unsupported, writer);
    writer.blank();
    writer.comment(
        "Each exchange of MongooseIM's RabbitMQ backend is a source. It publishes what is sent and \
         what is received; only what is sent is bound, as its SNS backend published only that.",
    );
    writer.leave_out_all(&unsupported);
    let mut sources = Sources { writer, wanted: kinds, exchanges: &exchanges, some: false };
    for kind in EventKind::ALL {
        if kinds.contains(&kind) {
            add_missing_exchange_choices(server, kind, sources.writer);
            sources.write(kind);
        } else {
            sources.writer.blank();
            sources.writer.choice(&format!(
                "no source for {}: no topic is set for them, so each would be taken only to be \
                 skipped.",
                events(kind)
            ));
        }
    }
    if !sources.some {
        writer.leave_to_do(
            "no source can be made of the input, and without any the default one stands in, for the exchange chat.events, \
             which MongooseIM does not have. Write a source for each exchange that carries your events: [amqp.sources] in \
             config/default.toml.",
        );
    }
}

/// The exchanges of all domains, each once.
fn exchanges(
    server: &Server,
    unsupported: &mut Vec<Unsupported>,
    writer: &mut TomlWriter,
) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for modules in server.modules() {
        let found = match &modules.rabbit {
            Some(_) => exchanges_of(modules, unsupported),
            // The backend is to be added: that of all domains, else one with the defaults.
            None if modules.sns.is_some() && exchanges.is_empty() => {
                EventKind::ALL.map(Exchange::default_of).into()
            }
            None => Vec::new(),
        };
        for exchange in found {
            add(&mut exchanges, exchange, writer);
        }
    }
    exchanges
}

fn exchanges_of(modules: &Modules, unsupported: &mut Vec<Unsupported>) -> Vec<Exchange> {
    let Some(mut rabbit) = modules.rabbit.clone() else { return Vec::new() };
    let exchanges = EventKind::ALL.map(|kind| match rabbit.take_table(section(kind)) {
        Some(table) => Exchange::read(kind, table, unsupported),
        None => {
            Exchange { may_be_missing: modules.may_lack_exchanges, ..Exchange::default_of(kind) }
        }
    });
    rabbit.finish(unsupported);
    exchanges.into()
}

/// Domains mostly share their exchanges.
fn add(exchanges: &mut Vec<Exchange>, exchange: Exchange, writer: &mut TomlWriter) {
    let same = exchanges.iter_mut().find(|it| it.kind == exchange.kind && it.name == exchange.name);
    let Some(same) = same else { return exchanges.push(exchange) };
    same.may_be_missing &= exchange.may_be_missing;
    let may_be_missing = same.may_be_missing;
    let is_alike = Exchange {
        line: same.line,
        is_assumed: same.is_assumed,
        may_be_missing,
        ..exchange.clone()
    } == *same;
    if !is_alike && !exchange.is_assumed {
        let why = format!(
            "declares the exchange {} in another way than the same exchange before; the first counts",
            exchange.name
        );
        writer.leave_out(&Unsupported::new(exchange.line, section(exchange.kind), why));
    }
}

/// Tells of a section without which newer releases publish nothing.
fn add_missing_exchange_choices(server: &Server, kind: EventKind, writer: &mut TomlWriter) {
    if server.form != Form::Toml {
        return;
    }
    let section = section(kind);
    let lacks = |modules: &Modules| {
        let rabbit = modules.rabbit.as_ref().filter(|_| modules.may_lack_exchanges);
        rabbit.is_some_and(|it| !it.has(section)) && is_wanted(server, modules, kind)
    };
    let mut add_choice = |of: &str, place: &str, modules: &str| {
        writer.blank();
        writer.choice(&format!(
            "MongooseIM's rabbit backend{of} has no {section} in the input. Up to 6.4 it then \
             published {} all the same; since 6.5 it does not. The source is made; if yours is 6.5 or \
             newer, add to {place}:",
            events(kind)
        ));
        writer.comment_lines(&format!("[{modules}.mod_event_pusher.rabbit.{section}]"));
    };
    if lacks(&server.base) {
        add_choice("", "mongooseim.toml", "modules");
    }
    for host in &server.hosts {
        if host.modules.as_ref().is_some_and(lacks) {
            add_choice(&format!(" of {}", host.name), "its [[host_config]]", "host_config.modules");
        }
    }
}

/// Whether these modules have a topic for such events, or nobody has any.
fn is_wanted(server: &Server, modules: &Modules, kind: EventKind) -> bool {
    let topic = TOPICS[kind as usize];
    let none_at_all = server.modules().all(|it| !Sns::read(it).has_topics());
    none_at_all || Sns::read(modules).get(topic).is_some()
}

/// The sources in the making.
struct Sources<'a> {
    writer: &'a mut TomlWriter,
    wanted: &'a [EventKind],
    exchanges: &'a [Exchange],
    /// Whether there is one.
    some: bool,
}

impl<'a> Sources<'a> {
    /// Those of a kind.
    fn write(&mut self, kind: EventKind) {
        let of_kind = self.exchanges.iter().filter(|it| it.kind == kind);
        for (index, exchange) in of_kind.enumerate() {
            let sharing = self.sharing(exchange);
            let is_mixed = self.is_mixed(exchange, &sharing);
            let beside = || is_mixed.then(|| exchange.obstacle_beside(&sharing)).flatten();
            match exchange.obstacle().or_else(beside) {
                Some(obstacle) => {
                    self.writer.blank();
                    let what = format!("{}, the exchange {},", section(kind), exchange.name);
                    self.writer.leave_out(&Unsupported::new(exchange.line, what, obstacle));
                }
                None if !is_mixed => self.source(exchange, index),
                // The first of them that has a source is for all.
                None if sharing.iter().all(|it| it.kind > kind || !self.has_source(it)) => {
                    self.shared(exchange, &sharing, index);
                }
                None => {}
            }
        }
    }

    /// The exchanges of the same name for other kinds: to RabbitMQ they are one. What MongooseIM publishes to it is in it,
    /// whether it is wanted or not.
    fn sharing(&self, exchange: &Exchange) -> Vec<&'a Exchange> {
        let shares = |it: &&Exchange| it.name == exchange.name && it.kind != exchange.kind;
        let is_published = |it: &&Exchange| self.is_wanted(it) || !it.may_be_missing;
        self.exchanges.iter().filter(is_published).filter(shares).collect()
    }

    /// Whether the queues of two sources would get each other's events, or this one's would get what is not wanted.
    fn is_mixed(&self, exchange: &Exchange, sharing: &[&Exchange]) -> bool {
        sharing.iter().any(|other| {
            let other_gets = self.has_source(other) && other.gets_those_of(exchange);
            exchange.gets_those_of(other) || other_gets
        })
    }

    fn is_wanted(&self, exchange: &Exchange) -> bool {
        self.wanted.contains(&exchange.kind)
    }

    /// Whether a source is made for its events, if what is beside it permits.
    fn has_source(&self, exchange: &Exchange) -> bool {
        self.is_wanted(exchange) && exchange.obstacle().is_none()
    }

    fn source(&mut self, exchange: &Exchange, index: usize) {
        let kind = exchange.kind.label();
        self.begin(exchange, &numbered(kind, index), &exchange.routing_key());
        if exchange.has_default_sent() {
            return self.writer.set("format", "mongooseim");
        }
        self.writer
            .choice("sent_topic has a name of your own, so the source's format tells the kind.");
        self.writer.set("format", &format!("mongooseim-{kind}"));
    }

    /// One for all that is in an exchange, since bindings can't tell it apart.
    fn shared(&mut self, exchange: &Exchange, sharing: &[&Exchange], index: usize) {
        let kinds: Vec<_> = std::iter::once(exchange).chain(sharing.iter().copied()).collect();
        let sections: Vec<_> = kinds.iter().map(|it| section(it.kind)).collect();
        let with_topic = kinds.iter().filter(|it| self.has_source(it));
        let labels: Vec<_> = with_topic.map(|it| it.kind.label()).collect();
        let unwanted = if labels.len() < kinds.len() { ", and what has no topic" } else { "" };
        self.writer.blank();
        self.writer.choice(&format!(
            "{} have one name, {}, and so are one exchange: one source takes all that is in it, and \
             skips what is received{unwanted}.",
            sections.join(" and "),
            exchange.name
        ));
        self.begin(exchange, &numbered(&labels.join("-"), index), "#");
        self.writer.set("format", "mongooseim");
    }

    fn begin(&mut self, exchange: &Exchange, name: &str, routing_key: &str) {
        self.some = true;
        self.writer.group(&format!("amqp.sources.{name}"));
        if exchange_type::hands_on_all(&exchange.routing) {
            self.writer.comment(&format!(
                "An exchange of type {} hands on all that is published to it; a worker skips what is received.",
                exchange.routing
            ));
        }
        self.writer.set("exchange", &exchange.name);
        self.writer.set("exchange_type", &exchange.routing);
        self.writer.set_plain("exchange_durable", exchange.durable);
        if exchange.routing == "topic" {
            self.writer.set_plain("routing_keys", format!("[{}]", quoted(routing_key)));
        }
        self.writer.set("queue", &format!("event-pusher-sns.{name}"));
    }
}

/// A source's name, which those of further domains' exchanges must not have, too.
fn numbered(name: &str, index: usize) -> String {
    if index == 0 { name.to_owned() } else { format!("{name}-{}", index + 1) }
}

/// The kinds for which a topic is set, anywhere; all of them where none is.
pub(super) fn kinds(server: &Server) -> Vec<EventKind> {
    let has = |topic: &str| server.modules().any(|modules| Sns::read(modules).get(topic).is_some());
    let kinds = EventKind::ALL.into_iter().zip(TOPICS);
    let found: Vec<_> = kinds.filter(|(_, topic)| has(topic)).map(|(kind, _)| kind).collect();
    if found.is_empty() { EventKind::ALL.into() } else { found }
}
