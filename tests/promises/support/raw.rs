//! Publishes what no client library would, and reads what none can: messages byte for byte, over
//! AMQP 0-9-1 written by hand.

mod delivery;

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use lapin::uri::AMQPUri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub use delivery::RawDelivery;

/// All properties of a message, in AMQP's order.
const PROPERTIES: [&str; 14] = [
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
];

/// A message, byte for byte.
#[derive(Debug, Clone)]
pub struct Raw {
    pub routing_key: Vec<u8>,
    /// By name, as they are on the wire.
    properties: Vec<(&'static str, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { routing_key: b"test".to_vec(), properties: vec![], body: body.into() }
    }

    pub fn routed(self, routing_key: &[u8]) -> Self {
        Self { routing_key: routing_key.to_vec(), ..self }
    }

    pub fn carrying(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    /// With a property that is a short string.
    pub fn with(self, name: &'static str, text: &[u8]) -> Self {
        self.with_bytes(name, short(text))
    }

    /// With headers: entries of a table.
    pub fn with_headers(self, entries: &[u8]) -> Self {
        self.with_bytes("headers", long(entries))
    }

    pub fn has(&self, name: &str) -> bool {
        self.properties.iter().any(|(it, _)| *it == name)
    }

    fn with_bytes(mut self, name: &'static str, bytes: Vec<u8>) -> Self {
        self.properties.push((name, bytes));
        self
    }

    fn header(&self) -> Vec<u8> {
        let mut flags = 0_u16;
        let mut properties = vec![];
        for (place, name) in PROPERTIES.iter().enumerate() {
            for (_, bytes) in self.properties.iter().filter(|(it, _)| it == name) {
                flags |= 0x8000 >> place;
                properties.extend_from_slice(bytes);
            }
        }
        let size = (self.body.len() as u64).to_be_bytes();
        [&[0, 60, 0, 0][..], &size, &flags.to_be_bytes(), &properties].concat()
    }
}

pub fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

pub fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A header: its name, the octet of its type, its value.
pub fn entry(name: &[u8], kind: u8, value: &[u8]) -> Vec<u8> {
    [&short(name)[..], &[kind], value].concat()
}

/// A header that is so many tables (`F`) or lists (`A`) within each other.
pub fn nested(kind: u8, depth: usize) -> Vec<u8> {
    let mut content = vec![];
    for _ in 1..depth {
        let name = if kind == b'F' { &b"\x01n"[..] } else { b"" };
        content = [name, &[kind], &long(&content)].concat();
    }
    entry(b"deep", kind, &long(&content))
}

/// What ends a frame.
const END: u8 = 0xCE;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

/// A channel with confirms on a connection of its own.
pub struct RawPublisher {
    stream: TcpStream,
    /// Messages that were published on the channel.
    published: u64,
}

/// Of the broker, by its own word.
pub async fn version_of(uri: &str) -> io::Result<String> {
    let AMQPUri { authority, .. } = uri.parse().unwrap();
    let stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
    let said = RawPublisher { stream, published: 0 }.greet().await?;
    let name = [&short(b"version")[..], b"S"].concat();
    let at =
        said.windows(name.len()).position(|it| it == name).expect("a broker tells its version");
    let (length, text) = said[at + name.len()..].split_first_chunk().unwrap();
    Ok(String::from_utf8_lossy(&text[..u32::from_be_bytes(*length) as usize]).into_owned())
}

impl RawPublisher {
    pub async fn connect(uri: &str) -> Self {
        Self::try_connect(uri).await.unwrap()
    }

    /// The same where there may be no broker.
    pub async fn try_connect(uri: &str) -> io::Result<Self> {
        let AMQPUri { authority, vhost, .. } = uri.parse().unwrap();
        let stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
        stream.set_nodelay(true)?;
        let mut it = Self { stream, published: 0 };
        it.greet().await?;
        let user = authority.userinfo;
        let login = format!("\0{}\0{}", user.username, user.password);
        let start = [long(b""), short(b"PLAIN"), long(login.as_bytes()), short(b"en_US")].concat();
        it.method(0, (10, 11), &start).await?;
        let tune = it.expect((10, 30)).await?;
        // All that the broker allows, and no heartbeats.
        it.method(0, (10, 31), &[&tune[..6], &[0, 0]].concat()).await?;
        let open = [short(vhost.as_bytes()), short(b""), vec![0]].concat();
        it.method(0, (10, 40), &open).await?;
        it.expect((10, 41)).await?;
        it.method(1, (20, 10), &short(b"")).await?;
        it.expect((20, 11)).await?;
        it.method(1, (85, 10), &[0]).await?;
        it.expect((85, 11)).await?;
        Ok(it)
    }

    /// Says hello; the broker's answer has its properties.
    async fn greet(&mut self) -> io::Result<Vec<u8>> {
        self.stream.write_all(b"AMQP\0\0\x09\x01").await?;
        self.expect((10, 10)).await
    }

    /// Publishes and waits until a queue has it.
    pub async fn publish(&mut self, exchange: &str, message: &Raw) {
        self.send(exchange, message).await.unwrap();
        self.expect((60, 80)).await.unwrap();
    }

    /// Publishes all at once, and returns the places of those that the broker did not confirm in time. If there
    /// are any, the connection is of no more use.
    pub async fn publish_all(
        &mut self,
        exchange: &str,
        messages: &[Raw],
        within: Duration,
    ) -> Vec<usize> {
        let before = self.published;
        let mut left: BTreeSet<_> = (0..messages.len()).collect();
        let publishing = async {
            for message in messages {
                self.send(exchange, message).await?;
            }
            while !left.is_empty() {
                let ack = self.expect((60, 80)).await?;
                let (tag, multiple) = ack.split_at(8);
                let tag = u64::from_be_bytes(tag.try_into().unwrap());
                let place = usize::try_from(tag - before - 1).unwrap();
                left.retain(|it| *it != place && (multiple == [0] || *it > place));
            }
            io::Result::Ok(())
        };
        // How it went is told by what is left.
        let _ = tokio::time::timeout(within, publishing).await;
        left.into_iter().collect()
    }

    /// Takes a message out of a queue.
    pub async fn get(&mut self, queue: &str) -> Option<RawDelivery> {
        let no_ack = 1;
        let get = [&[0, 0][..], &short(queue.as_bytes()), &[no_ack]].concat();
        self.method(1, (60, 70), &get).await.unwrap();
        let answer = self.next_frame().await.unwrap();
        match answer[..4] {
            [0, 60, 0, 72] => return None,
            [0, 60, 0, 71] => {}
            _ => panic!("the broker says otherwise: {}", answer.escape_ascii()),
        }
        let header = self.next_frame().await.unwrap();
        let size = u64::from_be_bytes(header[4..12].try_into().unwrap());
        let mut body = vec![];
        while (body.len() as u64) < size {
            body.extend(self.next_frame().await.unwrap());
        }
        Some(RawDelivery::new(&header[12..], body))
    }

    async fn send(&mut self, exchange: &str, message: &Raw) -> io::Result<()> {
        let mandatory = 1;
        let key = short(&message.routing_key);
        let publish =
            [&[0, 60, 0, 40, 0, 0][..], &short(exchange.as_bytes()), &key, &[mandatory]].concat();
        let mut frames = [frame(METHOD, 1, &publish), frame(HEADER, 1, &message.header())].concat();
        for part in message.body.chunks(100_000) {
            frames.extend(frame(BODY, 1, part));
        }
        self.published += 1;
        self.stream.write_all(&frames).await
    }

    async fn method(
        &mut self,
        channel: u16,
        (class, method): (u16, u16),
        arguments: &[u8],
    ) -> io::Result<()> {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.stream.write_all(&frame(METHOD, channel, &payload)).await
    }

    /// The arguments of the next method, which must be this one.
    async fn expect(&mut self, method: (u16, u16)) -> io::Result<Vec<u8>> {
        let payload = self.next_frame().await?;
        let number = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
        if (number(0), number(2)) != method {
            let text = payload[4..].escape_ascii();
            return Err(io::Error::other(format!("the broker says otherwise: {text}")));
        }
        Ok(payload[4..].to_vec())
    }

    /// The next frame's payload.
    async fn next_frame(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let mut head = [0; 7];
            self.stream.read_exact(&mut head).await?;
            let size = u32::from_be_bytes(head[3..].try_into().unwrap());
            let mut payload = vec![0; size as usize + 1];
            self.stream.read_exact(&mut payload).await?;
            assert_eq!(payload.pop(), Some(END));
            if head[0] != HEARTBEAT {
                return Ok(payload);
            }
        }
    }
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &channel.to_be_bytes(), &long(payload), &[END]].concat()
}
