//! The commands and their arguments.

mod dead_letters;
mod feed;
mod import;
mod try_events;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use dead_letters::{DeadLetters, ReplayArguments};
pub(crate) use feed::{FeedArguments, Mix, Wire};
pub(crate) use import::Import;
pub(crate) use try_events::TryArguments;

/// Takes chat events from RabbitMQ, publishes them to Amazon SNS, and acknowledges only
/// what SNS has accepted.
#[derive(Debug, Parser)]
#[command(version, name = "event-pusher-sns", after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Configuration file (TOML); may be given more than once, the later one wins.
    /// Without it, config/local.toml is read if it is there.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Vec<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Run the worker until SIGTERM or Ctrl-C
    Run,
    /// Check the configuration, then RabbitMQ, then each SNS topic; all stays as it is
    #[command(after_help = CHECK_HELP)]
    Check {
        /// Check the configuration only; connect to nothing
        #[arg(long)]
        offline: bool,
    },
    /// Show what would be published of sample events, or compare it; connect to nothing
    #[command(after_help = try_events::HELP)]
    Try(Box<TryArguments>),
    /// Publish realistic chat traffic to a source's exchange, for demos and load
    #[command(after_help = feed::HELP)]
    Feed(Box<FeedArguments>),
    /// Make a configuration of MongooseIM's mongooseim.toml, or of its older mongooseim.cfg
    Import(Import),
    /// See why events are among the dead letters; replay, keep or discard them
    #[command(subcommand, visible_alias = "dlq")]
    DeadLetters(Box<DeadLetters>),
}

const CHECK_HELP: &str = "\
Nothing is created or declared anew. While no dead letters wait, empty messages of check's own are
in their queue for a moment: one that expires at once, by which it sees whether dead letters arrive,
and one by which it measures a delivery limit that a policy may set. Whoever consumes from that
queue, or from another one on the dead-letter exchange, may see them.

Exit status: 0 all is well; 1 there are problems, or output failed; 78 invalid configuration.";

const AFTER_HELP: &str = "\
Any key can also come from the environment: EVENT_PUSHER__SNS__REGION sets sns.region.

Exit status: 0 done; 1 failed while running; 2 wrong arguments; 78 invalid configuration.";
