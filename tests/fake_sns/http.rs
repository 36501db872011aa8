//! As much HTTP/1.1 as a client that keeps its connections needs.

use std::io;
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Well above the largest batch, which may be three times its size when encoded.
const MAX_REQUEST: usize = 8 << 20;

/// A connection and what was read from it.
pub(super) struct Exchange {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    /// How much of the buffer the request of this moment takes.
    taken: usize,
}

impl Exchange {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::with_capacity(16 << 10), taken: 0 }
    }

    /// Reads the next request and returns its head and its body; `None` when the client is gone.
    pub(super) async fn request(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let body = loop {
            if let Some(body) = body_of(&self.buffer)? {
                break body;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        };
        self.taken = body.end;
        Ok(Some((&self.buffer[..body.start], &self.buffer[body])))
    }

    /// Waits until the client hangs up.
    pub(super) async fn hung_up(&mut self) {
        while !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(0) | Err(_)) {}
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }
}

/// The id of the key that signed a request.
pub(super) fn signer(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    let credential = head.split_once("Credential=").and_then(|(_, rest)| rest.split_once('/'));
    credential.map(|(id, _)| id.to_owned()).unwrap_or_default()
}

/// Where the body is, if all of it has come.
fn body_of(buffer: &[u8]) -> io::Result<Option<Range<usize>>> {
    let Some(head) = buffer.windows(4).position(|it| it == b"\r\n\r\n") else {
        return if buffer.len() > MAX_REQUEST { Err(invalid("an endless head")) } else { Ok(None) };
    };
    let start = head + 4;
    let length = content_length(&buffer[..head])?;
    if length > MAX_REQUEST {
        return Err(invalid("a body beyond all limits"));
    }
    let body = start..start + length;
    Ok((buffer.len() >= body.end).then_some(body))
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    const NAME: &[u8] = b"content-length:";
    let line = head
        .split(|&byte| byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME));
    let Some(line) = line else { return Ok(0) };
    let number = str::from_utf8(&line[NAME.len()..]).ok().and_then(|it| it.trim().parse().ok());
    number.ok_or_else(|| invalid("a content-length that is no number"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
