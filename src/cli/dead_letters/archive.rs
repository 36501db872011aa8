use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{CommandContext, ExitStatus, dead_letters, explain, print_error, print_line};
use crate::dead_letters::{DeadLettersError, Filter, Imported};

/// Stands for standard output.
const STDOUT: &str = "-";

impl CommandContext<'_> {
    pub(super) async fn export(
        &self,
        file: &Path,
        filter: Filter,
    ) -> Result<ExitStatus, DeadLettersError> {
        if file == Path::new(STDOUT) {
            let to = BufWriter::new(io::stdout().lock());
            let counts = self.dead_letters.export(&filter, self.stop, to).await?;
            print_error(&format!("exported {}", dead_letters(counts.matching)));
            return Ok(self.exit_status(&counts));
        }
        let Some(new) = NewFile::create(file) else { return Ok(ExitStatus::Failed) };
        let to = BufWriter::new(&new.file);
        let counts = self.dead_letters.export(&filter, self.stop, to).await?;
        let end = self.exit_status(&counts);
        if self.found_none(&counts, &filter) {
            return Ok(end);
        }
        new.keep()?;
        let (matching, file) = (dead_letters(counts.matching), file.display());
        print_line(&format!("exported {matching} to {file}; they are still in the queue"));
        Ok(end)
    }

    pub(super) async fn import(&self, file: &Path) -> Result<ExitStatus, DeadLettersError> {
        let shown = file.display();
        // It is asked for before it is opened, which takes for ever with a pipe that nobody writes to.
        let opened = std::fs::metadata(file)
            .and_then(|it| it.is_file().then(|| File::open(file)).transpose());
        let from = match opened {
            Ok(None) => {
                print_error(&format!(
                    "{shown} is not a regular file; `import` reads the file twice, so it can't be a pipe"
                ));
                return Ok(ExitStatus::Failed);
            }
            Ok(Some(from)) => BufReader::new(from),
            Err(error) => {
                print_error(&format!("cannot read {shown}: {error}"));
                return Ok(ExitStatus::Failed);
            }
        };
        let mut done = Imported::default();
        let imported =
            self.dead_letters.import(from, self.stop, &mut done, |blocked| match blocked {
                Some(why) => print_error(&format!("waiting: {why}")),
                None => print_error("RabbitMQ accepts messages again"),
            });
        let imported = imported.await;
        let Imported { letters, added, there } = done;
        match imported {
            Ok(()) => {
                let there = if there > 0 {
                    format!("; {there} were already in the queue")
                } else {
                    String::new()
                };
                print_line(&format!(
                    "imported {added} of {} from {shown}{there}",
                    dead_letters(letters)
                ));
                Ok(ExitStatus::Done)
            }
            Err(DeadLettersError::Archive(error)) if added == 0 => {
                print_error(&format!("{shown}: {error}. Nothing was imported"));
                Ok(ExitStatus::Failed)
            }
            Err(trouble) if added > 0 => {
                explain(&trouble);
                print_error(&format!(
                    "{added} of {} were imported; run `import` again for the rest",
                    dead_letters(letters)
                ));
                Ok(ExitStatus::Failed)
            }
            Err(trouble) => Err(trouble),
        }
    }
}

/// A file that is not there unless it is written to its end.
pub(super) struct NewFile {
    pub(super) file: File,
    path: PathBuf,
    is_kept: Cell<bool>,
}

impl NewFile {
    /// Creates it for its owner's eyes only: bodies are what users wrote. Says so where it can't.
    pub(super) fn create(path: &Path) -> Option<Self> {
        let shown = path.display();
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => Some(Self { file, path: path.to_owned(), is_kept: Cell::new(false) }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                print_error(&format!("{shown} already exists; name a new file, or remove it"));
                None
            }
            Err(error) => {
                print_error(&format!("cannot create {shown}: {error}"));
                None
            }
        }
    }

    /// Makes sure that it is on the disk, and stays there.
    pub(super) fn keep(&self) -> io::Result<()> {
        self.file.sync_all()?;
        // Its name, too.
        let directory = self.path.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        self.is_kept.set(true);
        Ok(())
    }

    /// It is not wanted after all.
    pub(super) fn give_up(&self) {
        self.is_kept.set(false);
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept.get() {
            // Half of it would only be mistaken for a whole.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
