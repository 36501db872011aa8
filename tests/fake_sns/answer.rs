//! The answers, in SNS's XML.

use std::borrow::Cow;
use std::fmt::Write;

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// How one entry of a batch ended.
pub(super) enum Verdict {
    Accepted,
    Failed { code: &'static str, message: Cow<'static, str>, sender_fault: bool },
    Omitted,
    Renamed,
    WithoutMessageId,
    Doubled,
    Contradicted,
}

impl Verdict {
    /// Whether subscribers get it, whatever is answered.
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted | Self::Doubled | Self::Contradicted)
    }
}

/// A whole HTTP answer.
pub(super) fn http(status: u16, body: &str) -> Vec<u8> {
    let reason = if status == 200 { "OK" } else { "Refused" };
    let mut answer = String::with_capacity(body.len() + 128);
    let _ = write!(
        answer,
        "HTTP/1.1 {status} {reason}\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    answer.into_bytes()
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Vec<u8> {
    let side = if status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{side}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>fake</RequestId></ErrorResponse>"
    );
    http(status, &body)
}

/// What SNS says to a publish that it took.
pub(super) fn publish(request: u64) -> Vec<u8> {
    let mut result = String::with_capacity(64);
    message_id(&mut result, request, 0);
    success("Publish", &result)
}

/// The same without saying which message it is.
pub(super) fn publish_without_id() -> Vec<u8> {
    success("Publish", "")
}

/// The same with an id that is none.
pub(super) fn publish_with_empty_id() -> Vec<u8> {
    success("Publish", "<MessageId></MessageId>")
}

/// What SNS says to a batch of these ids.
pub(super) fn publish_batch<'a>(
    verdicts: impl Iterator<Item = (&'a [u8], &'a Verdict)>,
    request: u64,
) -> Vec<u8> {
    let (mut successful, mut failed) = (String::with_capacity(1024), String::new());
    for (number, (id, verdict)) in verdicts.enumerate() {
        // An id is checked to be of harmless ASCII before anything is accepted.
        let id = str::from_utf8(id).unwrap_or_default();
        match verdict {
            Verdict::Accepted => member(&mut successful, id, request, number),
            Verdict::Renamed => member(&mut successful, "nobody-sent-this", request, number),
            Verdict::Omitted => {}
            Verdict::WithoutMessageId => {
                let _ = write!(successful, "<member><Id>{id}</Id><MessageId></MessageId></member>");
            }
            Verdict::Doubled => {
                member(&mut successful, id, request, number);
                member(&mut successful, id, request, number);
            }
            Verdict::Contradicted => {
                member(&mut successful, id, request, number);
                failure(&mut failed, id, "InternalError", "asked for", false);
            }
            Verdict::Failed { code, message, sender_fault } => {
                failure(&mut failed, id, code, message, *sender_fault);
            }
        }
    }
    let result = format!("<Successful>{successful}</Successful><Failed>{failed}</Failed>");
    success("PublishBatch", &result)
}

pub(super) fn topic_attributes(topic: &str) -> Vec<u8> {
    let result = format!(
        "<Attributes><entry><key>TopicArn</key><value>{topic}</value></entry></Attributes>"
    );
    success("GetTopicAttributes", &result)
}

fn success(action: &str, result: &str) -> Vec<u8> {
    let body = format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>fake</RequestId></ResponseMetadata></{action}Response>"
    );
    http(200, &body)
}

fn member(to: &mut String, id: &str, request: u64, number: usize) {
    to.push_str("<member><Id>");
    to.push_str(id);
    to.push_str("</Id>");
    message_id(to, request, number);
    to.push_str("</member>");
}

fn failure(to: &mut String, id: &str, code: &str, message: &str, sender_fault: bool) {
    let _ = write!(
        to,
        "<member><Id>{id}</Id><Code>{code}</Code><Message>{message}</Message>\
         <SenderFault>{sender_fault}</SenderFault></member>"
    );
}

/// Unique, and one can see who shared a request.
fn message_id(to: &mut String, request: u64, number: usize) {
    let _ = write!(to, "<MessageId>{request:08x}-0000-4000-8000-{number:012x}</MessageId>");
}
