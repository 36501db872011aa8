//! Routes and renders: makes a [`Notification`] of an [`Event`], by the configuration of the sender's domain.

mod muc;
mod order;
mod render;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use self::muc::MucTopics;
pub use self::order::OrderKey;
pub use self::render::{MessageBody, PresenceBody};
pub use self::settings::{HOST_PLACEHOLDER, Ordering, Routing};
use crate::arn::TopicArn;
use crate::event::{Envelope, Event, Message, MessageKind, Presence};
use crate::outcome::{DeadLetter, Reason, SkipReason};
use crate::plugin::running::Mark;
use crate::plugin::{Attributes, Metadata, Plugin, PluginError, Plugins, overwritten};

/// A notification and its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The topic to publish to.
    pub topic: TopicArn,
    /// The message, as subscribers get it.
    pub body: String,
    /// For subscribers' filters.
    pub attributes: Attributes,
    /// Set where order is kept: what must be published before it has the same key.
    pub order: Option<OrderKey>,
    /// SNS's `MessageGroupId`.
    pub group: Option<OrderKey>,
    /// SNS's `MessageDeduplicationId`.
    pub dedup_id: Option<String>,
}

impl Notification {
    /// The bytes that SNS counts: the body and the attributes' names, types and values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.len() + self.attributes.size()
    }
}

/// The result of routing: a notification, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routed {
    /// To be published.
    Notification(Notification),
    /// Not to be published.
    Skip(SkipReason),
}

/// `plugin_module` names a plugin that this program hasn't registered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("plugin_module: there is no plugin \"{name}\", but {known}")]
pub struct UnknownPlugin {
    /// What the configuration names.
    pub name: String,
    /// What it can name.
    pub known: String,
}

/// The routing of every XMPP domain, made ready once.
#[derive(Debug)]
pub struct Router {
    base: Policy,
    hosts: HashMap<String, Policy>,
    rules: Rules,
}

/// Settings that apply to all domains.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Body and attributes of a message, as SNS counts them.
    pub max_message_bytes: usize,
    /// Keep the order of each key on standard topics too; on FIFO topics it is always kept.
    pub per_key: bool,
    /// Tell standard topics the message group too.
    pub group_id: bool,
}

impl Router {
    /// Routes by `base`, but the events of senders in `hosts` by what stands there.
    ///
    /// # Errors
    ///
    /// If `plugins` lacks one that is named.
    pub fn new(
        base: &Routing,
        hosts: &BTreeMap<String, Routing>,
        plugins: &Plugins,
        rules: Rules,
    ) -> Result<Self, UnknownPlugin> {
        let hosts = hosts
            .iter()
            .map(|(host, routing)| Ok((host.clone(), Policy::new(routing, plugins)?)))
            .collect::<Result<_, UnknownPlugin>>()?;
        Ok(Self { base: Policy::new(base, plugins)?, hosts, rules })
    }

    /// The notification of an event, checked against all that is known of SNS's rules, so that
    /// nothing is sent that can only be refused.
    ///
    /// # Errors
    ///
    /// A [`DeadLetter`] if the plugin fails, or if SNS would refuse the notification: it is too large, or the
    /// plugin gave it an attribute that can't be.
    pub fn route(&self, event: &Event<'_>, envelope: &Envelope) -> Result<Routed, DeadLetter> {
        let host = event.host();
        if self.is_from_room(event) {
            return Ok(Routed::Skip(SkipReason::Received));
        }
        let policy = self.policy(host);
        let topic = match policy.topic(event, host) {
            Ok(topic) => topic,
            Err(skip) => return Ok(Routed::Skip(skip)),
        };
        let rendered = policy.render(topic, event).map_err(|error| DeadLetter {
            reason: Reason::PluginFailed,
            error,
            attempts: 0,
            topic: Some(topic.clone()),
        })?;
        let Some(mut notification) = rendered else {
            return Ok(Routed::Skip(SkipReason::Filtered));
        };
        self.order(&mut notification, event, envelope);
        match self.refusal(&notification) {
            None => Ok(Routed::Notification(notification)),
            Some((reason, error)) => {
                Err(DeadLetter { reason, error, attempts: 0, topic: Some(notification.topic) })
            }
        }
    }

    fn policy(&self, host: &str) -> &Policy {
        self.hosts.get(host).unwrap_or(&self.base)
    }

    /// Whether this is a room's copy for an occupant: of what was sent to the room, or to the
    /// occupant in private. The sender's domain is then a MUC host by the recipient's policy.
    fn is_from_room(&self, event: &Event<'_>) -> bool {
        let Event::Message(message) = event else { return false };
        let (room, occupant) = (message.from.domain().as_str(), message.to.domain().as_str());
        // Where rooms and users share a domain, nothing tells them apart.
        message.meta.in_transit
            && room != occupant
            && self.policy(occupant).muc.topic(room, occupant).is_some()
    }

    fn order(&self, notification: &mut Notification, event: &Event<'_>, envelope: &Envelope) {
        let fifo = notification.topic.is_fifo();
        let Rules { per_key, group_id, .. } = self.rules;
        if !(fifo || per_key || group_id) {
            return;
        }
        let key = OrderKey::of(event);
        notification.order = (fifo || per_key).then(|| key.clone());
        notification.group = (fifo || group_id).then_some(key);
        notification.dedup_id = fifo.then(|| order::dedup_id(event, envelope));
    }

    fn refusal(&self, notification: &Notification) -> Option<(Reason, String)> {
        let (size, limit) = (notification.size(), self.rules.max_message_bytes);
        if size > limit {
            let error =
                format!("{size} bytes with attributes, but max_message_bytes allows {limit}");
            return Some((Reason::TooLarge, error));
        }
        notification.attributes.fault().map(|fault| (Reason::Rejected, fault))
    }
}

/// What one domain's events are subject to.
struct Policy {
    presence_updates_topic: Option<TopicArn>,
    pm_messages_topic: Option<TopicArn>,
    muc: MucTopics,
    plugin: Arc<dyn Plugin>,
    mark: Mark,
}

impl Policy {
    fn new(routing: &Routing, plugins: &Plugins) -> Result<Self, UnknownPlugin> {
        let name = &routing.plugin_module;
        let plugin = plugins.get(name).ok_or_else(|| UnknownPlugin {
            name: name.clone(),
            known: plugins.names().collect::<Vec<_>>().join(", "),
        })?;
        Ok(Self {
            presence_updates_topic: routing.presence_updates_topic.clone(),
            pm_messages_topic: routing.pm_messages_topic.clone(),
            muc: MucTopics::new(routing),
            plugin,
            mark: Mark::of(name),
        })
    }

    fn topic(&self, event: &Event<'_>, host: &str) -> Result<&TopicArn, SkipReason> {
        let topic = match event {
            Event::Presence(_) => &self.presence_updates_topic,
            Event::Message(message) => match message.kind {
                MessageKind::Chat => &self.pm_messages_topic,
                MessageKind::Groupchat => self
                    .muc
                    .topic(message.to.domain().as_str(), host)
                    .ok_or(SkipReason::MucHostUnmatched)?,
            },
        };
        topic.as_ref().ok_or(SkipReason::TopicUnset)
    }

    /// `None`: the plugin does not keep it. An error is the plugin's, and says which function's.
    fn render(&self, topic: &TopicArn, event: &Event<'_>) -> Result<Option<Notification>, String> {
        let _asked = self.mark.asked();
        let plugin = &self.plugin;
        if !plugin.keep(event).map_err(failed("keep"))? {
            return Ok(None);
        }
        let id = |user| plugin.user_guid(user).map_err(failed("user_guid"));
        let (mut body, attributes) = match event {
            Event::Presence(presence @ Presence { user, present, .. }) => (
                render::presence(&id(user)?, *present),
                plugin
                    .presence_attributes(topic, presence)
                    .map_err(failed("presence_attributes"))?,
            ),
            Event::Message(message @ Message { from, to, body, .. }) => (
                render::message(&id(from)?, &id(to)?, body),
                plugin.message_attributes(topic, message).map_err(failed("message_attributes"))?,
            ),
        };
        let metadata = plugin.metadata(event).map_err(failed("metadata"))?;
        if !metadata.is_empty() {
            body = extended(body, &metadata)?;
        }
        let topic = topic.clone();
        Ok(Some(Notification { topic, body, attributes, order: None, group: None, dedup_id: None }))
    }
}

fn failed(function: &'static str) -> impl Fn(PluginError) -> String {
    move |error| format!("the plugin's `{function}` failed: {error}")
}

fn extended(body: String, metadata: &Metadata) -> Result<String, String> {
    match overwritten(metadata) {
        None => Ok(render::extended(body, metadata)),
        Some(name) => Err(format!(
            "the plugin's `metadata` gives `{name}`, which is a field of bodies already: give it another name"
        )),
    }
}

impl fmt::Debug for Policy {
    /// All but the plugin, which need not be `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("presence_updates_topic", &self.presence_updates_topic)
            .field("pm_messages_topic", &self.pm_messages_topic)
            .field("muc", &self.muc)
            .finish_non_exhaustive()
    }
}
