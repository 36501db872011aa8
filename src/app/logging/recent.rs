//! Keeps the last warnings and errors that are logged, for the page.

use std::fmt::{Debug, Write};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::observe::recent_log::{About, LogLine, RecentLog};

/// How the modules of this program and of its crates begin.
const OWN: &str = "event_pusher";

/// Adds to a [`RecentLog`] what has passed the filter of the log.
pub(super) struct KeepRecent(pub(super) RecentLog);

impl<S: Subscriber> Layer<S> for KeepRecent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            _ => return,
        };
        // Libraries log what others sent.
        if !event.metadata().target().starts_with(OWN) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { event, message, others, about } = fields;
        let text = format!("{message}{others}");
        self.0.add(LogLine { at: Timestamp::now(), level, event, about, text });
    }
}

#[derive(Default)]
struct Fields {
    event: String,
    message: String,
    /// ` name="value"` for each other field.
    others: String,
    about: About,
}

impl Fields {
    fn set(&mut self, name: &str, value: String) {
        match name {
            "event" => return self.event = value,
            "message" => return self.message = value,
            _ => {}
        }
        // Writing to a string does not fail.
        let _ = write!(self.others, " {name}={value:?}");
        let about = match name {
            "source" => &mut self.about.source,
            "held" | "topic" => &mut self.about.topic,
            "place" => &mut self.about.place,
            "reason" => &mut self.about.reason,
            "cause" => &mut self.about.cause,
            "error" => &mut self.about.error,
            _ => return,
        };
        *about = Some(value);
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn warnings_and_errors_are_kept_with_what_they_are_about() {
        let log = RecentLog::default();
        let subscriber = tracing_subscriber::registry().with(KeepRecent(log.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(event = "consuming", source = "events", "consuming");
            tracing::warn!(event = "held", held = "arn:x:rooms", error = %"NotFound: gone", waiting = 3, "topic held");
            tracing::error!(event = "not_consuming", source = "events", error = ?"refused", "lost");
        });
        let all = log.all();
        assert_eq!(all.len(), 2, "{all:#?}");
        let (held, lost) = (&all[0], &all[1]);
        assert_eq!((held.level, &*held.event), ("WARN", "held"));
        assert_eq!(
            held.text,
            r#"topic held held="arn:x:rooms" error="NotFound: gone" waiting="3""#
        );
        assert_eq!(held.about.topic.as_deref(), Some("arn:x:rooms"));
        assert_eq!(held.about.error.as_deref(), Some("NotFound: gone"));
        assert_eq!((lost.level, lost.about.source.as_deref()), ("ERROR", Some("events")));
    }
}
