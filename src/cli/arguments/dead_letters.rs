//! The arguments of `dead-letters`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jid::Jid;
use jiff::Timestamp;

use crate::dead_letters::argument_parsers::{duration, id, jid, kind, moment, reason, replay_rate};
use crate::dead_letters::{Filter, Rate, Target, Watching};
use crate::event::EventKind;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DeadLetters {
    /// List dead letters, grouped by reason and error; they stay in the queue
    #[command(after_help = LIST_HELP)]
    List {
        /// One line for each dead letter instead of groups
        #[arg(long)]
        each: bool,
        /// Print JSON: one object, or with --each one object per line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        filter: FilterArguments,
    },
    /// Show one dead letter, and what it would become if it were replayed now
    #[command(after_help = SHOW_HELP)]
    Show {
        /// The beginning of the id that `list --each` shows, or the AMQP message id
        #[arg(value_parser = id)]
        id: String,
        /// Also show the body, and the body of the notification that it would become
        #[arg(long)]
        body: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Send dead letters back, by default directly to the queues that they came from
    #[command(after_help = REPLAY_HELP)]
    Replay(Box<ReplayArguments>),
    /// Copy dead letters completely into a file; they stay in the queue
    #[command(after_help = EXPORT_HELP)]
    Export {
        /// A new file, which only its owner can read; `-`: standard output
        file: PathBuf,
        #[command(flatten)]
        filter: FilterArguments,
    },
    /// Put the dead letters of an exported file back into the queue
    ///
    /// The whole file is checked first: if a line was cut off or edited, nothing is imported. Letters
    /// that are already in the queue are not imported again, so an interrupted import can be
    /// completed by running it once more.
    #[command(after_help = IMPORT_HELP)]
    Import {
        /// A file that `export` wrote
        file: PathBuf,
    },
    /// Delete the dead letters that match a filter, or --all; they can't be restored
    #[command(after_help = DISCARD_HELP)]
    Discard {
        /// Delete all dead letters; without this option a filter is required
        #[arg(long, conflicts_with = "FilterArguments")]
        all: bool,
        /// Don't ask for confirmation
        #[arg(long)]
        yes: bool,
        /// First copy the letters into this new file
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        /// With --since or --until, also letters whose time is only claimed: on RabbitMQ 3 a producer can set it
        #[arg(long)]
        claimed_times: bool,
        #[command(flatten)]
        filter: FilterArguments,
    },
}

impl DeadLetters {
    /// The filter of a command that has one.
    pub(crate) const fn filter(&self) -> Option<&FilterArguments> {
        match self {
            Self::List { filter, .. }
            | Self::Export { filter, .. }
            | Self::Discard { filter, .. } => Some(filter),
            Self::Replay(replay) => Some(&replay.filter),
            Self::Show { .. } | Self::Import { .. } => None,
        }
    }
}

const LIST_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters list --since 2h
  event-pusher-sns dead-letters list --each --reason too_large --user alice@example.org
  event-pusher-sns dead-letters list --each --json | jq -r .id

A time marked (claimed) may have been written by the event's producer: RabbitMQ 3 keeps the x-death
header that an event brings. From time to time this command publishes one empty message to the queue
and removes it, to measure the queue's delivery limit.

Exit status: 0 success, also if there are no dead letters; 1 the queue, or a part of it, can't be read.";

const SHOW_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters show 3f1c9a77e0b2
  event-pusher-sns dead-letters show 3f1c --json --body

Exit status: 0 success; 1 no letter or more than one has this id, or the queue can't be read.";

const EXPORT_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters export letters.jsonl
  event-pusher-sns dead-letters export - --reason undecodable | gzip > undecodable.jsonl.gz

Exit status: 0 success, also if no letter matches; 1 the file can't be written, or the queue can't
be read.";

const IMPORT_HELP: &str = "\
Example:
  event-pusher-sns dead-letters import letters.jsonl

Exit status: 0 all letters of the file are in the queue; 1 some or all were not imported.";

const DISCARD_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters discard --reason undecodable --export undecodable.jsonl
  event-pusher-sns dead-letters discard --until 30d --yes

`discard` shows the number of letters and asks for confirmation. In a script, without a terminal,
--yes is required.

--since and --until select no letter whose time is only claimed (`list` marks those); `discard` says
how many it left for that reason. Select them with other filters, or with --claimed-times.

Exit status: 0 success, also if no letter matches or the answer was no; 1 failure; 2 --yes is missing.";

const REPLAY_HELP: &str = "\
Examples:
  event-pusher-sns dead-letters replay --reason retries_exhausted --dry-run
  event-pusher-sns dead-letters replay --canary 10 --canary-watch 5m --rate 500/s --max-failures 100
  event-pusher-sns dead-letters replay --canary 10 --rate auto
  event-pusher-sns dead-letters replay --id 3f1c9a77e0b2

By default a letter is sent directly to the queue that it came from, so that queues of other
consumers don't get it twice, and changed bindings don't matter. Headers carry the original exchange
and routing key, which the worker uses.

A letter is removed only after the broker has confirmed its copy. An interrupted replay loses
nothing; run it again for the rest.

--priority lets live events pass on quorum queues from RabbitMQ 4.3 on, and on classic queues with
x-max-priority. It has no effect on older quorum queues; those of 4.0 to 4.2 know two levels, 5 and
above, and the rest. The replay says where it has none; limit the rate there instead (--rate). If the
events are dead-lettered again, the next replay starts from the priority that they had at first.

Exit status: 0 all matching letters were replayed, or none matches; 1 some were not replayed, were
dead-lettered again, or are known to be held.";

/// Stands for what each letter came from; no argument can have this character.
const SOURCE: &str = "\0";

#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayArguments {
    /// Send to this queue; without a name, to the queue that each letter came from (default)
    #[arg(long, value_name = "QUEUE", num_args = 0..=1, default_missing_value = SOURCE)]
    #[arg(value_parser = super::name, conflicts_with = "to_exchange")]
    pub to_queue: Option<String>,
    /// Send to this exchange with the original routing key; without a name, to the exchange that each
    /// letter was published to
    #[arg(long, value_name = "EXCHANGE", num_args = 0..=1, default_missing_value = SOURCE)]
    #[arg(value_parser = super::name)]
    pub to_exchange: Option<String>,
    /// Show where each letter would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Replay this many letters first, and the others only once workers have reported that all of these are published
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub canary: Option<u64>,
    /// How long to wait until all of the canary are published, such as 5m. Default: the time of --watch, if it is given,
    /// else as long as a worker with this configuration retries
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "canary")]
    pub canary_watch: Option<Duration>,
    /// How long to wait at the end for what becomes of replayed letters, such as 30s. Default: 2s, or twice as long where
    /// no worker has reported anything
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub watch: Option<Duration>,
    /// Maximum number of letters per second, such as 500/s; auto: as many as leave live events young, by what the workers of the
    /// fleet report, from 1/s to 5000/s (10/s if none is heard)
    #[arg(long, value_name = "N/s|auto", value_parser = replay_rate)]
    pub rate: Option<Rate>,
    /// The priority of the replayed events, 0 to 255. From RabbitMQ 4.3 on a quorum queue delivers events of a lower
    /// priority only when it has none of a higher one, and one without a priority has 4: with 0, live events go first
    #[arg(long, value_name = "N")]
    pub priority: Option<u8>,
    /// Stop after this many letters were refused by RabbitMQ or dead-lettered again; letters that are not sent at
    /// all (see --dry-run) don't count
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_failures: Option<u64>,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub filter: FilterArguments,
}

impl ReplayArguments {
    /// How long to watch, where this is the default.
    pub(crate) fn watching(&self, default: Watching) -> Watching {
        Watching {
            canary: self.canary_watch.or(self.watch).unwrap_or(default.canary),
            end: self.watch.unwrap_or(default.end),
        }
    }

    pub(crate) fn target(&self) -> Target {
        match (self.to_queue.as_deref(), self.to_exchange.as_deref()) {
            (None | Some(SOURCE), None) => Target::SourceQueue,
            (Some(queue), _) => Target::Queue(queue.to_owned()),
            (None, Some(SOURCE)) => Target::SourceExchange,
            (None, Some(exchange)) => Target::Exchange(exchange.to_owned()),
        }
    }
}

const REASON_HELP: &str = "The reason: one that a worker writes (retries_exhausted, ...), one that \
                           RabbitMQ writes (delivery_limit, expired, ...), or unknown";

/// Which dead letters. Last among a command's arguments, since its heading is over all that follow.
#[derive(Debug, Clone, Args)]
#[command(
    next_help_heading = "Filters (a letter must match every option; of an option given more than once, one value)"
)]
pub(crate) struct FilterArguments {
    #[arg(long, value_name = "REASON", help = REASON_HELP, value_parser = reason)]
    reason: Vec<String>,
    /// presence, chat or groupchat
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<EventKind>,
    /// The topic that the event was for: its name or ARN
    #[arg(long, value_name = "TOPIC", value_parser = super::some_text)]
    topic: Vec<String>,
    /// The source that the event came from: its name, or the name of its queue
    #[arg(long, value_name = "SOURCE", value_parser = super::some_text)]
    source: Vec<String>,
    /// The user of a presence, or the sender or recipient of a message
    #[arg(long, value_name = "JID", value_parser = jid)]
    user: Vec<Jid>,
    /// The room that the message was sent to
    #[arg(long, value_name = "JID", value_parser = jid)]
    room: Vec<Jid>,
    /// Dead-lettered at this time or later: a time such as 2026-01-31T02:00:00Z, or an age such as 2h
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Timestamp>,
    /// Dead-lettered before this time: a time or an age
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Timestamp>,
    /// A part of the error; upper and lower case are the same
    #[arg(long, value_name = "TEXT", value_parser = super::some_text)]
    error: Option<String>,
    /// The beginning of the id, or the AMQP message id
    #[arg(long, value_name = "ID", value_parser = id)]
    id: Vec<String>,
    /// Only the first N matching letters, in the order of the queue
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
