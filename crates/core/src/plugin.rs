//! Plugins: decide which events are published, the ids of users, the message attributes of notifications,
//! and additional fields of their bodies.
//!
//! A plugin is a [`Plugin`] in a binary of your own, or a [`Script`], which needs no compiler. Both have the same
//! functions, and [`conformance`] tests both.

mod attributes;
mod conformance;
mod error;
mod registry;
pub mod running;
mod samples;
mod script;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use jid::Jid;

#[cfg(test)]
pub(crate) use self::attributes::is_xml_char;
pub use self::attributes::{AttributeValue, Attributes};
pub use self::conformance::{Remark, conformance};
pub use self::error::PluginError;
pub use self::registry::Plugins;
pub use self::script::{Bounds, EXTENSION, LONGEST_SCRIPT, Script, ScriptError, is_script};
use crate::arn::TopicArn;
use crate::event::{Event, Message, Presence, bare};

/// Additional fields of a notification's body, after the standard ones, sorted by name.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// The standard fields of bodies, those of `mod_event_pusher_sns`. Metadata can't have their names, in any
/// body.
pub const OWN_FIELDS: [&str; 5] = ["user_id", "present", "from_user_id", "to_user_id", "message"];

/// A policy. Its default methods are `mod_event_pusher_sns_defaults`.
///
/// It is called from the worker's only thread, for each event anew: it must not wait. An error or a panic
/// costs the event that caused it, which becomes a dead letter, and no other. What it says should
/// depend on the event alone: an event may come twice.
pub trait Plugin: Send + Sync {
    /// Whether the event is to be published at all. Asked first, once a topic is known for it. By default: yes.
    ///
    /// # Errors
    ///
    /// The plugin's own, as for all of its methods.
    fn keep(&self, event: &Event<'_>) -> Result<bool, PluginError> {
        let _ = event;
        Ok(true)
    }

    /// What stands for `user` in a notification's body. The JID is normalised, and full if the
    /// producer said so. By default: the bare JID.
    ///
    /// # Errors
    ///
    /// The plugin's own.
    fn user_guid<'a>(&self, user: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        Ok(Cow::Borrowed(bare(user)))
    }

    /// The attributes of a presence notification for this topic. By default: none.
    ///
    /// # Errors
    ///
    /// The plugin's own.
    fn presence_attributes(
        &self,
        topic: &TopicArn,
        presence: &Presence<'_>,
    ) -> Result<Attributes, PluginError> {
        let _ = (topic, presence);
        Ok(Attributes::default())
    }

    /// The attributes of a message notification for this topic. By default: none.
    ///
    /// # Errors
    ///
    /// The plugin's own.
    fn message_attributes(
        &self,
        topic: &TopicArn,
        message: &Message<'_>,
    ) -> Result<Attributes, PluginError> {
        let _ = (topic, message);
        Ok(Attributes::default())
    }

    /// Further fields of the body. One that has the name of an [own field](OWN_FIELDS) of bodies makes the
    /// event a dead letter. By default: none.
    ///
    /// # Errors
    ///
    /// The plugin's own.
    fn metadata(&self, event: &Event<'_>) -> Result<Metadata, PluginError> {
        let _ = event;
        Ok(Metadata::new())
    }
}

/// The first of the fields that bodies have themselves.
pub(crate) fn overwritten(metadata: &Metadata) -> Option<&str> {
    metadata.keys().map(String::as_str).find(|name| OWN_FIELDS.contains(name))
}

/// The default module of `mod_event_pusher_sns`: bare JIDs and no attributes.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultPlugin;

impl DefaultPlugin {
    /// The name that `plugin_module` has unless configured.
    pub const NAME: &str = "mod_event_pusher_sns_defaults";
}

impl Plugin for DefaultPlugin {}
