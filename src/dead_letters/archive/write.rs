use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::letter::LetterId;
use super::{ArchiveLine, Body, FORMAT, Head, Tail, VERSION};
use crate::rabbitmq::message::Message;
use crate::text::{hexadecimal, printable_json};

/// Writes an archive.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    hash: Sha256,
    letters: u64,
}

impl<W: Write> Writer<W> {
    /// Begins it, with the name of the queue that the letters are from.
    ///
    /// # Errors
    ///
    /// What `to` says.
    pub fn new(to: W, queue: &str) -> io::Result<Self> {
        let mut writer = Self { to, hash: Sha256::new(), letters: 0 };
        let format = FORMAT.to_owned();
        writer.line(&Head { format, version: VERSION, queue: queue.to_owned() })?;
        Ok(writer)
    }

    /// Adds a letter.
    ///
    /// # Errors
    ///
    /// What `to` says.
    pub fn add(&mut self, message: Message) -> io::Result<()> {
        let sha256 = LetterId::of(&message).in_full();
        let Message { exchange, routing_key, properties, body, unread: _ } = message;
        let body = Body::from(body);
        self.letters += 1;
        self.line(&ArchiveLine { sha256, exchange, routing_key, properties, body })
    }

    /// Ends it, and hands back what it was written to.
    ///
    /// # Errors
    ///
    /// What `to` says.
    pub fn finish(mut self) -> io::Result<W> {
        let sha256 = hexadecimal(&self.hash.clone().finalize());
        self.line(&Tail { letters: self.letters, sha256 })?;
        self.to.flush()?;
        Ok(self.to)
    }

    /// It may be shown on a terminal, and is from others.
    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(line)?;
        let mut text = printable_json(&text).into_owned();
        text.push('\n');
        self.hash.update(&text);
        self.to.write_all(text.as_bytes())
    }
}

impl Writer<Vec<u8>> {
    /// Bytes that were written and not taken.
    #[must_use]
    pub const fn written(&self) -> usize {
        self.to.len()
    }

    /// Takes what was written so far.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to)
    }
}
