//! What a configuration is made from.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::environment::is_ours;
use super::key::Origin;
use super::problem::{Problem, Problems};

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
        let mut files = Vec::new();
        let mut environment = Vec::new();
        let mut problems = Vec::new();
        // A name of ours that is not UTF-8 has no key, which is said of it then.
        let named = |(name, value): (OsString, _)| (name.to_string_lossy().into_owned(), value);
        for (name, value) in variables.into_iter().map(named).filter(|(it, _)| is_ours(it)) {
            match value.into_string() {
                Ok(value) => environment.push((name, value)),
                Err(_) => problems.push(Problem::new(
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
            match fs::read_to_string(path) {
                Ok(text) => files.push((name, text)),
                Err(error) if is_default && error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let origin = Origin::File { order, name, line: None, column: None };
                    let wrong = format!("can't be read: {error}");
                    let remedy = "name a file in TOML that this user may read";
                    problems.push(Problem::new(&origin, None, wrong, remedy));
                }
            }
        }
        Problems::none_in(problems)?;
        Ok(Self { files, environment })
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.files.iter().chain(&self.environment).map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}
