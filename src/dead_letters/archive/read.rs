use std::io::{self, BufRead, Read};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::super::letter::LetterId;
use super::{ArchiveLine, FORMAT, Head, Tail, VERSION};
use crate::limits::LONGEST_SHORT;
use crate::rabbitmq::message::{Headers, Message, Value};
use crate::text::hexadecimal;

/// Bytes of a first line: a file that is none of ours may have no second one.
const LONGEST_HEAD: u64 = 4096;

/// Why an archive can't be imported.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It can't be read at all.
    #[error("cannot read the file: {0}")]
    Io(#[from] io::Error),
    /// It is not as it was written.
    #[error("line {line}: {what}")]
    Broken {
        /// From one.
        line: u64,
        /// What is wrong there; shows nothing of what stands there.
        what: String,
    },
}

/// Reads an archive, letter by letter. Only its end shows that it is complete, so a caller that
/// must not import a part of it reads it to the end first.
#[derive(Debug)]
pub struct ArchiveReader<R> {
    from: R,
    line: u64,
    letters: u64,
    hash: Sha256,
    ended: bool,
}

impl<R: BufRead> ArchiveReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// If it is no archive.
    pub fn new(from: R) -> Result<Self, ArchiveError> {
        let mut reader = Self { from, line: 0, letters: 0, hash: Sha256::new(), ended: false };
        let mut text = Vec::new();
        reader.line = 1;
        reader.from.by_ref().take(LONGEST_HEAD).read_until(b'\n', &mut text)?;
        let is_whole = text.ends_with(b"\n");
        let head = serde_json::from_slice::<Head>(&text).ok().filter(|_| is_whole);
        let head =
            head.ok_or_else(|| reader.broken("`dead-letters export` did not write this file"))?;
        if head.format != FORMAT || head.version != VERSION {
            let what = format!("this program reads version {VERSION} of \"{FORMAT}\" only");
            return Err(reader.broken(what));
        }
        reader.hash.update(&text);
        Ok(reader)
    }

    /// The next letter; `None` at an end that is as it was written.
    ///
    /// # Errors
    ///
    /// The line that is not as it was written. Nothing can be read after it.
    pub fn next_letter(&mut self) -> Result<Option<Message>, ArchiveError> {
        if self.ended {
            return Ok(None);
        }
        let text = self.next_line()?;
        if let Ok(tail) = serde_json::from_slice::<Tail>(&text) {
            self.end(&tail)?;
            return Ok(None);
        }
        let message = self.letter(&text)?;
        self.hash.update(&text);
        self.letters += 1;
        Ok(Some(message))
    }

    /// Lines read so far.
    pub const fn line(&self) -> u64 {
        self.line
    }

    fn letter(&self, text: &[u8]) -> Result<Message, ArchiveError> {
        let line: ArchiveLine = parse(text).map_err(|what| self.broken(what))?;
        let sha256 = line.sha256.clone();
        let message = Message::from(line);
        if !sendable(&message) {
            return Err(self.broken("a text in it is longer than AMQP allows (255 bytes)"));
        }
        if LetterId::of(&message).in_full() != sha256 {
            return Err(
                self.broken("the line was edited: its checksum differs; export the letters again")
            );
        }
        Ok(message)
    }

    fn end(&mut self, tail: &Tail) -> Result<(), ArchiveError> {
        if tail.letters != self.letters {
            let what =
                format!("the file had {} letters, and has {} now", tail.letters, self.letters);
            return Err(self.broken(what));
        }
        if tail.sha256 != hexadecimal(&self.hash.clone().finalize()) {
            return Err(self.broken("lines before this one were edited or moved"));
        }
        let mut rest = Vec::new();
        self.from.read_until(b'\n', &mut rest)?;
        if !rest.is_empty() {
            self.line += 1;
            return Err(self.broken("there is text after the last line of the export"));
        }
        self.ended = true;
        Ok(())
    }

    fn next_line(&mut self) -> Result<Vec<u8>, ArchiveError> {
        let mut text = Vec::new();
        self.from.read_until(b'\n', &mut text)?;
        self.line += 1;
        if text.last() == Some(&b'\n') {
            return Ok(text);
        }
        let what = if text.is_empty() {
            "the file is cut off: its last line is missing"
        } else {
            "the file is cut off within this line"
        };
        Err(self.broken(what))
    }

    fn broken(&self, what: impl Into<String>) -> ArchiveError {
        ArchiveError::Broken { line: self.line, what: what.into() }
    }
}

/// `serde_json` would quote what stands there; place and kind of the trouble will do.
fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "does not have the fields of a dead letter",
            _ => "is not JSON",
        };
        format!("the line {what} (column {}); export the letters again", error.column())
    })
}

/// Whether AMQP has room for it; only an edited file can ask for more.
fn sendable(message: &Message) -> bool {
    let properties = &message.properties;
    let texts = [
        &properties.content_type,
        &properties.content_encoding,
        &properties.correlation_id,
        &properties.reply_to,
        &properties.expiration,
        &properties.message_id,
        &properties.kind,
        &properties.user_id,
        &properties.app_id,
        &properties.cluster_id,
    ];
    let address = [&message.exchange, &message.routing_key];
    let mut texts = texts.into_iter().flatten().chain(address);
    texts.all(|it| it.len() <= LONGEST_SHORT) && properties.headers.iter().all(names_fit)
}

fn names_fit(headers: &Headers) -> bool {
    headers.iter().all(|(name, value)| name.len() <= LONGEST_SHORT && value_fits(value))
}

fn value_fits(value: &Value) -> bool {
    match value {
        Value::ShortText(text) => text.len() <= LONGEST_SHORT,
        Value::Array(values) => values.iter().all(value_fits),
        Value::Table(headers) => names_fit(headers),
        _ => true,
    }
}
