//! The arguments of `import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Make a configuration of MongooseIM's mongooseim.toml, or of its older mongooseim.cfg
///
/// Reads `mod_event_pusher`'s sns and rabbit backends, what hosts have of their own, and the
/// connection to RabbitMQ. Every choice, and everything that has no counterpart, is a comment in the
/// result.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit status: 0 done; 1 the input can't be read, or the output is there \
already; 78 the result has problems, which are shown, and must be corrected.")]
pub(crate) struct Import {
    /// MongooseIM's configuration, or the part of it that matters; `-`: standard input
    pub file: PathBuf,
    /// A new file, readable by its owner only; without it, the result goes to standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the output if it is there
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Where password and AWS keys go: `env` writes comments that name the environment variables
    /// for them, `file` writes them into the result
    #[arg(long, value_name = "WHERE", default_value = "env")]
    pub secrets: Secrets,
}

/// Where secrets go. By default they do not spread: the result may be shown, sent or committed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Secrets {
    Env,
    File,
}

impl From<Secrets> for event_pusher_import::Secrets {
    fn from(secrets: Secrets) -> Self {
        match secrets {
            Secrets::Env => Self::Environment,
            Secrets::File => Self::File,
        }
    }
}
