//! Reads sample events from a file, a folder or standard input.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::output::print_error;
use crate::text::printable;

/// The longest event that is read, in bytes. RabbitMQ 4 takes no longer message unless it is told to.
const LONGEST: usize = 16 * 1024 * 1024;

/// Names of files that hold several events, or what is expected of them, and so are no sample.
const MANY: &str = "jsonl";

/// An event to be tried.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) location: SampleLocation,
    pub(super) payload: Vec<u8>,
}

/// The location of a sample in its input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SampleLocation {
    /// On this line, from 1.
    Line(u64),
    /// In the file of this name in the folder.
    File(String),
}

impl fmt::Display for SampleLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::File(name) => f.write_str(name),
        }
    }
}

/// The samples, one after the other.
pub(super) struct Samples {
    name: String,
    from: From,
}

enum From {
    Lines(Lines),
    Files(std::vec::IntoIter<PathBuf>),
}

impl Samples {
    /// Of a file or a folder; of standard input if there is none, or if it is `-`.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            if io::stdin().is_terminal() {
                print_error(
                    "reading events from the terminal, one per line; press Ctrl-D at the end",
                );
            }
            let from = From::Lines(Lines::new("standard input", io::stdin().lock()));
            return Ok(Self { name: "standard input".to_owned(), from });
        };
        let name = format!("`{}`", path.display());
        let from = if path.is_dir() {
            From::Files(files_in(path)?.into_iter())
        } else {
            From::Lines(Lines::open(path)?)
        };
        Ok(Self { name, from })
    }

    /// What they are from, for a message.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Iterator for Samples {
    type Item = Result<Sample, String>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.from {
            From::Lines(lines) => lines.next().map(|line| {
                let (number, payload) = line?;
                Ok(Sample { location: SampleLocation::Line(number), payload })
            }),
            From::Files(files) => files.next().map(|path| read(&path)),
        }
    }
}

/// The files of a folder in the order of their names, without hidden ones and those that hold many.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: io::Error| unreadable(folder, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let many = path.extension().is_some_and(|extension| extension == MANY);
        if hidden {
            continue;
        }
        // Where it is a link, what it leads to. A file that can't be looked at is named when it is read.
        let what = fs::metadata(&path).map_or("file", |it| match () {
            () if it.is_dir() => "folder",
            () if it.is_file() => "file",
            () => "pipe, socket or device",
        });
        if what != "file" {
            let ignored = format!("ignored: `{}` is a {what} in the folder", path.display());
            print_error(&printable(&ignored, false));
        } else if !many {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Sample, String> {
    let failed = |error: io::Error| unreadable(path, &error);
    let mut payload = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST as u64 + 1).read_to_end(&mut payload).map_err(failed)?;
    if payload.len() > LONGEST {
        return Err(too_long(&format!("`{}`", path.display())));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Sample { location: SampleLocation::File(name), payload })
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!(
        "cannot read `{}`: {error}; give a file or a folder that this user may read",
        path.display()
    )
}

fn too_long(what: &str) -> String {
    format!("{what} is longer than 16 MiB, the longest message that RabbitMQ accepts")
}

/// The lines of a file that are neither blank nor a comment, byte for byte and with their numbers.
pub(super) struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    number: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        Ok(Self::new(&path.display().to_string(), BufReader::new(file)))
    }

    fn new(name: &str, reader: impl BufRead + 'static) -> Self {
        Self { name: name.to_owned(), reader: Box::new(reader), number: 0 }
    }

    /// The next line without its end; `None`: there is none.
    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut line = Vec::new();
        self.number += 1;
        let mut bounded = (&mut self.reader).take(LONGEST as u64 + 2);
        let read = bounded.read_until(b'\n', &mut line);
        read.map_err(|error| format!("cannot read {}: {error}", self.name))?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > LONGEST {
            return Err(too_long(&format!("line {} of {}", self.number, self.name)));
        }
        Ok(Some(line))
    }
}

impl Iterator for Lines {
    type Item = Result<(u64, Vec<u8>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.line().transpose()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            if !matches!(line.trim_ascii_start().first(), None | Some(b'#')) {
                return Some(Ok((self.number, line)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let lines = Lines::new("test", io::Cursor::new(text.to_vec()));
        lines.map(|line| line.unwrap()).collect()
    }

    #[test]
    fn lines_are_events_byte_for_byte_but_for_their_ends() {
        let read = lines(b"# why\n{}\r\n\n  \t\n\xff\xfe{\n  # more\n <a/> \nlast");
        let expected: [(u64, &[u8]); 4] =
            [(2, b"{}"), (5, b"\xff\xfe{"), (7, b" <a/> "), (8, b"last")];
        assert_eq!(read, expected.map(|(number, line)| (number, line.to_vec())));
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn only_files_of_a_folder_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("b.json"), "{}").unwrap();
        std::os::unix::fs::symlink(path.join("b.json"), path.join("a.json")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path.join("c.json")).unwrap();
        // A socket can't be opened, and a pipe without a writer would be waited for.
        let _socket = std::os::unix::net::UnixListener::bind(path.join("d.json")).unwrap();
        fs::create_dir(path.join("f")).unwrap();
        let files = files_in(path).unwrap();
        assert_eq!(files, [path.join("a.json"), path.join("b.json")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_named_before_it_is_read_to_its_end() {
        let long = io::repeat(b'x');
        let text = io::Cursor::new(b"{}\n".to_vec()).chain(BufReader::new(long));
        let mut lines = Lines::new("test", text);
        assert!(lines.next().unwrap().is_ok());
        let error = lines.next().unwrap().unwrap_err();
        assert!(error.starts_with("line 2 of test is longer than 16 MiB"), "{error}");
    }
}
