//! A worker with a plugin of its own: register it, then let the library be the program.
//!
//! `plugin_module = "shouting"` in the configuration selects it.

use std::borrow::Cow;
use std::process::ExitCode;

use event_pusher_sns::app;
use event_pusher_sns::arn::TopicArn;
use event_pusher_sns::event::{Message, Presence};
use event_pusher_sns::plugin::{Attributes, Plugin, Plugins};
use jid::Jid;

/// Upper-case ids, and attributes for subscribers to filter by.
struct Shouting;

impl Plugin for Shouting {
    fn user_guid<'a>(&self, user: &'a Jid) -> Cow<'a, str> {
        Cow::Owned(user.to_bare().to_string().to_uppercase())
    }

    fn presence_attributes(&self, _: &TopicArn, presence: &Presence<'_>) -> Attributes {
        let present = if presence.present { "true" } else { "false" };
        Attributes::from_iter([("present", present)])
    }

    fn message_attributes(&self, _: &TopicArn, message: &Message<'_>) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.set("kind", message.kind.label());
        attributes.set("length", i64::try_from(message.body.chars().count()).unwrap_or(i64::MAX));
        attributes
    }
}

fn main() -> ExitCode {
    app::main(&Plugins::default().register("shouting", Shouting))
}
