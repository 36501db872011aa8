//! Lines of JSON without control and invisible characters: libraries log what others sent, and nothing in it may drive a
//! terminal that shows the log. `serde_json` escapes only those that JSON forbids.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::text::printable_json;

/// Escapes the lines of a formatter that writes JSON.
pub(super) struct Escaped<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for Escaped<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{}", printable_json(line.trim_end_matches('\n')))
    }
}

#[cfg(test)]
mod tests {
    use super::super::capture::Written;
    use super::*;

    #[test]
    fn no_value_drives_a_terminal_and_all_are_as_they_were() {
        let text = "a\u{1b}[2J\u{7f}\u{9b}2J\u{202e}\u{2066}\u{e0041}\n\"ü€";
        let written = Written::default();
        let writer = written.clone();
        let logs = tracing_subscriber::fmt().json().flatten_event(true).map_event_format(Escaped);
        let subscriber = logs.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(event = "held", error = %text, text, "said: {text}");
        });
        let lines = written.text();
        assert_eq!(lines.matches('\n').count(), 1, "{lines:?}");
        assert!(!lines.trim_end().contains(crate::text::is_unprintable), "{lines:?}");
        let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!((line["error"].as_str(), line["text"].as_str()), (Some(text), Some(text)));
        assert_eq!(line["message"], format!("said: {text}"));
    }
}
