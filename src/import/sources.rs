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
}

/// Writes the sources.
pub(super) fn write(server: &Server, kinds: &[EventKind], page: &mut Page) {
    let mut asides = Vec::new();
    let mut exchanges: Vec<Exchange> = Vec::new();
    let has_backend = server.modules().any(|modules| modules.rabbit.is_some());
    for modules in server.modules() {
        for exchange in exchanges_of(modules, &mut asides) {
            add(&mut exchanges, exchange, page);
        }
    }
    if !has_backend {
        exchanges = EventKind::ALL.map(Exchange::default_of).into();
    }
    page.blank();
    page.say(
        "Each exchange of MongooseIM's RabbitMQ backend is a source. It publishes what is sent and \
         what is received; only what is sent is bound, as its SNS backend published only that.",
    );
    page.leave_out_all(&asides);
    for kind in EventKind::ALL {
        let of_kind: Vec<_> = exchanges.iter().filter(|it| it.kind == kind).collect();
        if kinds.contains(&kind) {
            lacking(server, kind, page);
            for (index, exchange) in of_kind.into_iter().enumerate() {
                source(exchange, index, page);
            }
        } else {
            page.blank();
            page.choice(&format!(
                "no source for {}: no topic is set for them, so each would be taken only to be \
                 skipped.",
                events(kind)
            ));
        }
    }
    if exchanges.iter().all(|it| !kinds.contains(&it.kind) || it.obstacle().is_some()) {
        page.say(
            "Advice: without any source the default one stands in, for the exchange chat.events; \
             see config/default.toml.",
        );
    }
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
    let section = section(kind);
    let lacks = |modules: &Modules| {
        modules.may_lack_exchanges && modules.rabbit.as_ref().is_some_and(|it| !it.has(section))
    };
    if server.form == Form::Toml && server.modules().any(lacks) {
        page.blank();
        page.choice(&format!(
            "MongooseIM's rabbit backend has no {section} in the input. Up to 6.4 it then published \
             {} all the same; since 6.5 it does not. The source is made; if yours is 6.5 or newer, \
             add to mongooseim.toml:",
            events(kind)
        ));
        page.quote(&format!("[modules.mod_event_pusher.rabbit.{section}]"));
    }
}

fn source(exchange: &Exchange, index: usize, page: &mut Page) {
    if let Some(obstacle) = exchange.obstacle() {
        page.blank();
        let what = format!("{}, the exchange {},", section(exchange.kind), exchange.name);
        return page.leave_out(&Aside::new(exchange.line, what, obstacle));
    }
    let kind = exchange.kind.label();
    let name = if index == 0 { kind.to_owned() } else { format!("{kind}-{}", index + 1) };
    page.group(&format!("amqp.sources.{name}"));
    page.set("exchange", &exchange.name);
    page.set("exchange_type", &exchange.routing);
    page.set_plain("exchange_durable", exchange.durable);
    if exchange.routing == "topic" {
        let key = match exchange.kind {
            EventKind::Presence => "#".to_owned(),
            EventKind::Chat | EventKind::Groupchat => format!("#.{}", exchange.sent),
        };
        page.set_plain("routing_keys", format!("[{}]", quoted(&key)));
    }
    page.set("queue", &format!("event-pusher-sns.{name}"));
    if exchange.has_default_sent() {
        return page.set("format", "mongooseim");
    }
    page.choice("sent_topic has a name of your own, so the source's format tells the kind.");
    page.set("format", &format!("mongooseim-{kind}"));
}

/// The kinds for which a topic is set, anywhere; all of them where none is.
pub(super) fn kinds(server: &Server) -> Vec<EventKind> {
    let has = |topic: &str| server.modules().any(|modules| Sns::read(modules).get(topic).is_some());
    let kinds = EventKind::ALL.into_iter().zip(TOPICS);
    let found: Vec<_> = kinds.filter(|(_, topic)| has(topic)).map(|(kind, _)| kind).collect();
    if found.is_empty() { EventKind::ALL.into() } else { found }
}
