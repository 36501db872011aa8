//! The arguments of `fleet`.

use clap::{Args, Subcommand};
use jiff::SignedDuration;

use super::some_text;
use crate::dead_letters::argument_parsers::duration;
use crate::fleet::pauses::length_of_pause;
use crate::limits::LONGEST_REASON;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Fleet {
    /// Show what all workers of the fleet do, and where they differ
    Status(StatusArguments),
    #[command(flatten)]
    Pausing(Pausing),
}

/// What operators pause.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Pausing {
    /// Pause a topic, a source or everything for all workers of the fleet
    #[command(after_help = PAUSE_HELP)]
    Pause {
        #[command(flatten)]
        target: TargetArguments,
        /// For how long, such as 30m or 2h; seven days at most
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = pause_length)]
        length: SignedDuration,
        /// Why, for the other operators
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// End the pause of a topic, of a source or of everything
    #[command(after_help = RESUME_HELP)]
    Resume {
        #[command(flatten)]
        target: TargetArguments,
    },
    /// List what is paused
    #[command(after_help = PAUSES_HELP)]
    Pauses {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Listens to the workers for two seconds, longer where there are more than fifty of them, and prints what they say
///
/// Needs a connection to RabbitMQ only, with configure, write and read on the exchange and the queues of the fleet
/// (docs/fleet.md).
#[derive(Debug, Clone, Copy, Args)]
#[command(
    after_help = "Exit status: 0 success; 1 no worker was heard, or RabbitMQ could not be reached."
)]
pub(crate) struct StatusArguments {
    /// Print again every two seconds, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Print JSON, as the page has it in /api/status
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TargetArguments {
    /// A topic of the configuration, by its name or ARN
    #[arg(long, value_name = "TOPIC", value_parser = some_text)]
    pub topic: Option<String>,
    /// A source of the configuration
    #[arg(long, value_name = "SOURCE", value_parser = some_text)]
    pub source: Option<String>,
    /// Every source
    #[arg(long)]
    pub all: bool,
}

const PAUSE_HELP: &str = "\
Examples:
  event-pusher-sns fleet pause --topic rooms --for 30m --reason \"the subscriber is being moved\"
  event-pusher-sns fleet pause --all --reason \"wrong rules were deployed\"

Returns when RabbitMQ has the command safe; the workers follow within two seconds, and those that
start later, too. A second pause of the same target replaces the first. Events of a paused topic
wait as those of a held one do; a paused source takes no events from its queue.

Exit status: 0 paused; 1 RabbitMQ did not take the command, or too many pauses run; 2 wrong
arguments, or no such topic or source.";

const RESUME_HELP: &str = "\
Ends the pause of just this target: to resume a topic doesn't resume everything, nor the other way
round.

Exit status: 0 resumed, or not paused; 1 RabbitMQ did not take the command; 2 wrong arguments, or no
such topic or source.";

const PAUSES_HELP: &str = "\
Exit status: 0 success, also if nothing is paused; 1 what is paused can't be read.";

fn pause_length(text: &str) -> Result<SignedDuration, String> {
    Ok(length_of_pause(duration(text)?)?)
}

fn reason(text: &str) -> Result<String, String> {
    let text = some_text(text)?;
    if text.len() > LONGEST_REASON {
        return Err(format!("a reason has no more than {LONGEST_REASON} bytes"));
    }
    Ok(text)
}
