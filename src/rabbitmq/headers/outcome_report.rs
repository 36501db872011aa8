//! Headers of the message by which a worker reports an event's outcome to its replay.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::header_room::text;
use crate::headers::{OUTCOME, REPLAY_ID, TOPIC};
use crate::limits::{LONGEST_CIRCUIT, LONGEST_REPLAY_ID};
use crate::replay::{OutcomeReport, ReplayId};
use crate::untrusted::one_line;

/// Milliseconds. The lock that forbids browsing has no consumer, and must be empty to be deleted by itself.
const EXPIRATION: &str = "60000";

/// The id of an event whose replay asks for its outcome; from headers that a worker believes.
pub(in crate::rabbitmq) fn asks(properties: &BasicProperties) -> Option<ReplayId> {
    let headers = properties.headers().as_ref()?;
    let id: ReplayId = short_text(headers, REPLAY_ID, LONGEST_REPLAY_ID)?.parse().ok()?;
    id.asks.then_some(id)
}

/// The properties of a report, which has no body.
pub(in crate::rabbitmq) fn report_properties(
    id: ReplayId,
    report: &OutcomeReport,
) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(REPLAY_ID.into(), text(&id.to_string()));
    headers.insert(OUTCOME.into(), text(report.label()));
    if let OutcomeReport::Held(circuit) = report {
        headers.insert(TOPIC.into(), text(circuit));
    }
    BasicProperties::default().with_headers(headers).with_expiration(EXPIRATION.into())
}

/// The report that a message is, if it is one. Anybody may have sent it.
pub(in crate::rabbitmq) fn read(properties: &BasicProperties) -> Option<(ReplayId, OutcomeReport)> {
    let id = asks(properties)?;
    let headers = properties.headers().as_ref()?;
    let circuit = short_text(headers, TOPIC, LONGEST_CIRCUIT).unwrap_or_default();
    let label = short_text(headers, OUTCOME, LONGEST_REPLAY_ID)?;
    Some((id, OutcomeReport::from_label(label, &one_line(circuit, LONGEST_CIRCUIT))?))
}

/// A header that is a text of at most so many bytes.
fn short_text<'a>(headers: &'a FieldTable, name: &str, longest: usize) -> Option<&'a str> {
    let AMQPValue::LongString(text) = headers.inner().get(name)? else { return None };
    let bytes = Some(text.as_bytes()).filter(|bytes| bytes.len() <= longest)?;
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let id = ReplayId { replay: 0xab, number: 7, asks: true };
        let held = OutcomeReport::Held("arn:aws:sns:eu-west-1:123456789012:pm".to_owned());
        for report in [OutcomeReport::Published, OutcomeReport::DeadLettered, held] {
            assert_eq!(read(&report_properties(id, &report)), Some((id, report)));
        }
    }

    #[test]
    fn what_nobody_asked_for_and_what_is_too_long_is_no_report() {
        let id = ReplayId { replay: 0xab, number: 7, asks: false };
        assert_eq!(read(&report_properties(id, &OutcomeReport::Published)), None);
        assert_eq!(read(&BasicProperties::default()), None);
        let id = ReplayId { asks: true, ..id };
        let long = OutcomeReport::Held("x".repeat(LONGEST_CIRCUIT + 1));
        let expected = Some((id, OutcomeReport::Held(String::new())));
        assert_eq!(read(&report_properties(id, &long)), expected);
        let obeyed = report_properties(id, &OutcomeReport::Held("a\u{1b}[2Jb".to_owned()));
        let Some((_, OutcomeReport::Held(shown))) = read(&obeyed) else { panic!("no report") };
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}
