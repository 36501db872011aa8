//! The arguments of `try`.

use std::path::PathBuf;

use clap::Args;

use crate::event::Format;

/// Exit statuses, for its help.
pub(super) const HELP: &str = "\
Blank lines, and lines that begin with #, are passed over. A policy's unit test is a file
of events, and what was shown of them once:

  event-pusher-sns try events.jsonl --json > expected.jsonl
  event-pusher-sns try events.jsonl --expect expected.jsonl

Exit status: 0 all as expected, or, without --expect, no event would be dead-lettered;
1 otherwise, or nothing was tried; 2 wrong arguments; 78 invalid configuration.";

#[derive(Debug, Clone, Args)]
pub(crate) struct TryArguments {
    /// A file of events, one on each line; or a folder of files, each of which is one event, on as
    /// many lines as it likes; `-`, or nothing: standard input
    #[arg(value_name = "FILE|FOLDER")]
    pub samples: Option<PathBuf>,
    /// One JSON object on each line, for machines and for --expect
    #[arg(long)]
    pub json: bool,
    /// Compare with what this file expects: a JSON object on each line, as --json writes them
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// As a worker takes them from this source: by its format, and from its exchange. Needed where
    /// there are several
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Read them as this instead: auto, native, mongooseim, mongooseim-chat, mongooseim-groupchat, xmpp
    /// or cloudevents
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: Option<Format>,
    /// The exchange that they are published to
    #[arg(long, value_name = "NAME")]
    pub exchange: Option<String>,
    /// The routing key that they are published with
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    pub routing_key: String,
    /// The AMQP property
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// An AMQP header; may be given more than once
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
}

fn format(text: &str) -> Result<Format, String> {
    Format::named(text).ok_or_else(|| {
        let names: Vec<_> = Format::NAMED.iter().map(|(name, _)| *name).collect();
        format!("give one of {}", names.join(", "))
    })
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give a name and a value, such as cloudEvents_id=42".to_owned()),
    }
}
