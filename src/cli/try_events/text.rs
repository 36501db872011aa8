//! Prints the results of samples as text.

use std::fmt;

use anstyle::{AnsiColor, Style};

use super::samples::SampleLocation;
use crate::dry_run::{DryRun, DryRunOutcome};
use crate::event::EventKind;
use crate::outcome::{DeadLetter, Reason, SkipReason};
use crate::plugin::AttributeValue;
use crate::route::Notification;
use crate::text::printable;

const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
const SKIPPED: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();

/// Where everything stands that is said of one event.
const INDENT: &str = "         ";

/// What is said of an event that `event_pusher_mended_total` counts.
const MENDED: &str = "parts of its JSON have no value and were replaced: half a surrogate pair, or a number beyond a double";

/// One event in some lines.
pub(super) fn paragraph(location: &SampleLocation, dry_run: &DryRun) -> String {
    let on_a_line = matches!(location, SampleLocation::Line(_));
    let location = printable(&location.to_string(), false);
    let kind = dry_run.kind.map(|kind| format!("{kind}  ")).unwrap_or_default();
    let (colour, title, more) = match &dry_run.outcome {
        DryRunOutcome::Publish(it) => (GOOD, format!("→ {}", it.topic), notification(it)),
        DryRunOutcome::Skip(reason) => {
            let why = explain_skip(*reason, dry_run.kind).into_iter().collect();
            (SKIPPED, format!("skipped: {reason}"), why)
        }
        DryRunOutcome::DeadLetter(DeadLetter { reason, error, topic, .. }) => {
            // Of a sample that is a line, the only one.
            let shown = error.strip_prefix("line 1, ").filter(|_| on_a_line).unwrap_or(error);
            let mut more = vec![shown.to_owned()];
            more.extend(topic.as_ref().map(|topic| field("topic", topic.as_str())));
            (BAD, format!("dead letter: {reason}"), more)
        }
    };
    let mended = dry_run.is_mended.then(|| field("mended", MENDED));
    let title = printable(&title, false);
    // A name that is longer than the indent moves only its own line.
    let mut text = format!("{DIM}{location:<7}{DIM:#}  {kind}{colour}{title}{colour:#}");
    for line in more.into_iter().chain(mended) {
        text += "\n";
        text += INDENT;
        text += &printable(&line, false);
    }
    text
}

fn notification(notification: &Notification) -> Vec<String> {
    let Notification { body, attributes, order, group, dedup_id, .. } = notification;
    let mut lines = vec![body.clone()];
    for (name, value) in attributes.iter() {
        let shown = match value {
            AttributeValue::String(text) => format!("{text:?}"),
            AttributeValue::Number(number) => number.clone(),
            AttributeValue::Binary(bytes) => format!("{} bytes", bytes.len()),
        };
        lines.push(field("attribute", &format!("{name} = {shown} ({})", value.data_type())));
    }
    let warnings = attributes.warnings();
    lines.extend(warnings.map(|it| field("warning", &format!("the plugin gives {it}"))));
    // Where there is a group, it says the same.
    let order = order.as_ref().filter(|_| group.is_none());
    lines.extend(order.map(|it| field("in order", it.as_str())));
    lines.extend(group.as_ref().map(|it| field("group", it.as_str())));
    lines.extend(dedup_id.as_ref().map(|it| field("dedup id", it)));
    lines
}

fn field(name: &str, value: &str) -> String {
    format!("{name:<10} {value}")
}

/// What to look at, where a reason alone leaves one guessing.
fn explain_skip(reason: SkipReason, kind: Option<EventKind>) -> Option<String> {
    let topic = match kind? {
        EventKind::Presence => "presence_updates_topic",
        EventKind::Chat => "pm_messages_topic",
        EventKind::Groupchat => "muc_messages_topic",
    };
    match reason {
        SkipReason::TopicUnset => Some(format!("no {topic} is set for the sender's domain")),
        SkipReason::MucHostUnmatched => {
            Some("the room's domain is neither muc_host nor in muc_topics".to_owned())
        }
        _ => None,
    }
}

/// How many events would end how.
#[derive(Debug, Default)]
pub(super) struct Tally {
    published: u64,
    skipped: u64,
    dead: u64,
    spans_lines: bool,
}

/// What an error ends in of which the stanza goes on in the next line.
const UNCLOSED: &str = "it ends before all elements and markup do";

impl Tally {
    pub(super) fn count(&mut self, dry_run: &DryRun, location: &SampleLocation, payload: &[u8]) {
        match &dry_run.outcome {
            DryRunOutcome::Publish(_) => self.published += 1,
            DryRunOutcome::Skip(_) => self.skipped += 1,
            DryRunOutcome::DeadLetter(letter) => {
                self.dead += 1;
                let payload = payload.trim_ascii();
                let begins = payload == b"{"
                    || (payload.starts_with(b"<") && letter.error.ends_with(UNCLOSED));
                let on_a_line = matches!(location, SampleLocation::Line(_));
                self.spans_lines |= on_a_line && begins && letter.reason == Reason::Undecodable;
            }
        }
    }

    pub(super) const fn events(&self) -> u64 {
        self.published + self.skipped + self.dead
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.events() == 0
    }

    pub(super) const fn dead_letters(&self) -> u64 {
        self.dead
    }

    /// Whether what is no event looks like the beginning of one.
    pub(super) const fn spans_lines(&self) -> bool {
        self.spans_lines
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, skipped, dead, .. } = self;
        let (mark, colour) = if *dead == 0 { ("✓", GOOD) } else { ("✗", BAD) };
        let events = events(self.events());
        write!(
            f,
            "{colour}{mark}{colour:#} {events}: {published} would be published, {skipped} skipped, \
             {dead} dead-lettered"
        )
    }
}

/// `1 event`, `2 events`.
pub(super) fn events(count: u64) -> String {
    crate::text::counted(count, "event", "events")
}
