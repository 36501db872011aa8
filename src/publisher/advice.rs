//! What an operator can do about what is held.

use super::classify::{is_denial, is_throttle, is_unreachable};
use crate::outcome::{Fault, Scope};

/// One sentence's second half. All go on by themselves once it is done.
pub(super) fn advice(fault: &Fault) -> &'static str {
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
