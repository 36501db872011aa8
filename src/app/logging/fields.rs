//! The fields of a text line: `name="value"`, with quotes around every value but numbers and true or false.
//!
//! The formatter of `tracing-subscriber` quotes only texts, and not values that are logged by their
//! `Display`, so that a value with spaces could not be distinguished from the next field.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

use crate::text::printable;

pub(super) struct Quoted;

impl<'w> FormatFields<'w> for Quoted {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = FieldVisitor { writer, begun: false, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

/// Writes the fields of a line, each quoted.
struct FieldVisitor<'w> {
    writer: Writer<'w>,
    begun: bool,
    result: fmt::Result,
}

impl FieldVisitor<'_> {
    /// `is_plain`: the value needs no quotes.
    fn record(&mut self, field: &Field, value: &str, is_plain: bool) {
        // What the `log` crate's records have beside their text is said by level and target.
        if self.result.is_ok() && !field.name().starts_with("log.") {
            self.result = self.write(field.name(), value, is_plain);
        }
    }

    fn write(&mut self, name: &str, value: &str, is_plain: bool) -> fmt::Result {
        if std::mem::replace(&mut self.begun, true) {
            self.writer.write_char(' ')?;
        }
        if name == "message" {
            // Libraries log what others sent: nothing in it may drive a terminal or begin a line of its own.
            return self.writer.write_str(&printable(value, false));
        }
        if self.writer.has_ansi_escapes() {
            write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?;
        } else {
            write!(self.writer, "{name}=")?;
        }
        if is_plain { self.writer.write_str(value) } else { write!(self.writer, "{value:?}") }
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, value, false);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Numbers and flags come this way, and values by their `Display`, of which any text may come.
        let text = format!("{value:?}");
        let is_plain = text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok();
        self.record(field, &text, is_plain);
    }
}

#[cfg(test)]
mod tests {
    use super::super::capture::Written;
    use super::*;

    /// What is written while something is logged.
    fn lines(log: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_ansi(false)
            .with_target(false)
            .fmt_fields(Quoted)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        written.text()
    }

    #[test]
    fn no_value_forges_a_field_or_a_line_or_drives_a_terminal() {
        let forged = "\"a\" event=\"held\"\n\u{1b}[31m\"";
        let written = lines(|| {
            tracing::info!(error = %forged, text = forged, log.line = 25, "said: {forged}");
        });
        assert_eq!(written.lines().count(), 1, "{written}");
        assert!(!written.contains('\u{1b}'), "{written}");
        assert!(!written.contains("log.line"), "{written}");
        for name in ["error", "text"] {
            let field = format!(r#"{name}="\"a\" event=\"held\"\n"#);
            assert!(written.contains(&field), "{written}");
        }
    }

    #[test]
    fn values_are_quoted_alike_however_they_are_logged() {
        let written = lines(|| {
            let (text, error) = ("a \"b\"", "not = found");
            tracing::info!(event = "held", %error, text, lasted = ?std::time::Duration::from_secs(2),
                count = 3, sure = true, none = None::<&str>, "topic held");
        });
        let expected = "topic held event=\"held\" error=\"not = found\" text=\"a \\\"b\\\"\" \
                        lasted=\"2s\" count=3 sure=true\n";
        assert!(written.ends_with(expected), "{written}");
    }
}
