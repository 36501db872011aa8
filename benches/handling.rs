//! What handling one event costs before it is published: decode, route and render, in each format and with
//! each kind of plugin. `make bench` runs it after the relay; docs/performance.md has figures.
//!
//! All contestants take turns, many short rounds each, so that what changes on the machine meets all
//! alike; a figure is the median of its rounds.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use event_pusher_sns::arn::TopicArn;
use event_pusher_sns::config::Routing;
use event_pusher_sns::event::{Decoded, Envelope, Event, Format, Message, decode};
use event_pusher_sns::plugin::{
    Attributes, DefaultPlugin, Metadata, Plugin, PluginError, Plugins, Script,
};
use event_pusher_sns::route::{Routed, Router, Rules};

/// As the worker has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 300;
const EVENTS_A_ROUND: u32 = 500;

/// A text that makes the native event one of 200 bytes, as in the relay's benchmark.
const TEXT: &str =
    "Shall we meet at the usual place at noon? I'll bring the papers, and something to eat.";

const FROM: &str = "alice@localhost/phone";
const TO: &str = "bob@localhost";

struct Contestant {
    name: &'static str,
    format: Format,
    envelope: Envelope,
    router: Router,
    rounds: Vec<Duration>,
}

fn main() {
    let mut all = contestants();
    for contestant in &mut all {
        contestant.round();
        contestant.rounds.clear();
    }
    for _ in 0..ROUNDS {
        all.iter_mut().for_each(Contestant::round);
    }
    println!("decode, route and render one chat event of 200 bytes:\n");
    println!("| | µs an event | beside the first |\n| --- | --- | --- |");
    let first = all[0].micros();
    for contestant in &mut all {
        let micros = contestant.micros();
        println!("| {} | {micros:.2} | {:.2} |", contestant.name, micros / first);
    }
}

impl Contestant {
    fn round(&mut self) {
        let began = Instant::now();
        for _ in 0..EVENTS_A_ROUND {
            black_box(self.handle());
        }
        self.rounds.push(began.elapsed());
    }

    /// As `Relay::start` does it.
    fn handle(&self) -> usize {
        match decode(&self.envelope, self.format) {
            Ok(Decoded::Event(event)) => match self.router.route(&event, &self.envelope) {
                Ok(Routed::Notification(notification)) => notification.size(),
                other => panic!("{}: {other:?}", self.name),
            },
            other => panic!("{}: {other:?}", self.name),
        }
    }

    fn micros(&mut self) -> f64 {
        self.rounds.sort_unstable();
        self.rounds[ROUNDS / 2].as_secs_f64() * 1e6 / f64::from(EVENTS_A_ROUND)
    }
}

fn contestants() -> Vec<Contestant> {
    let contestant = |name, format, envelope, plugin: &str| Contestant {
        name,
        format,
        envelope,
        router: router(plugin),
        rounds: Vec::with_capacity(ROUNDS),
    };
    let by_default = DefaultPlugin::NAME;
    let mut all = vec![
        contestant("`native`, default plugin", Format::Native, native(), by_default),
        contestant("`mongooseim`", Format::Mongooseim, mongooseim(), by_default),
        contestant("`xmpp`", Format::Xmpp, xmpp(), by_default),
        contestant("`cloudevents`, structured", Format::CloudEvents, structured(), by_default),
        contestant("`cloudevents`, binary", Format::CloudEvents, binary(), by_default),
    ];
    let plugins = [
        ("`native`, native plugin with all functions", "native"),
        ("`native`, script with `keep`", "keep"),
        ("`native`, script with `user_guid`", "user_guid"),
        ("`native`, script with `message_attributes`", "message_attributes"),
        ("`native`, script with `metadata`", "metadata"),
        ("`native`, script `examples/policy.rhai`, all functions", "policy"),
    ];
    all.extend(plugins.map(|(name, plugin)| contestant(name, Format::Native, native(), plugin)));
    all
}

const SCRIPTS: [(&str, &str); 5] = [
    ("keep", "fn keep(event) { !event.sender.local.starts_with(`bot-`) }"),
    ("user_guid", "fn user_guid(jid) { jid.bare }"),
    (
        "message_attributes",
        "fn message_attributes(topic_arn, from, to, kind, event) { #{ kind: kind, length: event.text.len() } }",
    ),
    ("metadata", "fn metadata(event) { #{ kind: event.kind } }"),
    ("policy", include_str!("../examples/policy.rhai")),
];

/// What the scripts do, all of it.
struct Native;

impl Plugin for Native {
    fn keep(&self, event: &Event<'_>) -> Result<bool, PluginError> {
        Ok(event.sender().node().is_none_or(|name| !name.as_str().starts_with("bot-")))
    }

    fn message_attributes(
        &self,
        _: &TopicArn,
        message: &Message<'_>,
    ) -> Result<Attributes, PluginError> {
        let mut attributes = Attributes::default();
        attributes.set("kind", message.kind.label());
        attributes.set("length", i64::try_from(message.body.chars().count()).unwrap_or(i64::MAX));
        Ok(attributes)
    }

    fn metadata(&self, event: &Event<'_>) -> Result<Metadata, PluginError> {
        Ok([("kind".to_owned(), event.kind_label().into())].into_iter().collect())
    }
}

fn router(plugin: &str) -> Router {
    let plugins = SCRIPTS.iter().fold(Plugins::default(), |plugins, (name, text)| {
        let script = Script::compile(name, text).unwrap_or_else(|error| panic!("{error}"));
        plugins.register(*name, script)
    });
    let topic = TopicArn::build("eu-west-1", "123456789012", "messages").ok();
    let routing = Routing {
        presence_updates_topic: None,
        pm_messages_topic: topic,
        muc_messages_topic: None,
        plugin_module: plugin.to_owned(),
        muc_host: "conference.@HOST@".to_owned(),
        muc_topics: BTreeMap::new(),
    };
    let rules = Rules { max_message_bytes: 262_144, per_key: false, group_id: false };
    Router::new(&routing, &BTreeMap::new(), &plugins.register("native", Native), rules)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn object(kind: &str) -> String {
    format!(r#"{{{kind}"from_user_id":"{FROM}","to_user_id":"{TO}","message":"{TEXT}"}}"#)
}

fn envelope(payload: impl Into<Vec<u8>>) -> Envelope {
    Envelope { payload: payload.into(), ..Envelope::default() }
}

fn native() -> Envelope {
    envelope(object(r#""type":"chat","#))
}

fn mongooseim() -> Envelope {
    let routing_key = "alice@localhost.chat_msg_sent".to_owned();
    Envelope { exchange: "chat_msg".to_owned(), routing_key, ..envelope(object("")) }
}

fn xmpp() -> Envelope {
    let text = TEXT.replace('\'', "&apos;");
    envelope(format!("<message type='chat' from='{FROM}' to='{TO}'><body>{text}</body></message>"))
}

fn structured() -> Envelope {
    let content_type = Some("application/cloudevents+json".to_owned());
    let data = object("");
    let payload = format!(
        r#"{{"specversion":"1.0","id":"e-1","source":"/chat","type":"org.example.chat","data":{data}}}"#
    );
    Envelope { content_type, ..envelope(payload) }
}

fn binary() -> Envelope {
    let attributes =
        [("specversion", "1.0"), ("id", "e-1"), ("source", "/chat"), ("type", "org.example.chat")];
    let headers = attributes.map(|(name, value)| (format!("cloudEvents_{name}"), value.to_owned()));
    Envelope { headers: headers.into(), ..envelope(object("")) }
}
