//! The arguments of `fleet`.

use clap::{Args, Subcommand};

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Fleet {
    /// Show what all workers of the fleet do, and where they differ
    Status(StatusArguments),
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
