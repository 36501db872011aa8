//! Message attributes.

mod rules;

pub(crate) use self::rules::is_xml_char;
use self::rules::{name_fault, number_fault};

/// SNS takes more, but an SQS queue with raw delivery discards a message that has them.
const DELIVERED_RAW: usize = 10;

/// How many characters of a refused name an error shows.
const SHOWN_NAME: usize = 64;

/// The attributes of one notification, in the order in which they were set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    entries: Vec<(String, AttributeValue)>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// A text, which SNS wants to be non-empty.
    String(String),
    /// A number as decimal text, `-12.5` or `1e9`: up to 38 digits, below 10^126, and zero or
    /// no smaller than 10^-128.
    Number(String),
    /// Bytes, which SNS wants to be non-empty.
    Binary(Vec<u8>),
}

impl Attributes {
    /// Sets an attribute, in place of one that had this name. What SNS would refuse makes the
    /// notification a dead letter.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> &mut Self {
        let (name, value) = (name.into(), value.into());
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.entries.push((name, value)),
        }
        self
    }

    /// The value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All of them, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &AttributeValue)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes that SNS counts: names, types and values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.data_type().len() + value.size()).sum()
    }

    /// Whether some subscribers would not get them, although SNS takes them.
    #[must_use]
    pub const fn are_too_many_for_raw_delivery(&self) -> bool {
        self.len() > DELIVERED_RAW
    }

    /// Whether one more would be too many for that.
    #[must_use]
    pub const fn fill_raw_delivery(&self) -> bool {
        self.len() >= DELIVERED_RAW
    }

    /// The first of those whose text has a tab or a line break. SNS takes them, and then passes the message to no subscription
    /// that has a filter policy. Source: aws-sdk-java-v2 issue 5828; SNS counts such messages as
    /// `NumberOfNotificationsFilteredOut-InvalidAttributes`.
    #[must_use]
    pub fn invalid_for_filters(&self) -> Option<&str> {
        let is_invalid = |value: &AttributeValue| match value {
            AttributeValue::String(text) => text.contains(['\t', '\n', '\r']),
            AttributeValue::Number(_) | AttributeValue::Binary(_) => false,
        };
        self.iter().find(|(_, value)| is_invalid(value)).map(|(name, _)| name)
    }

    /// What SNS takes, but does not pass on to all: each as what a plugin "gives".
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let too_many = self.are_too_many_for_raw_delivery().then(|| {
            let what =
                "SQS queues that are subscribed with raw delivery get no message with more than";
            format!("{} attributes: {what} {DELIVERED_RAW}", self.len())
        });
        let invalid = self.invalid_for_filters().map(|name| {
            let what = "subscriptions with a filter policy get no such message";
            format!("the attribute `{}` a tab or a line break: {what}", shown(name))
        });
        too_many.into_iter().chain(invalid)
    }

    /// Why SNS would refuse them, in one line that shows no value.
    pub(crate) fn fault(&self) -> Option<String> {
        self.iter().find_map(|(name, value)| {
            let fault = name_fault(name).or_else(|| value.fault())?;
            Some(format!("the plugin's attribute `{}` {fault}", shown(name)))
        })
    }
}

/// A name as it is shown, which may come from an event.
fn shown(name: &str) -> String {
    name.chars().take(SHOWN_NAME).flat_map(char::escape_debug).collect()
}

impl<N: Into<String>, V: Into<AttributeValue>> FromIterator<(N, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut attributes = Self::default();
        for (name, value) in pairs {
            attributes.set(name, value);
        }
        attributes
    }
}

impl AttributeValue {
    /// What SNS calls its type.
    #[must_use]
    pub const fn data_type(&self) -> &'static str {
        match self {
            Self::String(_) => "String",
            Self::Number(_) => "Number",
            Self::Binary(_) => "Binary",
        }
    }

    const fn size(&self) -> usize {
        match self {
            Self::String(text) | Self::Number(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        match self {
            _ if self.size() == 0 => Some("is empty, which SNS refuses"),
            Self::String(text) if !text.chars().all(is_xml_char) => {
                Some("has a character outside of XML 1.0, which SNS refuses")
            }
            Self::Number(text) => number_fault(text),
            Self::String(_) | Self::Binary(_) => None,
        }
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Vec<u8>> for AttributeValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl From<f64> for AttributeValue {
    /// NaN, the infinities and what is out of range are kept as they are and refused with the
    /// other bad numbers.
    fn from(number: f64) -> Self {
        let plain = number == 0.0 || (1e-6..1e15).contains(&number.abs());
        Self::Number(if plain { number.to_string() } else { format!("{number:e}") })
    }
}

macro_rules! from_integers {
    ($($integer:ty),+) => {$(
        impl From<$integer> for AttributeValue {
            fn from(number: $integer) -> Self {
                Self::Number(number.to_string())
            }
        }
    )+};
}

from_integers!(i32, u32, i64, u64);
