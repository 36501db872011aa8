//! Publishes what no client library would: properties byte for byte, over AMQP 0-9-1 written by hand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use lapin::uri::AMQPUri;

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

    /// With a property that is a short string.
    pub fn with(self, name: &'static str, text: &[u8]) -> Self {
        self.with_bytes(name, short(text))
    }

    /// With headers: entries of a table.
    pub fn with_headers(self, entries: &[u8]) -> Self {
        self.with_bytes("headers", long(entries))
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

/// A channel with confirms on a connection of its own.
pub struct RawPublisher(TcpStream);

impl RawPublisher {
    pub async fn connect(uri: &str) -> Self {
        let AMQPUri { authority, vhost, .. } = uri.parse().unwrap();
        let stream = TcpStream::connect((authority.host.as_str(), authority.port)).await.unwrap();
        let mut it = Self(stream);
        it.0.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        it.expect((10, 10)).await;
        let user = authority.userinfo;
        let login = format!("\0{}\0{}", user.username, user.password);
        let start = [long(b""), short(b"PLAIN"), long(login.as_bytes()), short(b"en_US")].concat();
        it.method(0, (10, 11), &start).await;
        let tune = it.expect((10, 30)).await;
        // All that the broker allows, and no heartbeats.
        it.method(0, (10, 31), &[&tune[..6], &[0, 0]].concat()).await;
        let open = [short(vhost.as_bytes()), short(b""), vec![0]].concat();
        it.method(0, (10, 40), &open).await;
        it.expect((10, 41)).await;
        it.method(1, (20, 10), &short(b"")).await;
        it.expect((20, 11)).await;
        it.method(1, (85, 10), &[0]).await;
        it.expect((85, 11)).await;
        it
    }

    /// Publishes and waits until a queue has it.
    pub async fn publish(&mut self, exchange: &str, message: &Raw) {
        let mandatory = 1;
        let publish =
            [&[0, 0][..], &short(exchange.as_bytes()), &short(&message.routing_key), &[mandatory]];
        self.method(1, (60, 40), &publish.concat()).await;
        self.frame(2, 1, &message.header()).await;
        for part in message.body.chunks(100_000) {
            self.frame(3, 1, part).await;
        }
        self.expect((60, 80)).await;
    }

    async fn method(&mut self, channel: u16, (class, method): (u16, u16), arguments: &[u8]) {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.frame(1, channel, &payload).await;
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let frame = [&[kind][..], &channel.to_be_bytes(), &long(payload), &[0xCE]].concat();
        self.0.write_all(&frame).await.unwrap();
    }

    /// The arguments of the next method, which must be this one.
    async fn expect(&mut self, method: (u16, u16)) -> Vec<u8> {
        let mut head = [0; 7];
        self.0.read_exact(&mut head).await.unwrap();
        let size = u32::from_be_bytes(head[3..].try_into().unwrap());
        let mut payload = vec![0; size as usize + 1];
        self.0.read_exact(&mut payload).await.unwrap();
        payload.pop();
        let number = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
        let text = payload[4..].escape_ascii();
        assert_eq!((number(0), number(2)), method, "the broker says otherwise: {text}");
        payload[4..].to_vec()
    }
}
