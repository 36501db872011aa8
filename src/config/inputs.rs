//! What a configuration is made from.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::environment::is_ours;
use super::key::Origin;
use super::problem::{Problem, Problems};
use crate::limits::LONGEST_CONFIGURATION;

/// The layers above the defaults. `Debug` shows names only: texts and values have secrets.
#[derive(Clone, Default)]
pub struct Inputs {
    /// Files as pairs of the name to be shown and the text in TOML; a later one wins.
    pub files: Vec<(String, String)>,
    /// Environment variables as pairs of name and value. Names that begin with `EVENT_PUSHER__` are regarded, and a key of
    /// ours with other underscores is refused; any other name is somebody else's. An empty variable unsets a text or list,
    /// and leaves a number or flag alone.
    pub environment: Vec<(String, String)>,
}

impl Inputs {
    /// Reads the files at `paths`, all of which must be there; without any, the one at
    /// `default_path`, if it is there. Of the variables, a process's for example, it takes ours.
    ///
    /// # Errors
    ///
    /// [`Problems`]: the files that can't be read, and variables of ours that are not UTF-8.
    pub fn read(
        paths: &[PathBuf],
        default_path: &Path,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Problems> {
        let (inputs, unread) = Self::read_all(paths, default_path, variables);
        if unread.is_empty() { Ok(inputs) } else { Err(unread.into()) }
    }

    /// The same, with what can't be read beside what can.
    pub fn read_all(
        paths: &[PathBuf],
        default_path: &Path,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> (Self, Vec<Problem>) {
        let mut inputs = Self::default();
        let mut unread = Vec::new();
        // A name of ours that is not UTF-8 has no key, which is said of it then.
        let named = |(name, value): (OsString, _)| (name.to_string_lossy().into_owned(), value);
        for (name, value) in variables.into_iter().map(named).filter(|(it, _)| is_ours(it)) {
            match value.into_string() {
                Ok(value) => inputs.environment.push((name, value)),
                Err(_) => unread.push(Problem::new(
                    &Origin::Environment(name),
                    None,
                    "is not UTF-8",
                    "give a text in UTF-8, or unset it",
                )),
            }
        }
        let is_default = paths.is_empty();
        let paths = paths.iter().map(PathBuf::as_path).chain(is_default.then_some(default_path));
        for (order, path) in paths.enumerate() {
            let name = path.display().to_string();
            let text = read_file(path).unwrap_or_else(|error| {
                if !is_default || error.kind() != ErrorKind::NotFound {
                    let origin =
                        Origin::File { order, name: name.clone(), line: None, column: None };
                    let wrong = format!("can't be read: {error}");
                    let remedy = "name a file in TOML that this user may read";
                    unread.push(Problem::new(&origin, None, wrong, remedy));
                }
                String::new()
            });
            inputs.files.push((name, text));
        }
        (inputs, unread)
    }
}

/// The text of a file, and no more than a configuration may have: a device never ends.
fn read_file(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST_CONFIGURATION + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST_CONFIGURATION {
        let wrong = "it has more than 16 MiB, so it is no configuration";
        return Err(io::Error::new(ErrorKind::FileTooLarge, wrong));
    }
    String::from_utf8(text).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.files.iter().chain(&self.environment).map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_never_ends_is_read_no_further_than_a_configuration_may_be() {
        let error = Inputs::read(&["/dev/zero".into()], Path::new("none"), []).unwrap_err();
        let problem = &error.as_slice()[0];
        assert!(problem.wrong.contains("more than 16 MiB"), "{problem}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latin-1.toml");
        std::fs::write(&path, b"# \xfc").unwrap();
        let error = Inputs::read(&[path], Path::new("none"), []).unwrap_err();
        assert!(error.to_string().contains("it is not UTF-8"), "{error}");
    }
}
