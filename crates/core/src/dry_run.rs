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
    /// Whether parts of the payload that have no value were replaced to read it, as `event_pusher_mended_total` counts.
    pub is_mended: bool,
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
        DryRunOutcome::DeadLetter(letter).into()
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
    DryRun { kind: Some(event.kind()), is_mended: event.meta().is_mended, outcome }
}

impl From<DryRunOutcome> for DryRun {
    /// Of what is no event.
    fn from(outcome: DryRunOutcome) -> Self {
        Self { kind: None, is_mended: false, outcome }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use jid::Jid;

    use super::*;
    use crate::arn::TopicArn;
    use crate::plugin::{DefaultPlugin, Plugin, PluginError, Plugins};
    use crate::route::{Routing, Rules};

    struct Broken;

    impl Plugin for Broken {
        fn user_guid<'a>(&self, _: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
            panic!("as it was told")
        }
    }

    fn router(plugin: &str) -> Router {
        let plugins = Plugins::default().register("broken", Broken);
        let routing = Routing {
            presence_updates_topic: TopicArn::parse("arn:aws:sns:us-east-1:123456789012:t").ok(),
            pm_messages_topic: None,
            muc_messages_topic: None,
            plugin_module: plugin.to_owned(),
            muc_host: "conference.@HOST@".to_owned(),
            muc_topics: BTreeMap::new(),
        };
        let rules = Rules { max_message_bytes: 1000, per_key: false, group_id: false };
        Router::new(&routing, &BTreeMap::new(), &plugins, rules).unwrap()
    }

    /// A presence with these members more.
    fn presence(more: &str) -> Envelope {
        let payload = format!(r#"{{"type":"presence","user_id":"a@b","present":true{more}}}"#);
        Envelope { payload: payload.into_bytes(), ..Envelope::default() }
    }

    #[test]
    fn a_panic_is_foreseen_as_the_dead_letter_that_it_would_be() {
        let dry_run = dry_run(&presence(""), Format::Native, &router("broken"));
        let DryRunOutcome::DeadLetter(letter) = &dry_run.outcome else { panic!("{dry_run:?}") };
        assert_eq!((letter.reason, letter.attempts), (Reason::Panicked, 0));
    }

    #[test]
    fn an_event_that_is_mended_is_known_as_such_and_says_so_in_json() {
        let router = router(DefaultPlugin::NAME);
        for (more, is_mended) in [("", false), (r#","a":1e400"#, true), (r#","a":"\ud83d""#, true)]
        {
            let dry_run = dry_run(&presence(more), Format::Native, &router);
            assert_eq!(dry_run.is_mended, is_mended, "{more}");
            let json = serde_json::to_value(dry_run.as_json()).unwrap();
            assert_eq!(json.get("mended"), is_mended.then_some(&true.into()), "{json}");
            assert_eq!(json["outcome"], "published");
        }
    }
}
