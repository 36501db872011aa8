//! The formats by which the schema of the configuration names what a text is checked for.

use std::borrow::Cow;

use super::{
    AmqpUri, AmqpUriError, check_amqp_name, check_fleet_name, check_queue_name, collector,
    endpoint, endpoint_faults, is_host_and_port, normalise_pattern,
};
use crate::arn;
use crate::limits::LONGEST_SHORT;

impl From<AmqpUriError> for TextFault {
    fn from(AmqpUriError { wrong, remedy }: AmqpUriError) -> Self {
        (wrong, remedy.into())
    }
}

/// Those of texts without blanks at the ends.
const TRIMMED: [&str; 9] = [
    "account-id",
    "address",
    "amqp-uri",
    "collector",
    "endpoint",
    "region",
    "secret",
    "token",
    "topic",
];

/// The text without blanks at its ends, where nothing else can be meant: a secret that comes from a file often ends in a
/// line break.
#[must_use]
pub fn trimmed<'a>(format: &str, text: &'a str) -> &'a str {
    if TRIMMED.contains(&format) { text.trim() } else { text }
}

/// What is wrong with a text, as the end of a sentence, and what to do.
pub type TextFault = (String, Cow<'static, str>);

/// Whether the consistent-hash exchange can hash it.
fn is_partition_key(text: &str) -> bool {
    match text.split_once(':') {
        None => matches!(text, "routing-key" | "conversation"),
        Some(("header", name)) => check_amqp_name(name).is_ok() && !name.starts_with("x-"),
        Some(("property", name)) => name == "correlation_id",
        Some(_) => false,
    }
}

const ENDPOINT: &str = "give a host, host:port or URL, such as \"sns.eu-west-1.amazonaws.com\"";

const COLLECTOR: &str = "give the collector's URL, such as \"http://127.0.0.1:4318\"; a password belongs into \
                         OTEL_EXPORTER_OTLP_HEADERS";

/// Everything that is wrong with a text by a `format` of the schema.
#[must_use]
pub fn faults(format: &str, text: &str) -> Vec<TextFault> {
    let of_endpoint = |remedy: &'static str| {
        endpoint_faults(text).into_iter().map(|wrong| (wrong, remedy.into())).collect()
    };
    match format {
        "amqp-uri" => AmqpUri::faults(text).into_iter().map(TextFault::from).collect(),
        "endpoint" => of_endpoint(ENDPOINT),
        "collector" => of_endpoint(COLLECTOR),
        _ => checked(format, text).err().into_iter().collect(),
    }
}

/// Checks a text by a `format` of the schema, and gives it as the program has it.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn checked(format: &str, text: &str) -> Result<String, TextFault> {
    let wrong = |wrong: &str, remedy: &'static str| Err((wrong.to_owned(), remedy.into()));
    let refused = |(it, remedy): (&str, &'static str)| wrong(it, remedy);
    match format {
        "name" => check_amqp_name(text).map(|()| text.to_owned()).or_else(refused),
        "queue" => check_queue_name(text).map(|()| text.to_owned()).or_else(refused),
        "fleet" => check_fleet_name(text).map(|()| text.to_owned()).or_else(refused),
        "secret" if text.contains(|it: char| it.is_control() || it.is_whitespace()) => wrong(
            "has a blank or a line break inside, which no key of AWS has",
            "give the key alone, without the rest of the file that it comes from",
        ),
        "token" if text.contains(char::is_control) => {
            wrong("has a control character inside", "make one with `openssl rand -hex 32`")
        }
        "routing-key" if text.len() > LONGEST_SHORT => {
            wrong("has a routing key of more than 255 bytes, which is AMQP's limit", "shorten it")
        }
        "partition-by" if !is_partition_key(text) => wrong(
            "is nothing by which RabbitMQ can divide events",
            "give \"routing-key\", \"header:NAME\", \"property:correlation_id\" or \"conversation\"; not the message id, which differs for \
             each event",
        ),
        "host-name" if text.is_empty() || text.contains([':', '/', '*', ' ']) => wrong(
            "has an entry that is no host name",
            "give names alone, without scheme, port and path, such as [\"pusher.example.org\"]",
        ),
        "amqp-uri" => AmqpUri::parse(text).map(|_| text.to_owned()).map_err(TextFault::from),
        "endpoint" => endpoint(text).map(String::from).map_err(|wrong| (wrong, ENDPOINT.into())),
        "collector" => collector(text).map(String::from).map_err(|wrong| (wrong, COLLECTOR.into())),
        "address" if !is_host_and_port(text) => wrong(
            "is not a host and port",
            "write host:port, such as \"127.0.0.1:9464\" or \"[::1]:9464\"",
        ),
        "domain-pattern" => normalise_pattern(text)
            .map_err(|error| (error, "give a domain, such as \"conference.@HOST@\"".into())),
        "region" if arn::check_region(text).is_err() => wrong(
            "must be lower-case letters, digits and hyphens",
            "give a region's code, such as \"eu-west-1\"",
        ),
        "account-id" if arn::check_account_id(text).is_err() => {
            wrong("must be 12 digits", "give the id of the topics' owner, leading zeros included")
        }
        _ => Ok(text.to_owned()),
    }
}
