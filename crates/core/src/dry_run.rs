//! Dry run: decodes, routes and renders an event as a worker would, and sends nothing.

mod json;

use std::panic::AssertUnwindSafe;

use crate::event::{self, Decoded, Envelope, EventKind, Format};
use crate::outcome::{DeadLetter, Reason, SkipReason};
use crate::route::{Notification, Routed, Router};

pub use self::json::DryRunJson;

/// The result of a dry run: the outcome that a worker would have now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRun {
    /// Which kind of event it is, where it is one that is published.
    pub kind: Option<EventKind>,
    /// How it would end.
    pub outcome: DryRunOutcome,
}

/// The expected outcome of an event, as far as it is known without SNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryRunOutcome {
    /// A worker would try to publish this.
    Publish(Box<Notification>),
    /// It would skip the event.
    Skip(SkipReason),
    /// It would dead-letter the event at once.
    DeadLetter(DeadLetter),
}

/// Decodes, routes and renders, as a worker would.
#[must_use]
pub fn dry_run(envelope: &Envelope, format: Format, router: &Router) -> DryRun {
    let decide = AssertUnwindSafe(|| decide(envelope, format, router));
    std::panic::catch_unwind(decide).unwrap_or_else(|_| {
        crate::panics::caught();
        let error = "handling it panics, here in event-pusher-sns or in its plugin".to_owned();
        let letter = DeadLetter { reason: Reason::Panicked, error, attempts: 0, topic: None };
        DryRun { kind: None, outcome: DryRunOutcome::DeadLetter(letter) }
    })
}

fn decide(envelope: &Envelope, format: Format, router: &Router) -> DryRun {
    let event = match event::decode(envelope, format) {
        Ok(Decoded::Event(event)) => event,
        Ok(Decoded::Skip(reason)) => return DryRunOutcome::Skip(reason).into(),
        Err(error) => return DryRunOutcome::DeadLetter(error.into()).into(),
    };
    let outcome = match router.route(&event, envelope) {
        Ok(Routed::Notification(notification)) => DryRunOutcome::Publish(Box::new(notification)),
        Ok(Routed::Skip(reason)) => DryRunOutcome::Skip(reason),
        Err(letter) => DryRunOutcome::DeadLetter(letter),
    };
    DryRun { kind: Some(event.kind()), outcome }
}

impl From<DryRunOutcome> for DryRun {
    /// Of what is no event.
    fn from(outcome: DryRunOutcome) -> Self {
        Self { kind: None, outcome }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use jid::Jid;

    use super::*;
    use crate::arn::TopicArn;
    use crate::plugin::{Plugin, PluginError, Plugins};
    use crate::route::{Routing, Rules};

    struct Broken;

    impl Plugin for Broken {
        fn user_guid<'a>(&self, _: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
            panic!("as it was told")
        }
    }

    #[test]
    fn a_panic_is_foreseen_as_the_dead_letter_that_it_would_be() {
        let plugins = Plugins::default().register("broken", Broken);
        let routing = Routing {
            presence_updates_topic: TopicArn::parse("arn:aws:sns:us-east-1:123456789012:t").ok(),
            pm_messages_topic: None,
            muc_messages_topic: None,
            plugin_module: "broken".to_owned(),
            muc_host: "conference.@HOST@".to_owned(),
            muc_topics: BTreeMap::new(),
        };
        let rules = Rules { max_message_bytes: 1000, per_key: false, group_id: false };
        let router = Router::new(&routing, &BTreeMap::new(), &plugins, rules).unwrap();
        let payload = br#"{"type":"presence","user_id":"a@b","present":true}"#.to_vec();
        let envelope = Envelope { payload, ..Envelope::default() };
        let dry_run = dry_run(&envelope, Format::Native, &router);
        let DryRunOutcome::DeadLetter(letter) = &dry_run.outcome else { panic!("{dry_run:?}") };
        assert_eq!((letter.reason, letter.attempts), (Reason::Panicked, 0));
    }
}
