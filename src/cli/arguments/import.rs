//! The arguments of `import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Convert MongooseIM's mongooseim.toml, or its older mongooseim.cfg, into a configuration
///
/// Reads the sns and rabbit backends of `mod_event_pusher`, the options of single hosts, and the
/// connection to RabbitMQ. Comments in the result explain each choice, and name each option that has no
/// counterpart.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit status: 0 success; 1 the input can't be read, or the output file \
already exists; 78 the result is not a valid configuration yet: correct the problems that are shown.")]
pub(crate) struct Import {
    /// MongooseIM's configuration file, or the part of it with these options; `-`: standard input
    pub file: PathBuf,
    /// A new file, which only its owner can read; without this option, standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the output file if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Where the password and the AWS keys go: `env` writes comments that name the environment variables
    /// to set, `file` writes the secrets into the result
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
