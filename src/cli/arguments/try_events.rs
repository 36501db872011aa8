//! The arguments of `try`.

use std::path::PathBuf;

use clap::Args;

use crate::event::Format;

/// Exit statuses, for its help.
pub(super) const HELP: &str = "\
Blank lines and lines that begin with # are ignored. To test a policy, keep a file of events and the
output that is expected for them:

  event-pusher-sns try events.jsonl --json > expected.jsonl
  event-pusher-sns try events.jsonl --expect expected.jsonl

Exit status: 0 all events are as expected or, without --expect, no event would be dead-lettered;
1 otherwise, or there was no event; 2 wrong arguments; 78 invalid configuration; 141 the reader of the
output ended before all events were tried, as in `| head` (a shell shows this for SIGPIPE).";

#[derive(Debug, Clone, Args)]
pub(crate) struct TryArguments {
    /// A file with one event per line, or a folder of files with one event each, which may have several
    /// lines; `-` or no argument: standard input
    #[arg(value_name = "FILE|FOLDER")]
    pub samples: Option<PathBuf>,
    /// Print one JSON object per event and line; --expect reads this format
    #[arg(long)]
    pub json: bool,
    /// Compare the results with this file, which has one JSON object per line, as --json prints them
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Read the events as a worker reads events of this source: in its format, and as published to its
    /// exchange. Required if there are several sources
    #[arg(long, value_name = "NAME", value_parser = super::some_text)]
    pub source: Option<String>,
    /// Read the events in this format instead: auto, native, mongooseim, mongooseim-chat,
    /// mongooseim-groupchat, xmpp or cloudevents
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: Option<Format>,
    /// The exchange that the events are published to
    #[arg(long, value_name = "NAME")]
    pub exchange: Option<String>,
    /// The routing key that the events are published with
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    pub routing_key: String,
    /// The content type, an AMQP property
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// An AMQP header; the option may be given more than once
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
