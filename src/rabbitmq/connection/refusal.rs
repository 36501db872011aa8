//! Describes errors of RabbitMQ and of the network for the operator.

use std::io;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

use crate::config::Tls;
use crate::limits::LONGEST_SAID;
use crate::outcome::SourceError;
use crate::untrusted::one_line;

/// What is said of a consumer that has held a delivery for too long: a channel that is closed, up to RabbitMQ 4.2, or a consumer that is
/// cancelled.
pub(in crate::rabbitmq) const HELD_TOO_LONG: &str = "a delivery was held for longer than the broker's consumer timeout; set outage.hand_back_after_s \
     below that, or raise consumer_timeout in the broker's configuration";

/// The error, worded by `reword`.
pub(in crate::rabbitmq) fn refused(
    error: &lapin::Error,
    reword: impl FnOnce(String) -> String,
) -> SourceError {
    let said = reword(explain(error));
    match soft_error(error) {
        Some(AMQPSoftError::NOTFOUND) => SourceError::NotFound(said),
        Some(AMQPSoftError::ACCESSREFUSED) => SourceError::AccessRefused(said),
        Some(AMQPSoftError::RESOURCELOCKED) => SourceError::ResourceLocked(said),
        Some(AMQPSoftError::PRECONDITIONFAILED) => SourceError::PreconditionFailed(said),
        _ => SourceError::Failed(said),
    }
}

/// The broker's reason for closing a channel, if that is what it did.
pub(in crate::rabbitmq) fn soft_error(error: &lapin::Error) -> Option<&AMQPSoftError> {
    let ErrorKind::ProtocolError(said) = error.kind() else { return None };
    match said.kind() {
        AMQPErrorKind::Soft(kind) => Some(kind),
        AMQPErrorKind::Hard(_) => None,
    }
}

/// The error in one line, with what to do where that is known.
pub(in crate::rabbitmq) fn explain(error: &lapin::Error) -> String {
    let said = said(error);
    let remedy = match said.as_str() {
        s if s.starts_with("ACCESS_REFUSED - Login") => "check user and password in amqp.uri",
        s if s.starts_with("ACCESS_REFUSED") && s.contains("in exclusive use") => {
            "another consumer has the queue for itself alone; end that one, or let it consume without `exclusive`"
        }
        s if s.starts_with("ACCESS_REFUSED") => {
            "give the user of amqp.uri the permission that is missing, which `check` names (`rabbitmqctl set_permissions`)"
        }
        s if s.starts_with("RESOURCE_LOCKED") => {
            "another connection has this queue for itself alone: it is exclusive, and RabbitMQ deletes it when that connection \
             ends. Configure another name, or end that connection and create the queue without `exclusive`"
        }
        s if s.contains("vhost") && s.starts_with("NOT_ALLOWED") => {
            "check the virtual host in amqp.uri, and the user's permission for it; the default one \
             is written %2f"
        }
        s if s.contains("delivery acknowledgement on channel") => HELD_TOO_LONG,
        // COMMAND_INVALID, which closes the connection, or PRECONDITION_FAILED from RabbitMQ 4 on.
        s if s.contains("unknown exchange type 'x-consistent-hash'") => {
            "enable the plugin on every node of RabbitMQ: `rabbitmq-plugins enable rabbitmq_consistent_hash_exchange`; or set \
             partitions = 0"
        }
        _ => return said,
    };
    format!("{said} ({remedy})")
}

/// As [`explain`], for an error before the broker has taken the connection.
pub(in crate::rabbitmq) fn explain_connecting(
    error: &lapin::Error,
    tls: &Tls,
    by_tls: bool,
) -> String {
    let said = said(error);
    let remedy = match said.as_str() {
        s if s.contains("Connection refused") => "check that RabbitMQ is running and listens on this host and port".to_owned(),
        s if s.contains("failed to lookup address") => "check the host in amqp.uri".to_owned(),
        s if s.contains("UnknownIssuer") => unknown_authority(tls),
        s if s.contains("not valid for name") => {
            "use a host name in amqp.uri that the broker's certificate is valid for".to_owned()
        }
        s if s.contains("invalid peer certificate") => {
            "the broker's certificate is not valid: replace it".to_owned()
        }
        s if s.contains("CertificateRequired") || s.contains("HandshakeFailure") => {
            client_certificate(tls).to_owned()
        }
        s if s.contains("received fatal alert") => {
            "the broker does not accept the certificate in amqp.cert_file: check that it is valid and signed by an authority that the broker trusts".to_owned()
        }
        s if s.contains("received corrupt message") => {
            "this port does not speak TLS; use the port for TLS, usually 5671, or write amqp:// instead of amqps://"
                .to_owned()
        }
        _ if hung_up(error) && !by_tls => "if this is the port for TLS, write amqps:// instead of amqp://".to_owned(),
        // The reason may have been on its way when the connection was reset.
        _ if hung_up(error) && tls.cert_file.is_none() => {
            "if the broker asks for a client certificate, set amqp.cert_file and amqp.key_file"
                .to_owned()
        }
        _ => return explain(error),
    };
    format!("{said} ({remedy})")
}

fn unknown_authority(tls: &Tls) -> String {
    match &tls.ca_file {
        Some(file) => format!(
            "the authority that signed the broker's certificate is not in amqp.ca_file, {}; add its certificate",
            file.display()
        ),
        None => {
            "the system does not trust the authority that signed the broker's certificate; put the \
                 authority's certificate into amqp.ca_file"
                .to_owned()
        }
    }
}

/// TLS 1.2 does not tell one from the other.
fn client_certificate(tls: &Tls) -> &'static str {
    if tls.cert_file.is_none() {
        "the broker asks for a client certificate; set amqp.cert_file and amqp.key_file"
    } else {
        "the broker does not accept the certificate in amqp.cert_file: check that it is valid and signed by an authority that the broker trusts"
    }
}

/// Without a word that could be understood.
fn hung_up(error: &lapin::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        ErrorKind::IOError(io) => {
            matches!(io.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof)
        }
        ErrorKind::ParsingError(_) => true,
        _ => false,
    }
}

/// The broker's words, or the network's: they are not ours, so in one visible line.
fn said(error: &lapin::Error) -> String {
    one_line(&describe(error), LONGEST_SAID)
}

fn describe(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::IOError(io) => io.to_string(),
        ErrorKind::ProtocolError(refusal) => refusal.get_message().to_string(),
        ErrorKind::MissingHeartbeatError => "the broker has sent no heartbeat in time".to_owned(),
        ErrorKind::ParsingError(_) => "what answers does not speak AMQP 0-9-1".to_owned(),
        ErrorKind::InvalidProtocolVersion(version) => {
            format!("the broker speaks AMQP {version}, and not AMQP 0-9-1")
        }
        ErrorKind::InvalidConnectionState(_) => "the connection is closed".to_owned(),
        ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidChannel(_) => {
            "the channel is closed".to_owned()
        }
        ErrorKind::ChannelsLimitReached => "the broker allows no more channels".to_owned(),
        ErrorKind::SerialisationError(_) => {
            "the message does not fit into AMQP's frames".to_owned()
        }
        ErrorKind::AuthProviderError(_) => "the login failed".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_librarys_types_is_in_a_message() {
        use lapin::ChannelState;
        for (kind, words) in [
            (ErrorKind::ChannelsLimitReached, "allows no more channels"),
            (ErrorKind::InvalidChannel(7), "the channel is closed"),
            (
                ErrorKind::InvalidChannelState(ChannelState::Closed, "publish"),
                "the channel is closed",
            ),
            (
                ErrorKind::InvalidConnectionState(lapin::ConnectionState::Closed),
                "connection is closed",
            ),
            (ErrorKind::MissingHeartbeatError, "no heartbeat in time"),
        ] {
            let said = explain(&kind.into());
            assert!(said.contains(words), "{said}");
            assert!(!said.contains("Closed") && !said.contains("Invalid"), "{said}");
        }
    }
}
