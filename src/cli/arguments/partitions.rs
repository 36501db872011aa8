//! The arguments of `partitions`.

use clap::{Args, Subcommand};

use super::some_text;
use crate::limits::MOST_PARTITIONS;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Partitions {
    /// Show what a move to another number of partitions would do, or how far one is; changes nothing
    #[command(after_help = PLAN_HELP)]
    Plan(PartitionsArguments),
    /// Move a source to another number of partitions while events come, or go on with such a move
    #[command(after_help = MOVE_HELP)]
    Move(MoveArguments),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct MoveArguments {
    #[command(flatten)]
    pub of: PartitionsArguments,
    /// Go on although events wait in the new partitions before the move has begun: they are published after it
    #[arg(long)]
    pub with_waiting: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PartitionsArguments {
    /// The source; needed only where several have partitions
    #[arg(long, value_name = "SOURCE", value_parser = some_text)]
    pub source: Option<String>,
    /// The new number; as many as the configuration has by default
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_PARTITIONS)))]
    pub to: Option<u16>,
}

const PLAN_HELP: &str = "\
Exit status: 0 success; 1 RabbitMQ could not be asked, or there can be no move; 2 wrong arguments.";

const MOVE_HELP: &str = "\
Examples:
  event-pusher-sns partitions move --to 80

Before it, give every worker `partitions = 80` and restart them: they use those partitions that
there are, up to that number. To have fewer, move first, and configure them then.

What comes during the move waits in the new partitions until all that was in the former ones is
published. Nothing is lost or overtaken; some events may be published twice. It can be ended at any
time: run it again, and it goes on where it was.

Exit status: 0 moved, or nothing to do; 1 it failed or was ended, and is to be run again; 2 wrong
arguments.";
