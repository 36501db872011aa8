//! `import`: reads the file, writes the result, and says how it went.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use event_pusher_import::{ImportError, Imported, Input, MAX_BYTES, Secrets, decode, import};

use crate::cli::output::{print_error, print_raw};
use crate::cli::{FAILED, INVALID_CONFIGURATION, arguments};
use crate::config::{Config, HOST_KEYS, Inputs, Key, Problems};
use crate::plugin::Plugins;
use crate::text::{counted, printable};

/// Stands for standard input.
const STDIN: &str = "-";

pub(crate) fn run(command: &arguments::Import, plugins: &Plugins) -> ExitCode {
    match run_command(command, plugins) {
        Ok(status) => status,
        Err(wrong) => {
            print_error(&printable(&wrong, true));
            ExitCode::from(FAILED)
        }
    }
}

fn run_command(command: &arguments::Import, plugins: &Plugins) -> Result<ExitCode, String> {
    let name = if command.file == Path::new(STDIN) {
        "standard input".to_owned()
    } else {
        shown(&command.file)
    };
    let bytes = read(&command.file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let text = decode(bytes).map_err(|error| format!("cannot import {name}{error}"))?;
    let imported = imported(&text, &name, command.secrets.into())
        .map_err(|error| format!("cannot import {name}{error}"))?;
    let names: Vec<_> = plugins.names().collect();
    let problems = problems(&imported, &names);
    match &command.output {
        Some(path) => write(path, &imported.toml, command.force)?,
        None => print_raw(&imported.toml),
    }
    Ok(report(&imported, problems.as_ref(), command.output.as_deref()))
}

fn imported(text: &str, name: &str, secrets: Secrets) -> Result<Imported, ImportError> {
    let variable = &|key: &str| Key::from("sns").child(key).environment_name();
    import(&Input { text, name, secrets, host_keys: &HOST_KEYS, variable })
}

/// What is to be corrected in the result before a worker can start with it.
fn problems(imported: &Imported, plugin_names: &[&str]) -> Option<Problems> {
    let files = vec![("the result".to_owned(), imported.toml.clone())];
    let config = Config::load(&Inputs { files, environment: Vec::new() }, plugin_names);
    config.and_then(|config| config.require_topics()).err()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let from: Box<dyn Read> =
        if path == Path::new(STDIN) { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut bytes = Vec::new();
    // One more than may be, so that more is noticed.
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(io::Error::other(
            "it is larger than 1 MiB, which is too large for a configuration",
        ));
    }
    Ok(bytes)
}

/// A file's name for people, who may not have chosen it.
fn shown(path: &Path) -> String {
    printable(&path.display().to_string(), false)
}

/// Writes it for its owner's eyes only, and never half of it.
fn write(path: &Path, text: &str, force: bool) -> Result<(), String> {
    // A device, a pipe or a link would be replaced by a file.
    let is_other = |it: fs::Metadata| !it.file_type().is_file();
    if force && fs::symlink_metadata(path).is_ok_and(is_other) {
        return Err(format!(
            "cannot replace {}: it is no regular file; name another file, or remove it first",
            shown(path)
        ));
    }
    let new = if force { beside(path) } else { path.to_owned() };
    if force {
        // Left behind by a crash, it would stand in the way for ever.
        let _ = fs::remove_file(&new);
    }
    let shown = shown(path);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{shown} already exists; name a new file, or replace it with --force")
        }
        io::ErrorKind::NotFound => format!("cannot write {shown}: its folder does not exist"),
        _ => format!("cannot write {shown}: {error}"),
    })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let renamed = written.and_then(|()| if force { fs::rename(&new, path) } else { Ok(()) });
    renamed.map_err(|error| {
        let _ = fs::remove_file(&new);
        format!("cannot write {shown}: {error}")
    })
}

/// A name for what will replace the file.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Says how it went, and returns what the program's status is then.
fn report(imported: &Imported, problems: Option<&Problems>, output: Option<&Path>) -> ExitCode {
    let Imported { choices, left_out, secrets, .. } = imported;
    let written = output.map(|path| format!("wrote {}: ", shown(path))).unwrap_or_default();
    let counts = format!(
        "{written}{}, {} not converted, {} to be set in the environment; comments in the result explain each",
        counted(*choices, "choice", "choices"),
        counted(*left_out, "option", "options"),
        counted(*secrets, "secret", "secrets"),
    );
    print_error(&counts);
    if imported.may_have_been_silent {
        print_error(
            "note: according to MongooseIM's source, SNS refuses what its releases 3.3 to 6.8 publish: topics that got \
             nothing so far may get events now, see docs/from-mongooseim.md#silent-topics",
        );
    }
    if imported.to_do > 0 {
        print_error(&format!(
            "{} in the result: nothing, or not all, can be published before that is done",
            counted(imported.to_do, "TODO", "TODOs")
        ));
    }
    if let Some(problems) = problems {
        let text = format!(
            "the result is not a valid configuration until these problems are corrected:\n{problems}"
        );
        print_error(&printable(&text, true));
    } else if imported.to_do == 0 {
        return ExitCode::SUCCESS;
    }
    ExitCode::from(INVALID_CONFIGURATION)
}

#[cfg(test)]
mod tests;
