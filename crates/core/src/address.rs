//! Addresses and names as people write them, checked and in one normal form: of brokers, services, domains, queues.
//!
//! What is wrong with one reads as the end of a sentence whose subject is the value, and does not repeat the value,
//! which may hold a password.

mod amqp_uri;
mod domain;
mod endpoint;
mod format;

pub use self::amqp_uri::{AmqpUri, AmqpUriError};
pub use self::domain::{normalise, normalise_pattern};
pub use self::endpoint::{collector, faults as endpoint_faults, parse as endpoint};
pub use self::format::{TextFault, checked, faults, trimmed};

use crate::limits::{LONGEST_FLEET, LONGEST_SHORT};
use crate::untrusted::one_line;

/// Checks the name of an exchange or a queue of AMQP 0-9-1.
///
/// # Errors
///
/// What is wrong with it, and what to do.
pub fn check_amqp_name(name: &str) -> Result<(), (&'static str, &'static str)> {
    if name.is_empty() {
        return Err(("is empty", "give a name, or leave the key out for its default"));
    }
    if name.trim() != name || name.contains(char::is_control) {
        let wrong = "has a blank at an end or a control character, such as a line break";
        return Err((wrong, "correct the name; a secret's file often ends in a line break"));
    }
    if name.len() > LONGEST_SHORT {
        return Err(("has more than 255 bytes, which is AMQP's limit for a name", "shorten it"));
    }
    Ok(())
}

/// Checks the name of a queue, of which the broker keeps some for itself.
///
/// # Errors
///
/// As in [`check_amqp_name`].
pub fn check_queue_name(name: &str) -> Result<(), (&'static str, &'static str)> {
    if name.starts_with("amq.") {
        return Err(("begins with `amq.`, which is the broker's own", "give it another name"));
    }
    check_amqp_name(name)
}

/// Checks the name of a fleet, with which names of an exchange and of queues begin.
///
/// # Errors
///
/// As in [`check_amqp_name`].
pub fn check_fleet_name(name: &str) -> Result<(), (&'static str, &'static str)> {
    if name.len() > LONGEST_FLEET {
        return Err(("has more than 100 bytes, and other names begin with it", "shorten it"));
    }
    // Commands and reports have the name as they would be shown.
    if one_line(name, LONGEST_FLEET) != name {
        return Err((
            "has an invisible character, or more than one blank between words",
            "leave that out",
        ));
    }
    check_queue_name(name)
}

/// Checks the name of a source, which is a label in metrics and a level in the names of environment variables, which are
/// read in lower case. The schema has the same rule as a pattern.
///
/// # Errors
///
/// What is wrong with it.
pub fn source_name(name: &str) -> Result<String, String> {
    let usual = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let wrong = "is not a source's name, which is lower-case letters, digits, `-` and `_`";
    let is_usual = !name.is_empty() && name.bytes().all(usual);
    is_usual.then(|| name.to_owned()).ok_or_else(|| wrong.to_owned())
}

/// Checks the name of an operator, as that of a source is checked; `admin` is the one of `admin.token`.
///
/// # Errors
///
/// What is wrong with it.
pub fn operator_name(name: &str) -> Result<String, String> {
    let is_other = name.trim_end_matches("_file") != "admin" && name != "_file";
    let wrong = "is not an operator's name, which is lower-case letters, digits, `-` and `_`, at most 50, and not `admin`";
    source_name(name)
        .ok()
        .filter(|it| is_other && it.len() <= LONGEST_OPERATOR_NAME)
        .ok_or_else(|| wrong.to_owned())
}

/// With `_file`.
const LONGEST_OPERATOR_NAME: usize = 55;

/// Whether this is a host and a port to listen on, such as `127.0.0.1:9464` or `[::1]:9464`.
#[must_use]
pub fn is_host_and_port(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').unwrap_or_default();
    let host_is_whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    !host.is_empty() && host_is_whole && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_has_a_name_with_room_for_what_follows_it() {
        assert_eq!(check_fleet_name("event-pusher"), Ok(()));
        assert_eq!(check_fleet_name(&"f".repeat(LONGEST_FLEET)), Ok(()));
        for wrong in
            ["a  b", "a\u{202e}b", "", "amq.fleet", " fleet", &"f".repeat(LONGEST_FLEET + 1)]
        {
            assert!(check_fleet_name(wrong).is_err(), "{wrong:?}");
        }
        let queue = format!("{}.fleet.{:016x}", "f".repeat(LONGEST_FLEET), 0);
        assert_eq!(check_queue_name(&queue), Ok(()));
    }
}
