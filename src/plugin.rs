//! What a deployment may decide by itself: who a user is to its subscribers, and which
//! attributes a notification carries for their filters.

mod attributes;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jid::Jid;

#[cfg(test)]
pub(crate) use self::attributes::is_xml_char;
pub use self::attributes::{AttributeValue, Attributes};
use crate::arn::TopicArn;
use crate::event::{Message, Presence, bare};

/// A policy. Its default methods are `mod_event_pusher_sns_defaults`.
///
/// It is called once for each event, from the worker's only thread: it must not wait. A panic
/// costs the event that caused it, which becomes a dead letter, and no other.
pub trait Plugin: Send + Sync {
    /// What stands for `user` in a notification's body. The JID is normalised, and full if the
    /// producer said so. By default: the bare JID.
    fn user_guid<'a>(&self, user: &'a Jid) -> Cow<'a, str> {
        Cow::Borrowed(bare(user))
    }

    /// The attributes of a presence notification for this topic. By default: none.
    fn presence_attributes(&self, topic: &TopicArn, presence: &Presence<'_>) -> Attributes {
        let _ = (topic, presence);
        Attributes::default()
    }

    /// The attributes of a message notification for this topic. By default: none.
    fn message_attributes(&self, topic: &TopicArn, message: &Message<'_>) -> Attributes {
        let _ = (topic, message);
        Attributes::default()
    }
}

/// The ancestor's default module: bare JIDs and no attributes.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultPlugin;

impl DefaultPlugin {
    /// The name that `plugin_module` has unless configured.
    pub const NAME: &str = "mod_event_pusher_sns_defaults";
}

impl Plugin for DefaultPlugin {}

/// The plugins that `plugin_module` can name.
#[derive(Clone)]
pub struct Plugins {
    by_name: BTreeMap<String, Arc<dyn Plugin>>,
}

impl Plugins {
    /// Adds a plugin, in place of one that had this name.
    #[must_use]
    pub fn register(mut self, name: impl Into<String>, plugin: impl Plugin + 'static) -> Self {
        self.by_name.insert(name.into(), Arc::new(plugin));
        self
    }

    /// The plugin of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<dyn Plugin>> {
        self.by_name.get(name).cloned()
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Default for Plugins {
    /// Only [`DefaultPlugin`].
    fn default() -> Self {
        Self { by_name: BTreeMap::new() }.register(DefaultPlugin::NAME, DefaultPlugin)
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
