//! What the schema asks of a value, besides its kind.

use ::config::{Value, ValueKind};
use serde_json::Value as Json;

use super::key::Key;
use super::schema;
use super::value::{is_unset, texts};
use crate::address::{self, AmqpUri};
use crate::arn;
use crate::limits::LONGEST_SHORT;
use crate::nearest::did_you_mean;

/// What is wrong with a value, as the end of a sentence, and what to do about it.
pub(super) type Broken = (String, String);

/// Every rule that the value of a key breaks.
pub(super) fn broken(key: &Key, value: &Value) -> Vec<Broken> {
    let Some(node) = schema::node(key) else {
        return Vec::new();
    };
    let format = schema::format(key);
    // An empty text is an unset one, except for a name.
    let is_asked = !is_unset(value) || matches!(format, Some("name" | "queue"));
    let texts = if is_asked { texts(value) } else { Vec::new() };
    let by_format = format.into_iter().flat_map(|format| {
        let entries = texts.iter().enumerate();
        entries.filter_map(move |(index, text)| {
            let (wrong, remedy) = checked(format, text).err()?;
            let is_of_many = format == "amqp-uri" && matches!(value.kind, ValueKind::Array(_));
            let entry =
                if is_of_many { format!("in its entry {}, ", index + 1) } else { String::new() };
            Some((entry + wrong.as_str(), remedy.to_owned()))
        })
    });
    range(node, value).into_iter().chain(word(node, &texts)).chain(by_format).collect()
}

fn range(node: &Json, value: &Value) -> Option<Broken> {
    let number = match value.kind {
        #[expect(clippy::cast_precision_loss, reason = "no limit is as large as that")]
        ValueKind::I64(whole) => whole as f64,
        ValueKind::Float(number) => number,
        _ => return None,
    };
    let (least, most) = (&node["minimum"], &node["maximum"]);
    let range = least.as_f64()?..=most.as_f64()?;
    let why = node["$comment"].as_str().unwrap_or_default();
    (!range.contains(&number)).then(|| {
        (format!("must be from {least} to {most}: {why}"), "give a number in that range".to_owned())
    })
}

fn word(node: &Json, texts: &[&str]) -> Option<Broken> {
    let (words, text) = (schema::words(node)?, texts.first()?);
    let wrong = format!("must be one of {}", words.join(", "));
    (!words.contains(text)).then(|| (wrong, did_you_mean(text, &words)))
}

/// Checks a text by a `format` of the schema, and gives it as the program has it.
pub(super) fn checked(format: &str, text: &str) -> Result<String, (String, &'static str)> {
    let wrong = |wrong: &str, remedy| Err((wrong.to_owned(), remedy));
    let refused = |(it, remedy): (&str, &'static str)| wrong(it, remedy);
    match format {
        "name" => address::check_amqp_name(text).map(|()| text.to_owned()).or_else(refused),
        "queue" => address::check_queue_name(text).map(|()| text.to_owned()).or_else(refused),
        "routing-key" if text.len() > LONGEST_SHORT => {
            wrong("has a routing key of more than 255 bytes, which is AMQP's limit", "shorten it")
        }
        "host-name" if text.is_empty() || text.contains([':', '/', '*', ' ']) => wrong(
            "has an entry that is no host name",
            "give names alone, without scheme, port and path, such as [\"pusher.example.org\"]",
        ),
        "amqp-uri" => AmqpUri::parse(text).map(|_| text.to_owned()).or_else(|error| {
            wrong(
                error,
                "write amqp://user:password@host:port/vhost, or amqps:// for TLS, with every special character \
                 in user, password and vhost escaped: the default vhost \"/\" is %2f",
            )
        }),
        "endpoint" => address::endpoint(text).map(String::from).map_err(|error| {
            (error, "give a host, host:port or URL, such as \"sns.eu-west-1.amazonaws.com\"")
        }),
        "collector" => address::collector(text).map(String::from).map_err(|error| {
            (
                error,
                "give the collector's URL, such as \"http://127.0.0.1:4318\"; a password belongs into \
                 OTEL_EXPORTER_OTLP_HEADERS",
            )
        }),
        "address" if !address::is_host_and_port(text) => wrong(
            "is not a host and port",
            "write host:port, such as \"127.0.0.1:9464\" or \"[::1]:9464\"",
        ),
        "domain-pattern" => address::normalise_pattern(text)
            .map_err(|error| (error, "give a domain, such as \"conference.@HOST@\"")),
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
