//! From the exchanges of MongooseIM's RabbitMQ backend to `[amqp.sources]`.

use super::page::{Aside, Page, quoted};
use super::server::{Form, Modules, Server};
use super::sns::{Sns, TOPICS};
use super::tree::Table;
use crate::event::EventKind;

/// An exchange as MongooseIM declares it.
#[derive(Clone, PartialEq, Eq)]
struct Exchange {
    kind: EventKind,
    name: String,
    /// Its type: how it routes.
    routing: String,
    durable: bool,
    /// What the routing keys of sent and of received messages end in.
    sent: String,
    received: String,
    line: usize,
    /// It has no section of its own.
    is_assumed: bool,
}

/// Its section's name in MongooseIM's configuration.
const fn section(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Presence => "presence_exchange",
        EventKind::Chat => "chat_msg_exchange",
        EventKind::Groupchat => "groupchat_msg_exchange",
    }
}

/// What MongooseIM calls the exchange if nothing else is said.
const fn default_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Presence => "presence",
        EventKind::Chat => "chat_msg",
        EventKind::Groupchat => "groupchat_msg",
    }
}

/// What the kind is called in the plural.
const fn events(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Presence => "presences",
        EventKind::Chat => "private messages",
        EventKind::Groupchat => "group messages",
    }
}

impl Exchange {
    fn default_of(kind: EventKind) -> Self {
        let name = default_name(kind);
        Self {
            kind,
            name: name.to_owned(),
            routing: "topic".to_owned(),
            durable: false,
            sent: format!("{name}_sent"),
            received: format!("{name}_recv"),
            line: 0,
            is_assumed: true,
        }
    }

    fn read(kind: EventKind, mut table: Table, asides: &mut Vec<Aside>) -> Self {
        let default = Self::default_of(kind);
        let found = Self {
            kind,
            name: table.take_text("name", asides).unwrap_or(default.name),
            routing: table.take_text("type", asides).unwrap_or(default.routing),
            durable: table.take_flag("durable", asides).unwrap_or(default.durable),
            sent: table.take_text("sent_topic", asides).unwrap_or(default.sent),
            received: table.take_text("recv_topic", asides).unwrap_or(default.received),
            line: table.line,
            is_assumed: false,
        };
        table.finish(asides);
        found
    }

    /// Whether our decoder knows by name what was sent.
    fn has_default_sent(&self) -> bool {
        self.kind == EventKind::Presence || self.sent == Self::default_of(self.kind).sent
    }

    /// Whether it knows by name what was received, too.
    fn has_default_topics(&self) -> bool {
        self.has_default_sent() && self.received == Self::default_of(self.kind).received
    }

    /// Why no source can be made of it.
    fn obstacle(&self) -> Option<String> {
        let is_wild = |topic: &str| topic.split('.').any(|word| word == "#" || word == "*");
        let mixes = self.received == self.sent
            || self.received.ends_with(&format!(".{}", self.sent))
            || is_wild(&self.sent);
        match self.routing.as_str() {
            "topic" if self.kind != EventKind::Presence && mixes => Some(
                "has a sent_topic that its received messages match, too, so that nothing tells them \
                 apart; give it another"
                    .to_owned(),
            ),
            "topic" => None,
            "fanout" | "headers" if self.has_default_topics() => None,
            "fanout" | "headers" => Some(format!(
                "is of type {}, which hands on what is received as well, and has topics of its own \
                 names, so that nothing tells them apart; keep the default topics, or use a topic \
                 exchange",
                self.routing
            )),
            other => Some(format!(
                "is of type {other}, from which nobody can take the events of all users: a queue \
                 would need a binding for each; let MongooseIM use a topic exchange, under another \
                 name, since RabbitMQ changes no exchange's type"
            )),
        }
    }

    /// Of what is to be published, in the terms of a topic exchange.
    fn routing_key(&self) -> String {
        match self.kind {
            EventKind::Presence => "#".to_owned(),
            EventKind::Chat | EventKind::Groupchat => format!("#.{}", self.sent),
        }
    }

    /// Whether a queue for this one's events would get some of the others', or the other way round.
    fn is_mixed_with(&self, sharing: &[&Self]) -> bool {
        let ends = |key: &str, end: &str| key == end || key.ends_with(&format!(".{end}"));
        sharing.iter().any(|other| {
            self.routing != "topic"
                || [self.kind, other.kind].contains(&EventKind::Presence)
                || ends(&self.sent, &other.sent)
                || ends(&other.sent, &self.sent)
                || ends(&self.received, &other.sent)
                || ends(&other.received, &self.sent)
        })
    }

    /// Why no source can be made of it, for what else is in the same exchange.
    fn obstacle_beside(&self, sharing: &[&Self]) -> Option<String> {
        let all_default =
            self.has_default_topics() && sharing.iter().all(|it| it.has_default_topics());
        if all_default || !self.is_mixed_with(sharing) {
            return None;
        }
        let sections: Vec<_> = sharing.iter().map(|it| section(it.kind)).collect();
        Some(format!(
            "is {}, too, and with topics of other names nothing tells their events apart; give each an \
             exchange of its own, or keep the default topics",
            sections.join(" and ")
        ))
    }
}

/// Writes the sources.
pub(super) fn write(server: &Server, kinds: &[EventKind], page: &mut Page) {
    let mut asides = Vec::new();
    let exchanges = exchanges(server, &mut asides, page);
    page.blank();
    page.say(
        "Each exchange of MongooseIM's RabbitMQ backend is a source. It publishes what is sent and \
         what is received; only what is sent is bound, as its SNS backend published only that.",
    );
    page.leave_out_all(&asides);
    let mut sources = Sources { page, wanted: kinds, exchanges: &exchanges, some: false };
    for kind in EventKind::ALL {
        if kinds.contains(&kind) {
            lacking(server, kind, sources.page);
            sources.write(kind);
        } else {
            sources.page.blank();
            sources.page.choice(&format!(
                "no source for {}: no topic is set for them, so each would be taken only to be \
                 skipped.",
                events(kind)
            ));
        }
    }
    if !sources.some {
        page.say(
            "Advice: without any source the default one stands in, for the exchange chat.events; \
             see config/default.toml.",
        );
    }
}

/// The exchanges of all domains, each once.
fn exchanges(server: &Server, asides: &mut Vec<Aside>, page: &mut Page) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for modules in server.modules() {
        let found = match &modules.rabbit {
            Some(_) => exchanges_of(modules, asides),
            // The backend is to be added: that of all domains, else one with the defaults.
            None if modules.sns.is_some() && exchanges.is_empty() => {
                EventKind::ALL.map(Exchange::default_of).into()
            }
            None => Vec::new(),
        };
        for exchange in found {
            add(&mut exchanges, exchange, page);
        }
    }
    exchanges
}

fn exchanges_of(modules: &Modules, asides: &mut Vec<Aside>) -> Vec<Exchange> {
    let Some(mut rabbit) = modules.rabbit.clone() else { return Vec::new() };
    let exchanges = EventKind::ALL.map(|kind| match rabbit.take_table(section(kind)) {
        Some(table) => Exchange::read(kind, table, asides),
        None => Exchange::default_of(kind),
    });
    rabbit.finish(asides);
    exchanges.into()
}

/// Domains mostly share their exchanges.
fn add(exchanges: &mut Vec<Exchange>, exchange: Exchange, page: &mut Page) {
    let same = exchanges.iter().find(|it| it.kind == exchange.kind && it.name == exchange.name);
    let Some(same) = same else { return exchanges.push(exchange) };
    let is_alike =
        Exchange { line: same.line, is_assumed: same.is_assumed, ..exchange.clone() } == *same;
    if !is_alike && !exchange.is_assumed {
        let why = format!(
            "declares the exchange {} in another way than the same exchange before; the first counts",
            exchange.name
        );
        page.leave_out(&Aside::new(exchange.line, section(exchange.kind), why));
    }
}

/// Tells of a section without which newer releases publish nothing.
fn lacking(server: &Server, kind: EventKind, page: &mut Page) {
    if server.form != Form::Toml {
        return;
    }
    let section = section(kind);
    let lacks = |modules: &Modules| {
        let rabbit = modules.rabbit.as_ref().filter(|_| modules.may_lack_exchanges);
        rabbit.is_some_and(|it| !it.has(section)) && is_wanted(server, modules, kind)
    };
    let mut say = |of: &str, place: &str, modules: &str| {
        page.blank();
        page.choice(&format!(
            "MongooseIM's rabbit backend{of} has no {section} in the input. Up to 6.4 it then \
             published {} all the same; since 6.5 it does not. The source is made; if yours is 6.5 or \
             newer, add to {place}:",
            events(kind)
        ));
        page.quote(&format!("[{modules}.mod_event_pusher.rabbit.{section}]"));
    };
    if lacks(&server.base) {
        say("", "mongooseim.toml", "modules");
    }
    for host in &server.hosts {
        if host.modules.as_ref().is_some_and(lacks) {
            say(&format!(" of {}", host.name), "its [[host_config]]", "host_config.modules");
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
    page: &'a mut Page,
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
            match exchange.obstacle().or_else(|| exchange.obstacle_beside(&sharing)) {
                Some(obstacle) => {
                    self.page.blank();
                    let what = format!("{}, the exchange {},", section(kind), exchange.name);
                    self.page.leave_out(&Aside::new(exchange.line, what, obstacle));
                }
                None if !exchange.is_mixed_with(&sharing) => self.source(exchange, index),
                // The first of them is for all.
                None if sharing.iter().all(|it| it.kind as usize > kind as usize) => {
                    self.shared(exchange, &sharing, index);
                }
                None => {}
            }
        }
    }

    /// The exchanges of the same name for other kinds: to RabbitMQ they are one.
    fn sharing(&self, exchange: &Exchange) -> Vec<&'a Exchange> {
        let shares = |it: &&Exchange| it.name == exchange.name && it.kind != exchange.kind;
        let is_possible =
            |it: &&Exchange| self.wanted.contains(&it.kind) && it.obstacle().is_none();
        self.exchanges.iter().filter(is_possible).filter(shares).collect()
    }

    fn source(&mut self, exchange: &Exchange, index: usize) {
        let kind = exchange.kind.label();
        self.begin(exchange, &numbered(kind, index), &exchange.routing_key());
        if exchange.has_default_sent() {
            return self.page.set("format", "mongooseim");
        }
        self.page
            .choice("sent_topic has a name of your own, so the source's format tells the kind.");
        self.page.set("format", &format!("mongooseim-{kind}"));
    }

    /// One for all that is in an exchange, since bindings can't tell it apart.
    fn shared(&mut self, exchange: &Exchange, sharing: &[&Exchange], index: usize) {
        let kinds: Vec<_> = std::iter::once(exchange).chain(sharing.iter().copied()).collect();
        let sections: Vec<_> = kinds.iter().map(|it| section(it.kind)).collect();
        let labels: Vec<_> = kinds.iter().map(|it| it.kind.label()).collect();
        self.page.blank();
        self.page.choice(&format!(
            "{} have one name, {}, and so are one exchange: one source takes all that is in it, and \
             skips what is received.",
            sections.join(" and "),
            exchange.name
        ));
        self.begin(exchange, &numbered(&labels.join("-"), index), "#");
        self.page.set("format", "mongooseim");
    }

    fn begin(&mut self, exchange: &Exchange, name: &str, routing_key: &str) {
        self.some = true;
        self.page.group(&format!("amqp.sources.{name}"));
        self.page.set("exchange", &exchange.name);
        self.page.set("exchange_type", &exchange.routing);
        self.page.set_plain("exchange_durable", exchange.durable);
        if exchange.routing == "topic" {
            self.page.set_plain("routing_keys", format!("[{}]", quoted(routing_key)));
        }
        self.page.set("queue", &format!("event-pusher-sns.{name}"));
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
