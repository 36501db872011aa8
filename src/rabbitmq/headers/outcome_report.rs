//! Headers of the message by which a worker reports an event's outcome to its replay.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::header_room::text;
use crate::headers::{OUTCOME, REPLAY_ID, SIGNATURE, TOPIC};
use crate::limits::{LONGEST_CIRCUIT, LONGEST_REPLAY_ID};
use crate::replay::{OutcomeReport, ReplayId};
use crate::signature::SigningKey;

/// Milliseconds. The lock that forbids browsing has no consumer, and must be empty to be deleted by itself.
const EXPIRATION: &str = "60000";

/// The id of an event whose replay asks for its outcome; from headers that a worker believes.
pub(in crate::rabbitmq) fn asks(properties: &BasicProperties) -> Option<ReplayId> {
    let headers = properties.headers().as_ref()?;
    let id: ReplayId = short_text(headers, REPLAY_ID, LONGEST_REPLAY_ID)?.parse().ok()?;
    id.asks.then_some(id)
}

/// The properties of a report, which has no body; signed, if there is a key.
pub(in crate::rabbitmq) fn report_properties(
    id: ReplayId,
    report: &OutcomeReport,
    key: Option<&SigningKey>,
) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(REPLAY_ID.into(), text(&id.to_string()));
    headers.insert(OUTCOME.into(), text(report.label()));
    if let OutcomeReport::Held(circuit) = report {
        headers.insert(TOPIC.into(), text(circuit));
    }
    if let Some(key) = key {
        headers.insert(SIGNATURE.into(), text(&key.sign_report(&report.signed_text(id))));
    }
    BasicProperties::default().with_headers(headers).with_expiration(EXPIRATION.into())
}

/// The report that a message is, if it is one. Without a key, anybody may have sent it who has seen the id.
pub(in crate::rabbitmq) fn read(
    properties: &BasicProperties,
    key: Option<&SigningKey>,
) -> Option<(ReplayId, OutcomeReport)> {
    let id = asks(properties)?;
    let headers = properties.headers().as_ref()?;
    let circuit = short_text(headers, TOPIC, LONGEST_CIRCUIT).unwrap_or_default();
    let label = short_text(headers, OUTCOME, LONGEST_REPLAY_ID)?;
    let report = OutcomeReport::from_label(label, circuit)?;
    if let Some(key) = key {
        let signature = short_text(headers, SIGNATURE, LONGEST_CIRCUIT)?;
        if !key.verifies_report(signature.as_bytes(), &report.signed_text(id)) {
            return None;
        }
    }
    Some((id, report))
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

    const ID: ReplayId = ReplayId { replay: 0xab, number: 7, asks: true };

    fn held(circuit: &str) -> OutcomeReport {
        OutcomeReport::Held(circuit.to_owned())
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let key = SigningKey::new(&[7; 32]).unwrap();
        let topic = held("arn:aws:sns:eu-west-1:123456789012:pm");
        for report in
            [OutcomeReport::Published, OutcomeReport::DeadLettered, topic, held("service")]
        {
            for key in [None, Some(&key)] {
                let written = report_properties(ID, &report, key);
                assert_eq!(read(&written, key), Some((ID, report.clone())));
            }
        }
    }

    #[test]
    fn what_nobody_asked_for_and_what_names_no_topic_is_no_report() {
        let id = ReplayId { asks: false, ..ID };
        assert_eq!(read(&report_properties(id, &OutcomeReport::Published, None), None), None);
        assert_eq!(read(&BasicProperties::default(), None), None);
        for circuit in ["FORGED", "a\u{1b}[2Jb", "", &"x".repeat(LONGEST_CIRCUIT + 1)] {
            assert_eq!(read(&report_properties(ID, &held(circuit), None), None), None, "{circuit}");
        }
    }

    #[test]
    fn with_a_key_only_what_a_worker_has_signed_is_a_report() {
        let (key, other) = (SigningKey::new(&[7; 32]).unwrap(), SigningKey::new(&[8; 32]).unwrap());
        let published = OutcomeReport::Published;
        for forger in [None, Some(&other)] {
            assert_eq!(read(&report_properties(ID, &published, forger), Some(&key)), None);
        }
        // Nor is a signature good for another event or outcome.
        let signed = report_properties(ID, &held("service"), Some(&key));
        for (name, value) in [(OUTCOME, "published"), (REPLAY_ID, "00000000000000ab.1.8")] {
            let mut headers = signed.headers().clone().unwrap();
            headers.insert(name.into(), text(value));
            assert_eq!(read(&signed.clone().with_headers(headers), Some(&key)), None, "{name}");
        }
    }
}
