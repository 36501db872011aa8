//! Properties of a fault, besides its scope.

use super::classify::{DENIALS, THROTTLES, code_of_status};
use crate::outcome::{Fault, Scope};

/// The code of a fault in connecting.
pub(crate) const UNREACHABLE: &str = "unreachable";

/// The codes of what was not even tried. SNS's have no blanks.
const PAUSED: &str = "paused by an operator";
const LAPSED: &str = "the broker is silent";

/// No attempt was made, since the topic is paused.
pub(super) fn paused() -> Fault {
    Fault { scope: Scope::Transient, code: PAUSED.to_owned(), detail: String::new() }
}

/// No attempt was made, since the broker that delivered the event is silent.
pub(super) fn lapsed() -> Fault {
    Fault { scope: Scope::Transient, code: LAPSED.to_owned(), detail: String::new() }
}

/// Whether no attempt was made: nobody's fault.
pub(super) fn is_untried(fault: &Fault) -> bool {
    [PAUSED, LAPSED].contains(&fault.code.as_str())
}

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

/// What an operator can do about a fault, wherever it is met: while a worker runs, and in `check`. Once that is done, a worker
/// publishes again by itself.
pub(crate) fn advice(fault: &Fault) -> &'static str {
    match (fault.scope, fault.code.as_str()) {
        _ if is_unreachable(fault) => {
            "check the address in sns.sns_host if it is set, and that this machine's network (DNS, firewall, proxy) reaches it, or the \
             endpoint of the region"
        }
        _ if is_denial(fault) => {
            "in the IAM console, allow sns:Publish and, for `check`, sns:GetTopicAttributes on the topic for the worker's user or role; \
             if the topic has an access policy of its own, allow it there, too"
        }
        _ if is_throttle(fault) => {
            "no action is needed if the throttling ends within minutes; if it does not, request a higher SNS publish \
             quota in the Service Quotas console"
        }
        (Scope::Service, "credentials") => {
            "give the worker AWS credentials: set sns.access_key_id and sns.secret_access_key and restart it, or provide \
             them where the AWS SDK looks (environment variables, profile, IAM role)"
        }
        (
            Scope::Service,
            "InvalidAction"
            | "MissingAction"
            | "MissingParameter"
            | "MalformedQueryString"
            | "InvalidQueryParameter",
        ) => {
            "check the address in sns.sns_host: the server there does not speak the protocol of SNS"
        }
        (
            _,
            "RequestExpired"
            | "RequestTimeTooSkewed"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException",
        ) => {
            "check the clock of this machine (NTP): AWS refuses signatures that are off by five minutes or more; if it is right, check \
             the value of sns.secret_access_key"
        }
        (_, "ExpiredToken" | "ExpiredTokenException") => {
            "the session token has expired: put a new one, with its keys, into sns.session_token, sns.access_key_id and \
             sns.secret_access_key and restart the worker, or renew it where the AWS SDK finds it (no restart is needed then)"
        }
        (Scope::Service, _) => {
            "create a new access key in the IAM console; put it into sns.access_key_id and sns.secret_access_key and \
             restart the worker, or renew it where the AWS SDK finds it (no restart is needed then)"
        }
        (Scope::Route, code) if code.starts_with("KMS") => {
            "in the KMS console, check that the topic's key is enabled and that its key policy allows the worker's user \
             or role kms:GenerateDataKey and kms:Decrypt"
        }
        (Scope::Route, "EndpointDisabled" | "PlatformApplicationDisabled") => {
            "enable the platform application or endpoint in the SNS console, under Mobile"
        }
        (Scope::Route, _) => {
            "create the topic in the SNS console, or correct its name, region or account in the worker's configuration \
             and restart the worker"
        }
        (Scope::Message, _) => "correct what the error names in the configuration",
        (Scope::Transient, _) => {
            "no action is needed if the errors end within minutes; if they do not, check this machine's network (DNS, firewall, proxy), \
             and look for an SNS incident on the AWS Health Dashboard"
        }
    }
}
