//! Classifies errors of SNS: by message, topic or service, temporary or throttling.
//!
//! By error code, not by the SDK's own list of what to retry, which lacks
//! `KMSThrottling` and a bare 429; and by code before HTTP status, since a throttle can
//! come as a 400. Codes: SNS API reference, "Publish" and "Common errors".

use crate::outcome::{Fault, Scope};

/// A permission is missing for what was asked.
pub(crate) const DENIALS: [&str; 3] =
    ["AuthorizationError", "AccessDenied", "AccessDeniedException"];

/// SNS asks for a slower pace.
pub(crate) const THROTTLES: [&str; 10] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "Throttled",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "KMSThrottling",
    "KMSThrottlingException",
];

/// The scope of an error that SNS answered.
///
/// `code` is empty where the answer had none, `detail` is SNS's own message, without what it quotes of an event:
/// else who writes an event that names `TopicArn` could have its topic held.
pub(crate) fn scope_of(code: &str, status: u16, detail: &str) -> Scope {
    known_scope(code, detail).unwrap_or_else(|| scope_of_status(status, code.is_empty()))
}

/// The scope of an error of one entry in a batch whose others may have been accepted.
pub(crate) fn scope_of_entry(code: &str, sender_fault: bool, detail: &str) -> Scope {
    let unknown = if sender_fault { Scope::Message } else { Scope::Transient };
    known_scope(code, detail).unwrap_or(unknown)
}

/// Whether it is one of SNS's own codes.
pub(crate) fn is_known(code: &str) -> bool {
    known_scope(code, "").is_some()
}

fn known_scope(code: &str, detail: &str) -> Option<Scope> {
    Some(match code {
        // An ARN that SNS can't use is the topic's fault: every event of it would fail alike.
        "InvalidParameter" | "InvalidParameterValue" if detail.contains("TopicArn") => Scope::Route,

        "InvalidParameter"
        | "InvalidParameterValue"
        | "ParameterValueInvalid"
        | "InvalidParameterCombination"
        | "ValidationError"
        | "ValidationException"
        // Of a batch as a whole; it is split until the one entry is found.
        | "BatchRequestTooLong"
        | "BatchEntryIdsNotDistinct"
        | "InvalidBatchEntryId"
        | "TooManyEntriesInBatchRequest" => Scope::Message,

        code if DENIALS.contains(&code) => Scope::Route,

        "NotFound"
        | "ResourceNotFoundException"
        | "EndpointDisabled"
        | "PlatformApplicationDisabled"
        | "KMSAccessDenied"
        | "KMSDisabled"
        | "KMSInvalidState"
        | "KMSNotFound"
        | "KMSOptInRequired" => Scope::Route,

        // Credentials and clocks: nothing gets through until somebody mends them.
        // So is an endpoint that does not speak SNS's protocol.
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidSecurity"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "UnrecognizedClientException"
        | "NotAuthorized"
        | "OptInRequired"
        | "InvalidAction"
        | "MissingAction"
        | "MissingParameter"
        | "MalformedQueryString"
        | "InvalidQueryParameter" => Scope::Service,

        "InternalError"
        | "InternalFailure"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "ServiceUnavailable" => Scope::Transient,

        code if THROTTLES.contains(&code) => Scope::Transient,

        _ => return None,
    })
}

fn scope_of_status(status: u16, without_code: bool) -> Scope {
    match status {
        // A refusal without SNS's code is not SNS speaking: a proxy, a firewall that dislikes a text.
        400..=499 if without_code => Scope::Transient,
        401 | 403 => Scope::Service,
        404 => Scope::Route,
        408 | 425 | 429 => Scope::Transient,
        400..=499 => Scope::Message,
        _ => Scope::Transient,
    }
}

/// What stands for the code of a refusal that has none.
pub(crate) fn code_of_status(status: u16) -> String {
    format!("HTTP {status}")
}

/// Whether a batch that was refused as a whole may get through without one of its entries: SNS
/// says so, or something in between dislikes its size or what one of them says.
pub(crate) fn may_be_for_one_entry(whole: &Fault) -> bool {
    whole.scope == Scope::Message
        || [400, 403, 413, 422].into_iter().any(|status| whole.code == code_of_status(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_before_the_status() {
        assert_eq!(scope_of("Throttling", 400, ""), Scope::Transient);
        assert_eq!(scope_of("KMSThrottling", 400, ""), Scope::Transient);
        assert_eq!(scope_of("InvalidParameter", 500, ""), Scope::Message);
        assert_eq!(scope_of("ExpiredToken", 400, ""), Scope::Service);
        assert_eq!(scope_of("NotFound", 404, ""), Scope::Route);
    }

    #[test]
    fn an_unknown_code_is_judged_by_its_status() {
        for (status, scope) in [
            (400, Scope::Message),
            (403, Scope::Service),
            (404, Scope::Route),
            (408, Scope::Transient),
            (429, Scope::Transient),
            (500, Scope::Transient),
            (503, Scope::Transient),
        ] {
            assert_eq!(scope_of("Novel", status, ""), scope, "status {status}");
        }
    }

    #[test]
    fn an_answer_without_a_code_never_dead_letters_by_itself() {
        for status in 200..600 {
            assert_ne!(scope_of("", status, ""), Scope::Message, "status {status}");
        }
    }

    #[test]
    fn a_batch_is_split_where_one_entry_may_be_the_reason() {
        let of_whole = |code: &str, status| Fault {
            scope: scope_of(code, status, ""),
            code: if code.is_empty() { code_of_status(status) } else { code.to_owned() },
            detail: String::new(),
        };
        for (code, status) in [
            ("BatchRequestTooLong", 400),
            ("InvalidParameter", 400),
            ("Novel", 413),
            ("", 413),
            ("", 403),
        ] {
            assert!(may_be_for_one_entry(&of_whole(code, status)), "{code} {status}");
        }
        for (code, status) in [
            ("Throttling", 400),
            ("ExpiredToken", 403),
            ("NotFound", 404),
            ("", 404),
            ("", 429),
            ("", 503),
        ] {
            assert!(!may_be_for_one_entry(&of_whole(code, status)), "{code} {status}");
        }
    }

    #[test]
    fn a_bad_topic_arn_is_the_topics_fault() {
        let detail = "Invalid parameter: TopicArn Reason: no such region";
        assert_eq!(scope_of("InvalidParameter", 400, detail), Scope::Route);
    }
}
