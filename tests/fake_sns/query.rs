//! The Query protocol's form: split without copying, decoded only where somebody looks.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// SNS takes ten; more are only counted to be refused.
const MAX_MEMBER: usize = 100;

/// A request as rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `Publish`, `PublishBatch` or `GetTopicAttributes`.
    pub action: String,
    pub topic: String,
    pub entries: Vec<Message>,
}

/// A message as a subscriber would get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    /// The number of the request that brought it, from 1: what shared a batch shares it.
    pub request: u64,
    pub body: String,
    pub group: Option<String>,
    pub dedup_id: Option<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribute {
    pub data_type: String,
    /// Text; of a binary attribute its base64.
    pub value: String,
}

/// A form, split into its fields.
#[derive(Default)]
pub(super) struct Form<'a> {
    pub action: &'a [u8],
    pub topic: &'a [u8],
    pub entries: Vec<Entry<'a>>,
}

/// What one message consists of, still encoded. A single publish is one entry without id.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub id: &'a [u8],
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Form<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Self {
        let mut form = Form::default();
        for field in body.split(|&byte| byte == b'&') {
            let split = field.iter().position(|&byte| byte == b'=').unwrap_or(field.len());
            let (key, value) = (&field[..split], field.get(split + 1..).unwrap_or_default());
            match key {
                b"Action" => form.action = value,
                b"TopicArn" => form.topic = value,
                // The latter, bare, is how an empty list is sent.
                b"Version" | b"PublishBatchRequestEntries" => {}
                key => match member(key) {
                    Some((number, b"Id")) => form.entry(number).id = value,
                    Some((number, key)) => form.entry(number).fields.push((key, value)),
                    None => form.entry(1).fields.push((key, value)),
                },
            }
        }
        form
    }

    fn entry(&mut self, number: usize) -> &mut Entry<'a> {
        if self.entries.len() < number {
            self.entries.resize_with(number, Entry::default);
        }
        &mut self.entries[number - 1]
    }

    pub(super) fn decode(&self, request: u64) -> Request {
        let topic = decode(self.topic).into_owned();
        Request {
            action: decode(self.action).into_owned(),
            entries: self.entries.iter().map(|entry| entry.decode(&topic, request)).collect(),
            topic,
        }
    }
}

impl Entry<'_> {
    pub(super) fn decode(&self, topic: &str, request: u64) -> Message {
        let text = |name: &[u8]| self.field(name).map(|value| decode(value).into_owned());
        Message {
            topic: topic.to_owned(),
            request,
            body: text(b"Message").unwrap_or_default(),
            group: text(b"MessageGroupId"),
            dedup_id: text(b"MessageDeduplicationId"),
            attributes: self.attributes(),
        }
    }

    pub(super) fn field(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// What counts against the limit: the body and all of the attributes.
    pub(super) fn bytes(&self) -> usize {
        let counted = |key: &[u8]| key == b"Message" || key.starts_with(b"MessageAttributes.");
        let fields = self.fields.iter().filter(|(key, _)| counted(key));
        fields
            .map(|(key, value)| {
                let length = decoded_len(value);
                if key.ends_with(b".BinaryValue") { length / 4 * 3 } else { length }
            })
            .sum()
    }

    fn attributes(&self) -> BTreeMap<String, Attribute> {
        let mut numbered: BTreeMap<&[u8], (String, Attribute)> = BTreeMap::new();
        for (key, value) in &self.fields {
            let Some(rest) = key.strip_prefix(b"MessageAttributes.entry.") else { continue };
            let Some(dot) = rest.iter().position(|&byte| byte == b'.') else { continue };
            let (name, attribute) = numbered.entry(&rest[..dot]).or_default();
            let text = decode(value).into_owned();
            match &rest[dot + 1..] {
                b"Name" => *name = text,
                b"Value.DataType" => attribute.data_type = text,
                _ => attribute.value = text,
            }
        }
        numbered.into_values().collect()
    }
}

/// Splits `PublishBatchRequestEntries.member.7.Message` into 7 and `Message`.
fn member(key: &[u8]) -> Option<(usize, &[u8])> {
    let rest = key.strip_prefix(b"PublishBatchRequestEntries.member.")?;
    let dot = rest.iter().position(|&byte| byte == b'.')?;
    let number = str::from_utf8(&rest[..dot]).ok()?.parse().ok()?;
    (1..=MAX_MEMBER).contains(&number).then_some((number, &rest[dot + 1..]))
}

fn decoded_len(value: &[u8]) -> usize {
    let escapes: usize = value.iter().map(|&byte| usize::from(byte == b'%')).sum();
    value.len() - 2 * escapes
}

pub(super) fn decode(value: &[u8]) -> Cow<'_, str> {
    if !value.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return String::from_utf8_lossy(value);
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                decoded.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// A client that sends no hexadecimal digit here gets nonsense back.
fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok()).unwrap_or_default()
}
