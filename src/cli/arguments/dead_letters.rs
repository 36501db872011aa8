//! The arguments of `dead-letters`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jid::Jid;
use jiff::Timestamp;

use crate::dead_letters::argument_parsers::{duration, jid, kind, moment, rate};
use crate::dead_letters::{Filter, Target};
use crate::event::EventKind;
use crate::limits::LONGEST_SHORT;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DeadLetters {
    /// What is there, grouped by reason and error; takes nothing, however often it runs
    #[command(after_help = LIST_HELP)]
    List {
        /// One line for each dead letter instead of groups
        #[arg(long)]
        each: bool,
        /// For machines: one JSON object, or, with --each, one on each line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        filter: FilterArguments,
    },
    /// One dead letter, and what it would become now; changes and sends nothing
    #[command(after_help = SHOW_HELP)]
    Show {
        /// The beginning of its id, as `list --each` shows it, or its AMQP message id
        id: String,
        /// Its body too, and that of the notification
        #[arg(long)]
        body: bool,
        /// For machines: one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Send dead letters back, by default straight to the queues that they came from
    #[command(after_help = REPLAY_HELP)]
    Replay(Box<ReplayArguments>),
    /// Copy dead letters into a file, losing nothing of them; they stay in the queue
    #[command(after_help = EXPORT_HELP)]
    Export {
        /// A new file, readable by its owner only; `-`: standard output
        file: PathBuf,
        #[command(flatten)]
        filter: FilterArguments,
    },
    /// Put the dead letters of an exported file back into the queue
    ///
    /// All of the file is checked first: if a line was cut off or edited, nothing is imported. What
    /// is in the queue already is not put there twice, so an import that was interrupted is
    /// finished by another.
    #[command(after_help = IMPORT_HELP)]
    Import {
        /// What `export` wrote
        file: PathBuf,
    },
    /// Remove dead letters for good: those that a filter means, or --all
    #[command(after_help = DISCARD_HELP)]
    Discard {
        /// All of them; without it, a filter has to say which
        #[arg(
            long,
            conflicts_with = "FilterArguments",
            required_unless_present = "FilterArguments"
        )]
        all: bool,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        /// Copy them into this new file first
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        /// With --since or --until, also letters whose time of death is only claimed: RabbitMQ 3 lets producers write it
        #[arg(long)]
        claimed_times: bool,
        #[command(flatten)]
        filter: FilterArguments,
    },
}

const LIST_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters list --since 2h
  event-pusher-sns dead-letters list --each --reason too_large --user alice@example.org
  event-pusher-sns dead-letters list --each --json | jq -r .id

A time of death with (claimed) may be the event's producer's: RabbitMQ 3 keeps what an event brings.
A look puts an empty message into the queue now and then, for a moment, to measure its delivery limit.

Exit status: 0 done, also if there is nothing; 1 the queue can't be read, or not all of it.";

const SHOW_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters show 3f1c9a77e0b2
  event-pusher-sns dead-letters show 3f1c --json --body

Exit status: 0 shown; 1 none is called so, or more than one, or the queue can't be read.";

const EXPORT_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters export letters.jsonl
  event-pusher-sns dead-letters export - --reason undecodable | gzip > undecodable.jsonl.gz

Exit status: 0 done, also if none is meant; 1 the file can't be written, or the queue not be read.";

const IMPORT_HELP: &str = "\
Example:
  event-pusher-sns dead-letters import letters.jsonl

Exit status: 0 all are in the queue; 1 nothing was imported, or not all.";

const DISCARD_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters discard --reason undecodable --export undecodable.jsonl
  event-pusher-sns dead-letters discard --until 30d --yes

It asks first, with their number; a script has nobody to ask, and gives --yes.

--since and --until choose no letter whose time of death is only claimed (`list` marks those); it
says how many it left. They can be chosen by other filters, or with --claimed-times.

Exit status: 0 done, also if none is meant or the answer was no; 1 failed.";

const REPLAY_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters replay --reason retries_exhausted --dry-run
  event-pusher-sns dead-letters replay --canary 10 --rate 500/s --max-failures 100
  event-pusher-sns dead-letters replay --id 3f1c9a77e0b2

By default a letter goes straight to the queue that it came from, so that other consumers
of its exchange see nothing twice, and bindings that have changed since change nothing. It
takes exchange and routing key along in headers, and the worker goes by those.

A letter is removed only after the broker has confirmed its copy. Whatever interrupts a replay,
nothing is lost; run it again for the rest.

Exit status: 0 all were replayed, or none is meant; 1 some are left, or came back.";

/// Stands for what each letter came from; nothing else has no name.
const SOURCE: &str = "";

#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayArguments {
    /// Straight to this queue; without a name, to the queue that each came from (default)
    #[arg(long, value_name = "QUEUE", num_args = 0..=1, default_missing_value = SOURCE)]
    #[arg(value_parser = name, conflicts_with = "to_exchange")]
    pub to_queue: Option<String>,
    /// To this exchange, each under its routing key; without a name, to the exchange that each was
    /// published to
    #[arg(long, value_name = "EXCHANGE", num_args = 0..=1, default_missing_value = SOURCE)]
    #[arg(value_parser = name)]
    pub to_exchange: Option<String>,
    /// Say what would go where, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Replay so many first, and the others only if none of these comes back
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub canary: Option<u64>,
    /// How long to watch for what comes back, such as 30s or 5m. Default after a canary: as long as a
    /// worker of this configuration tries; at the end: 2s, or until all are back
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub watch: Option<Duration>,
    /// No more than so many in a second, such as 500/s
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub rate: Option<f64>,
    /// Stop when so many were refused by RabbitMQ or have come back; what the plan leaves out does not count
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_failures: Option<u64>,
    /// The report as one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub filter: FilterArguments,
}

impl ReplayArguments {
    pub(crate) fn target(&self) -> Target {
        match (self.to_queue.as_deref(), self.to_exchange.as_deref()) {
            (None | Some(SOURCE), None) => Target::SourceQueue,
            (Some(queue), _) => Target::Queue(queue.to_owned()),
            (None, Some(SOURCE)) => Target::SourceExchange,
            (None, Some(exchange)) => Target::Exchange(exchange.to_owned()),
        }
    }
}

const REASON_HELP: &str = "A worker's reason (retries_exhausted, ...), RabbitMQ's (delivery_limit, \
                           expired, ...), or unknown";

/// Which dead letters. Last among a command's arguments, since its heading is over all that follow.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Filters (all must hold; of one that is given more than once, any)")]
pub(crate) struct FilterArguments {
    #[arg(long, value_name = "REASON", help = REASON_HELP)]
    reason: Vec<String>,
    /// presence, chat or groupchat
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<EventKind>,
    /// The topic that was chosen: its name or its ARN
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// The source that it came from, by its name, or its queue's
    #[arg(long, value_name = "SOURCE")]
    source: Vec<String>,
    /// Who came, went, wrote or was written to
    #[arg(long, value_name = "JID", value_parser = jid)]
    user: Vec<Jid>,
    /// The room that was written to
    #[arg(long, value_name = "JID", value_parser = jid)]
    room: Vec<Jid>,
    /// It died then or later: a time such as 2026-01-31T02:00:00Z, or so long ago, such as 2h
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Timestamp>,
    /// It died before then
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Timestamp>,
    /// Part of its error, in capital or small letters
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// The beginning of its id, or its AMQP message id
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// Only the first so many, the oldest in the queue first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

impl From<FilterArguments> for Filter {
    fn from(arguments: FilterArguments) -> Self {
        let FilterArguments {
            reason,
            kind,
            topic,
            source,
            user,
            room,
            since,
            until,
            error,
            id,
            limit,
        } = arguments;
        Self {
            reasons: reason,
            kinds: kind,
            topics: topic,
            sources: source,
            users: user,
            rooms: room,
            since,
            until,
            claimed_times: false,
            error,
            ids: id,
            limit,
        }
    }
}

/// Of a queue or an exchange.
fn name(text: &str) -> Result<String, String> {
    if text.len() <= LONGEST_SHORT {
        return Ok(text.to_owned());
    }
    Err(format!("a name has no more than {LONGEST_SHORT} bytes"))
}
