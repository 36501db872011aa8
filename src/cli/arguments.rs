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

use crate::limits::LONGEST_SHORT;

/// Takes chat events from RabbitMQ, publishes them to Amazon SNS, and acknowledges only
/// what SNS has accepted.
#[derive(Debug, Parser)]
#[command(version, name = "event-pusher-sns", after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Configuration file (TOML). If the option is given more than once, later files override earlier ones.
    /// Without it, config/local.toml is read if that file exists
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Vec<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Run the worker until SIGTERM or Ctrl-C
    Run,
    /// Check the configuration, then RabbitMQ, then each SNS topic, without changing them
    #[command(after_help = CHECK_HELP)]
    Check {
        /// Check the configuration only; connect to nothing
        #[arg(long)]
        offline: bool,
    },
    /// Show what sample events would become, or compare that with a file, without connecting to anything
    #[command(after_help = try_events::HELP)]
    Try(Box<TryArguments>),
    /// Publish generated chat traffic to a source's exchange, for demos and load tests
    #[command(after_help = feed::HELP)]
    Feed(Box<FeedArguments>),
    /// Convert MongooseIM's mongooseim.toml, or its older mongooseim.cfg, into a configuration
    Import(Import),
    /// List, show, replay, export, import or discard dead letters
    #[command(subcommand, visible_alias = "dlq")]
    DeadLetters(Box<DeadLetters>),
}

const CHECK_HELP: &str = "\
`check` declares no exchange, queue or binding. If the dead-letter queue is empty, `check` publishes
two empty messages to it and removes them: one expires at once and shows whether dead letters reach
the queue, the other measures whether a policy sets a delivery limit. Other consumers of that queue,
or of other queues bound to the dead-letter exchange, may receive these messages.

Exit status: 0 no problems; 1 problems were found, or the output could not be written; 78 the
configuration is invalid.";

const AFTER_HELP: &str = "\
Environment variables override the files: EVENT_PUSHER__SNS__REGION sets sns.region.

Exit status: 0 success; 1 failure while running; 2 wrong arguments; 78 invalid configuration.";

/// A name of a queue or an exchange, or a routing key.
fn short_text(text: &str) -> Result<String, String> {
    if text.len() <= LONGEST_SHORT {
        return Ok(text.to_owned());
    }
    Err(format!("a name or routing key has no more than {LONGEST_SHORT} bytes"))
}
