//! Loads the configuration with all that it names: files, environment, signing key, scripts and the log's filter. What is
//! wrong with any of them is found in one go.

use std::ffi::OsString;
use std::path::Path;

use tracing_subscriber::EnvFilter;

use super::{logging, operators, scripts, signing};
use crate::cli::arguments::{self, Arguments, Command};
use crate::config::{Draft, Inputs, Problems};
use crate::plugin::Plugins;

/// What a command starts with, unless something is wrong with the draft.
pub(super) struct Loaded {
    pub(super) draft: Draft,
    pub(super) plugins: Plugins,
    pub(super) filter: EnvFilter,
}

/// `variables` are those of the environment.
///
/// # Errors
///
/// What is wrong, where there is no draft of it.
pub(super) fn load(
    arguments: &Arguments,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    plugins: &Plugins,
) -> Result<Loaded, Problems> {
    let local = Path::new("config/local.toml");
    let (inputs, unread) = Inputs::read_all(&arguments.config, local, variables);
    let mut draft = Draft::read(&inputs, unread, &plugins.names().collect::<Vec<_>>())?;
    signing::add_key(&mut draft);
    operators::add_tokens(&mut draft);
    let plugins = if needs_scripts(&arguments.command) {
        scripts::with_scripts(plugins, &mut draft)
    } else {
        plugins.clone()
    };
    let filter = logging::filter(&mut draft);
    if matches!(arguments.command, Command::Run | Command::Check { .. }) {
        draft.require_topics();
    }
    Ok(Loaded { draft, plugins, filter })
}

/// Who only looks at dead letters needs none of them.
fn needs_scripts(command: &Command) -> bool {
    match command {
        Command::DeadLetters(command) => matches!(**command, arguments::DeadLetters::Show { .. }),
        Command::Fleet(_) => false,
        _ => true,
    }
}
