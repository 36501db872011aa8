//! SNS's error codes and messages, without the confidential parts of the request.
//!
//! Codes and messages are untrusted: a proxy may write them, and SNS quotes events in them.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::base64;

use super::entry_results::EntryResults;
use super::masked::masked;
use super::response::{BatchResultEntry, Failure, SnsResponse};
use crate::limits::{EXPLANATION_READ, LONGEST_CODE, LONGEST_SAID};
use crate::outcome::Fault;
use crate::plugin::AttributeValue;
use crate::publish::classify::{code_of_status, is_known, scope_of, scope_of_entry};
use crate::route::Notification;
use crate::untrusted::one_line;

/// Stands for a code that is none, of an entry.
const NO_CODE: &str = "unreadable";

/// What a request held that must not be shown.
#[derive(Debug)]
pub(super) struct Confidential<'a> {
    pub(super) events: &'a [&'a Notification],
    pub(super) signed_with: Identity,
}

impl Confidential<'_> {
    /// Shows all of it, part by part.
    fn each(&self, see: &mut dyn FnMut(&str)) {
        if let Some(keys) = self.signed_with.data::<Credentials>() {
            let session = keys.session_token();
            let keys = [Some(keys.access_key_id()), Some(keys.secret_access_key()), session];
            keys.into_iter().flatten().for_each(&mut *see);
        }
        for event in self.events {
            see(&event.body);
            for (name, value) in event.attributes.iter() {
                see(name);
                match value {
                    AttributeValue::String(text) | AttributeValue::Number(text) => see(text),
                    AttributeValue::Binary(bytes) => {
                        see(&base64::encode(bytes));
                        see(&String::from_utf8_lossy(bytes));
                    }
                }
            }
            event.dedup_id.as_deref().into_iter().for_each(&mut *see);
            event.group.iter().for_each(|group| see(group.as_str()));
        }
    }

    /// Codes and explanations, as far as they may be shown. A code that may not is empty.
    fn shown<'s>(&self, said: impl Iterator<Item = (&'s str, &'s str)>) -> Vec<(String, String)> {
        let said: Vec<_> = said.map(|(code, text)| (plain_code(code), beginning(text))).collect();
        // SNS's own codes tell nothing of an event; any other is looked for as what is quoted is.
        let codes = said.iter().map(|(code, _)| match *code {
            code if is_known(code) => String::new(),
            code => format!("'{code}'"),
        });
        let codes: Vec<_> = codes.collect();
        let texts = said.iter().map(|(_, text)| *text).chain(codes.iter().map(String::as_str));
        let mut shown = masked(&texts.collect::<Vec<_>>(), |see| self.each(see));
        let shown_codes = shown.split_off(said.len());
        let codes = said.iter().zip(codes.iter().zip(shown_codes));
        let codes = codes.map(
            |((code, _), (asked, shown))| {
                if *asked == shown { (*code).to_owned() } else { String::new() }
            },
        );
        codes.zip(shown.iter().map(|text| one_line(text, LONGEST_SAID))).collect()
    }
}

/// The code, or nothing if it is none.
fn plain_code(code: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if code.len() <= LONGEST_CODE && code.bytes().all(is_plain) { code } else { "" }
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(EXPLANATION_READ)]
}

/// What a refusal of a whole request means.
pub(super) fn refusal(status: u16, answer: SnsResponse, confidential: &Confidential<'_>) -> Fault {
    let (said, detail) = (answer.code.unwrap_or_default(), answer.message.unwrap_or_default());
    let mut shown = confidential.shown([(&*said, &*detail)].into_iter());
    let (code, detail) = shown.pop().unwrap_or_default();
    Fault {
        // The code as it came decides, for it is of few letters; it is only not shown.
        scope: scope_of(plain_code(&said), status, &detail),
        detail,
        code: if code.is_empty() { code_of_status(status) } else { code },
    }
}

/// HTTP 200 can carry failed entries.
pub(super) fn entry_results(
    entries: Vec<BatchResultEntry>,
    asked: usize,
    confidential: &Confidential<'_>,
) -> EntryResults {
    let failures = entries.iter().filter_map(|it| it.failure.as_ref());
    let mut shown = Vec::new();
    if failures.clone().next().is_some() {
        shown = confidential.shown(failures.map(|it| (&*it.code, &*it.message)));
    }
    let mut shown = shown.into_iter();
    let mut entry_results = EntryResults::new(asked);
    for BatchResultEntry { id, message_id, failure } in entries {
        match failure {
            None => entry_results.accepted(&id, message_id),
            Some(failure) => {
                let fault = fault_of_entry(&failure, shown.next().unwrap_or_default());
                entry_results.failed(&id, fault);
            }
        }
    }
    entry_results
}

fn fault_of_entry(failure: &Failure, (code, detail): (String, String)) -> Fault {
    Fault {
        scope: scope_of_entry(plain_code(&failure.code), failure.sender_fault, &detail),
        detail,
        code: if code.is_empty() { NO_CODE.to_owned() } else { code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::TopicArn;
    use crate::outcome::Scope;

    fn notification(body: &str) -> Notification {
        Notification {
            topic: TopicArn::parse("arn:aws:sns:eu-west-1:123456789012:pm").unwrap(),
            body: body.to_owned(),
            attributes: [(
                "user".to_owned(),
                AttributeValue::String("alice@example.org".to_owned()),
            )]
            .into_iter()
            .collect(),
            order: None,
            group: None,
            dedup_id: None,
        }
    }

    fn refused(status: u16, code: &str, message: &str, body: &str) -> Fault {
        let notification = notification(body);
        let keys = Credentials::new(
            "AKIDEXAMPLE",
            "secret/of+forty",
            Some("session-token-9".to_owned()),
            None,
            "test",
        );
        let confidential = Confidential { events: &[&notification], signed_with: keys.into() };
        let answer = SnsResponse {
            code: Some(code.to_owned()),
            message: Some(message.to_owned()),
            ..SnsResponse::default()
        };
        refusal(status, answer, &confidential)
    }

    #[test]
    fn nothing_of_an_event_or_a_key_is_in_a_fault() {
        let said = "\u{1b}[31mInvalid: 'Hi!' of alice@example.org by AKIDEXAMPLE with session-token-9\u{202e}, and secret/of+forty";
        let fault = refused(400, "InvalidParameter", said, r#"{"message":"Hi!"}"#);
        let shown = fault.to_string();
        for planted in ["Hi!", "alice", "AKID", "session-token", "forty", "\u{1b}", "\u{202e}"] {
            assert!(!shown.contains(planted), "{planted}: {shown}");
        }
        assert_eq!(fault.scope, Scope::Message);
    }

    #[test]
    fn a_code_that_is_none_or_quotes_an_event_is_left_out() {
        let longest = "C".repeat(LONGEST_CODE);
        for (code, shown) in [
            ("NotFound", "NotFound"),
            (&*longest, &*longest),
            (&*format!("{longest}C"), "HTTP 503"),
            ("Hi Bob", "HTTP 503"),
            ("\u{1b}[2J", "HTTP 503"),
            ("PlantedText", "HTTP 503"),
            ("", "HTTP 503"),
        ] {
            assert_eq!(refused(503, code, "", r#"{"message":"PlantedText"}"#).code, shown);
        }
    }

    #[test]
    fn an_event_that_names_the_topic_does_not_have_it_held() {
        let body = r#"{"message":"Look: TopicArn Reason"}"#;
        let fault =
            refused(400, "InvalidParameter", "Invalid parameter: 'Look: TopicArn Reason'", body);
        assert_eq!((fault.scope, fault.detail.contains("TopicArn")), (Scope::Message, false));
        let own = refused(
            400,
            "InvalidParameter",
            "Invalid parameter: TopicArn Reason: no such region",
            "{}",
        );
        assert_eq!(own.scope, Scope::Route);
    }

    #[test]
    fn no_more_is_read_than_the_limit_and_no_more_is_shown() {
        let fault = refused(500, "InternalError", &"word ".repeat(50_000), "{}");
        assert!(fault.detail.len() <= LONGEST_SAID + "…".len(), "{}", fault.detail.len());
        assert_eq!(beginning(&"x".repeat(EXPLANATION_READ + 1)).len(), EXPLANATION_READ);
    }
}
