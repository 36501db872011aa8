//! The last warnings and errors of the log, for the page.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::limits::{LONGEST_RECENT_LOG_LINE, RECENT_LOG_LINES};
use crate::text::printable;

/// Beginning of the events of what people do on the page. Such lines name people and what they look for, and the page shows
/// its lines to everybody.
const OF_PEOPLE: &str = "page_";

/// A line of the log, in parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When it was logged.
    pub at: Timestamp,
    /// `WARN` or `ERROR`.
    pub level: &'static str,
    /// The name in docs/logs.md.
    pub event: String,
    /// What it is about, where it says so.
    #[serde(flatten)]
    pub about: About,
    /// Message and fields, as in the log.
    pub text: String,
}

/// Fields of a line that tell which cause it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// A source's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// A topic's ARN, or `service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// A source or a topic, in lines that are about either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why events were dead-lettered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A reason or a result, in lines that are about either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The last lines; any thread may add one.
#[derive(Debug, Clone, Default)]
pub struct RecentLog(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<LogLine>,
    /// How many there have been.
    ever: u64,
}

impl RecentLog {
    /// Adds a line, unless it is about what people do on the page; the oldest one makes room.
    pub fn add(&self, mut line: LogLine) {
        if line.event.is_empty() || line.event.starts_with(OF_PEOPLE) {
            return;
        }
        shorten(&mut line.text);
        let About { source, topic, place, reason, cause, error } = &mut line.about;
        [source, topic, place, reason, cause, error].into_iter().flatten().for_each(shorten);
        let mut lines = self.lines();
        if lines.lines.len() >= RECENT_LOG_LINES {
            lines.lines.pop_front();
        }
        lines.lines.push_back(line);
        lines.ever += 1;
    }

    /// All lines that are kept, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<LogLine> {
        self.lines().lines.iter().cloned().collect()
    }

    /// How many lines there have been, which tells whether there are new ones.
    #[must_use]
    pub fn ever(&self) -> u64 {
        self.lines().ever
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In one line without control characters, and cut where it is too long.
fn shorten(text: &mut String) {
    *text = printable(text, false);
    if text.len() > LONGEST_RECENT_LOG_LINE {
        text.truncate(text.floor_char_boundary(LONGEST_RECENT_LOG_LINE));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &str, text: &str) -> LogLine {
        let (event, text) = (event.to_owned(), text.to_owned());
        LogLine { level: "WARN", event, text, ..LogLine::default() }
    }

    #[test]
    fn one_line_too_many_removes_the_oldest() {
        let log = RecentLog::default();
        for number in 0..=RECENT_LOG_LINES {
            log.add(line("held", &number.to_string()));
        }
        let all = log.all();
        assert_eq!((all.len(), &*all[0].text), (RECENT_LOG_LINES, "1"));
        assert_eq!(log.ever(), RECENT_LOG_LINES as u64 + 1);
    }

    #[test]
    fn a_line_is_short_and_drives_nothing() {
        let log = RecentLog::default();
        log.add(line("held", &"\u{202e}ü".repeat(LONGEST_RECENT_LOG_LINE)));
        let error = Some("\u{1b}[31m\n".repeat(LONGEST_RECENT_LOG_LINE));
        let about = About { error, ..About::default() };
        log.add(LogLine { about, ..line("held", "") });
        let all = log.all();
        let error = all[1].about.error.as_ref().unwrap();
        for text in [&all[0].text, error] {
            assert!(text.len() <= LONGEST_RECENT_LOG_LINE + '…'.len_utf8(), "{}", text.len());
            assert!(!text.contains(['\u{202e}', '\u{1b}', '\n']), "{text}");
        }
    }

    #[test]
    fn what_people_do_and_what_libraries_say_is_not_shown() {
        let log = RecentLog::default();
        log.add(line("page_replay_started", "user=\"ann@h\""));
        log.add(line("", "a library's"));
        assert_eq!((log.all(), log.ever()), (vec![], 0));
    }
}
