//! What a fault is like, beyond how far it reaches.

use super::classify::{DENIALS, THROTTLES, code_of_status};
use crate::outcome::{Fault, Scope};

/// The code of a fault in connecting.
pub(crate) const UNREACHABLE: &str = "unreachable";

/// Whether no request has left: whatever is to blame, it is not the event.
pub(crate) fn is_unreachable(fault: &Fault) -> bool {
    fault.code == UNREACHABLE
}

/// Whether a permission is missing for what was asked.
pub(crate) fn is_denial(fault: &Fault) -> bool {
    DENIALS.contains(&fault.code.as_str())
}

/// Whether SNS asks for a slower pace.
pub(crate) fn is_throttle(fault: &Fault) -> bool {
    let by_status = || fault.code == code_of_status(429);
    fault.scope == Scope::Transient && (THROTTLES.contains(&fault.code.as_str()) || by_status())
}

/// What an operator can do about it: a sentence's second half. All goes on by itself once it is done.
pub(crate) fn advice(fault: &Fault) -> &'static str {
    match (fault.scope, fault.code.as_str()) {
        _ if is_unreachable(fault) => "check sns.sns_host, and the network on the way to SNS",
        _ if is_denial(fault) => "allow sns:Publish on the topic",
        _ if is_throttle(fault) => "nothing if it passes; else ask AWS for a larger quota",
        (Scope::Service, "credentials") => {
            "see to the credentials that the SDK finds in the environment, or set sns.access_key_id"
        }
        (
            Scope::Service,
            "InvalidAction"
            | "MissingAction"
            | "MissingParameter"
            | "MalformedQueryString"
            | "InvalidQueryParameter",
        ) => "check sns.sns_host: what answers there does not speak SNS's protocol",
        (Scope::Service, "RequestExpired" | "SignatureDoesNotMatch") => {
            "check this machine's clock and sns.secret_access_key"
        }
        (Scope::Service, _) => {
            "renew the credentials in sns.access_key_id, or where the SDK finds them; restart if they are configured"
        }
        (Scope::Route, code) if code.starts_with("KMS") => {
            "check the topic's KMS key and its policy"
        }
        (Scope::Route, "EndpointDisabled" | "PlatformApplicationDisabled") => "enable the endpoint",
        (Scope::Route, _) => "create the topic, or correct its name, region and account",
        (Scope::Transient | Scope::Message, _) => {
            "nothing if it passes; else see the AWS Health Dashboard"
        }
    }
}
