//! A worker with plugins of its own: register them, then let the library be the program.
//!
//! `plugin_module = "shouting"` in the configuration selects the first, `"metadata"` the second. The shortest
//! there can be, in a crate of its own, is `examples/own-plugin`.

use std::borrow::Cow;
use std::process::ExitCode;

use event_pusher_sns::app;
use event_pusher_sns::arn::TopicArn;
use event_pusher_sns::event::{Event, Message, Presence};
use event_pusher_sns::plugin::{AttributeValue, Attributes, Plugin, PluginError, Plugins};
use jid::Jid;

/// Upper-case ids, and attributes for subscribers to filter by.
struct Shouting;

impl Plugin for Shouting {
    fn user_guid<'a>(&self, user: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        Ok(Cow::Owned(user.to_bare().to_string().to_uppercase()))
    }

    fn presence_attributes(
        &self,
        _: &TopicArn,
        presence: &Presence<'_>,
    ) -> Result<Attributes, PluginError> {
        let present = if presence.present { "true" } else { "false" };
        Ok(Attributes::from_iter([("present", present)]))
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
}

/// Whatever else the producer said becomes attributes. What SNS would refuse among them makes the
/// event a dead letter: a plugin that does not trust its producer looks at names and values first.
struct Metadata;

impl Plugin for Metadata {
    fn message_attributes(
        &self,
        _: &TopicArn,
        message: &Message<'_>,
    ) -> Result<Attributes, PluginError> {
        let value = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => AttributeValue::String(text.clone()),
            serde_json::Value::Number(number) => AttributeValue::Number(number.to_string()),
            other => AttributeValue::String(other.to_string()),
        };
        Ok(message.meta.metadata.iter().map(|(name, it)| (name, value(it))).collect())
    }
}

/// What a plugin must not do: one user's events keep the worker's only thread for ever. `/livez` then says 503
/// after ten seconds, and which plugin it is; the log says so too.
struct Sleepy;

impl Plugin for Sleepy {
    fn keep(&self, event: &Event<'_>) -> Result<bool, PluginError> {
        while event.sender().node().is_some_and(|name| name.as_str() == "sleepy") {
            std::thread::park();
        }
        Ok(true)
    }
}

fn main() -> ExitCode {
    let plugins = Plugins::default().register("shouting", Shouting);
    app::main(&plugins.register("metadata", Metadata).register("sleepy", Sleepy))
}
