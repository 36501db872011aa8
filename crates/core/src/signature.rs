//! Signs the headers that a worker writes (HMAC-SHA256), and verifies the signature.
//!
//! The signature covers the headers with the event's origin and the reason why it was dead-lettered, and the AMQP message
//! id; not the body, which may be large and is the producer's in any case.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::headers::{
    ATTEMPTS, ERROR, EXCHANGE, FAILED_AT, PARKED, QUEUE, REASON, REPLAY_ID, REPLAYS, ROUTING_KEY,
    TOPIC, WORKER,
};
use crate::limits::{LONGEST_SIGNING_KEY, SHORTEST_SIGNING_KEY};
use crate::text::hexadecimal;

/// The headers that are signed, in this order, whether they are there or not.
const SIGNED: [&str; 12] = [
    EXCHANGE,
    ROUTING_KEY,
    QUEUE,
    REASON,
    ERROR,
    ATTEMPTS,
    TOPIC,
    FAILED_AT,
    WORKER,
    REPLAYS,
    REPLAY_ID,
    PARKED,
];

/// Before all that is signed, so that no other program's signature by the same key is one of these.
const PURPOSE: &[u8] = b"event-pusher-sns headers 1";

/// The same before a report.
const PURPOSE_OF_REPORTS: &[u8] = b"event-pusher-sns report 1";

/// The same before what a worker says of itself to its fleet.
const PURPOSE_OF_FLEET: &[u8] = b"event-pusher-sns fleet 1";

/// The same before a command to a fleet.
const PURPOSE_OF_COMMANDS: &[u8] = b"event-pusher-sns fleet command 1";

/// A secret that all workers and operators of a dead-letter queue share.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Takes the bytes of a key as they are, a line's end included.
    ///
    /// # Errors
    ///
    /// There are too few, or too many for a key; in words for the operator.
    pub fn new(key: &[u8]) -> Result<Self, String> {
        let length = key.len();
        if length < SHORTEST_SIGNING_KEY {
            return Err(format!("has {length} bytes, and a key needs {SHORTEST_SIGNING_KEY}"));
        }
        if length > LONGEST_SIGNING_KEY {
            return Err(format!("has more than {LONGEST_SIGNING_KEY} bytes, so it is no key"));
        }
        Hmac::new_from_slice(key).map(Self).map_err(|error| error.to_string())
    }

    /// The signature of headers, given by their names, and of a message id.
    pub fn sign(
        &self,
        header: impl Fn(&str) -> Option<Vec<u8>>,
        message_id: Option<&str>,
    ) -> String {
        hexadecimal(&self.over(header, message_id).finalize().into_bytes())
    }

    /// Whether a signature is this key's. Takes as long whatever is wrong with it.
    pub fn verifies(
        &self,
        signature: &[u8],
        header: impl Fn(&str) -> Option<Vec<u8>>,
        message_id: Option<&str>,
    ) -> bool {
        let Some(signature) = bytes(signature) else { return false };
        self.over(header, message_id).verify_slice(&signature).is_ok()
    }

    /// The signature of a report to a replay, given as a text.
    #[must_use]
    pub fn sign_report(&self, report: &str) -> String {
        hexadecimal(&self.over_one(PURPOSE_OF_REPORTS, report.as_bytes()).finalize().into_bytes())
    }

    /// As [`Self::verifies`], for a report.
    #[must_use]
    pub fn verifies_report(&self, signature: &[u8], report: &str) -> bool {
        let mac = self.over_one(PURPOSE_OF_REPORTS, report.as_bytes());
        bytes(signature).is_some_and(|it| mac.verify_slice(&it).is_ok())
    }

    /// The signature of what a worker says to the fleet of this name.
    #[must_use]
    pub fn sign_for_fleet(&self, fleet: &str, body: &[u8]) -> String {
        hexadecimal(&self.over_fleet(fleet, body).finalize().into_bytes())
    }

    /// As [`Self::verifies`], for what a worker says to the fleet of this name.
    #[must_use]
    pub fn verifies_for_fleet(&self, signature: &[u8], fleet: &str, body: &[u8]) -> bool {
        bytes(signature).is_some_and(|it| self.over_fleet(fleet, body).verify_slice(&it).is_ok())
    }

    fn over_fleet(&self, fleet: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(PURPOSE_OF_FLEET);
        // With its length, so that no other name and body make the same bytes.
        mac.update(&(fleet.len() as u64).to_be_bytes());
        mac.update(fleet.as_bytes());
        mac.update(body);
        mac
    }

    /// The signature of a command to a fleet, given as the bytes of its message.
    #[must_use]
    pub fn sign_command(&self, command: &[u8]) -> String {
        hexadecimal(&self.over_one(PURPOSE_OF_COMMANDS, command).finalize().into_bytes())
    }

    /// As [`Self::verifies`], for a command to a fleet.
    #[must_use]
    pub fn verifies_command(&self, signature: &[u8], command: &[u8]) -> bool {
        let mac = self.over_one(PURPOSE_OF_COMMANDS, command);
        bytes(signature).is_some_and(|it| mac.verify_slice(&it).is_ok())
    }

    fn over_one(&self, purpose: &[u8], text: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(purpose);
        mac.update(text);
        mac
    }

    fn over(
        &self,
        header: impl Fn(&str) -> Option<Vec<u8>>,
        message_id: Option<&str>,
    ) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(PURPOSE);
        let message_id = message_id.map(|id| id.as_bytes().to_vec());
        for value in SIGNED.into_iter().map(header).chain([message_id]) {
            // With lengths, so that no other values make the same bytes.
            let length = value.as_ref().map_or(u64::MAX, |it| it.len() as u64);
            mac.update(&length.to_be_bytes());
            mac.update(&value.unwrap_or_default());
        }
        mac
    }
}

/// A key is never shown.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// From hexadecimal digits, just as many as a signature has.
fn bytes(digits: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |it: u8| char::from(it).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::new(&[7; SHORTEST_SIGNING_KEY]).unwrap()
    }

    fn of<'a>(headers: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<Vec<u8>> + 'a {
        |name| headers.iter().find(|it| it.0 == name).map(|it| it.1.as_bytes().to_vec())
    }

    #[test]
    fn a_key_of_one_byte_too_few_or_too_many_is_refused() {
        for (length, good) in [
            (SHORTEST_SIGNING_KEY - 1, false),
            (SHORTEST_SIGNING_KEY, true),
            (LONGEST_SIGNING_KEY, true),
            (LONGEST_SIGNING_KEY + 1, false),
        ] {
            assert_eq!(SigningKey::new(&vec![1; length]).is_ok(), good, "{length}");
        }
    }

    #[test]
    fn what_was_changed_moved_or_signed_by_another_key_does_not_verify() {
        let headers = [("event-pusher-queue", "chat"), ("event-pusher-reason", "rejected")];
        let signature = key().sign(of(&headers), Some("m-1"));
        let verifies = |key: &SigningKey, headers: &[(&str, &str)], id| {
            key.verifies(signature.as_bytes(), of(headers), id)
        };
        assert!(verifies(&key(), &headers, Some("m-1")));
        assert!(verifies(&key(), &[headers[0], headers[1], ("mine", "x")], Some("m-1")));
        let other = SigningKey::new(&[8; SHORTEST_SIGNING_KEY]).unwrap();
        assert!(!verifies(&other, &headers, Some("m-1")));
        assert!(!verifies(&key(), &headers, Some("m-2")));
        assert!(!verifies(&key(), &headers, None));
        assert!(!verifies(&key(), &headers[..1], Some("m-1")));
        let moved = [("event-pusher-queue", "chatrejected"), ("event-pusher-reason", "")];
        assert!(!verifies(&key(), &moved, Some("m-1")));
        let further = [headers[0], headers[1], ("event-pusher-replays", "")];
        assert!(!verifies(&key(), &further, Some("m-1")));
        for wrong in [
            b"".to_vec(),
            b"zz".repeat(32),
            signature[..62].into(),
            [signature.as_bytes(), b"00"].concat(),
        ] {
            assert!(!key().verifies(&wrong, of(&headers), Some("m-1")));
        }
    }

    #[test]
    fn what_is_said_to_one_fleet_is_not_said_to_another_and_is_no_other_signature() {
        let signature = key().sign_for_fleet("chat", b"body");
        let verifies =
            |fleet: &str, body: &[u8]| key().verifies_for_fleet(signature.as_bytes(), fleet, body);
        assert!(verifies("chat", b"body"));
        for (fleet, body) in [("cha", &b"tbody"[..]), ("chat", b"bodY"), ("other", b"body")] {
            assert!(!verifies(fleet, body), "{fleet}");
        }
        let other = SigningKey::new(&[8; SHORTEST_SIGNING_KEY]).unwrap();
        assert!(!other.verifies_for_fleet(signature.as_bytes(), "chat", b"body"));
        assert!(!key().verifies_report(signature.as_bytes(), "body"));
        assert!(!key().verifies_for_fleet(b"", "chat", b"body"));
    }

    #[test]
    fn a_command_verifies_by_its_own_key_and_is_no_report() {
        let signature = key().sign_command(b"pause");
        assert!(key().verifies_command(signature.as_bytes(), b"pause"));
        let other = SigningKey::new(&[8; SHORTEST_SIGNING_KEY]).unwrap();
        assert!(!other.verifies_command(signature.as_bytes(), b"pause"));
        assert!(!key().verifies_command(signature.as_bytes(), b"paused"));
        assert!(!key().verifies_report(signature.as_bytes(), "pause"));
    }

    #[test]
    fn a_key_shows_nothing_of_itself() {
        assert_eq!(format!("{:?}", key()), "SigningKey");
    }
}
