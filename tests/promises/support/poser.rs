//! A door to RabbitMQ that disguises one side: the broker, whose greeting has another product and version, or its clients, an argument
//! of which the broker does not know.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Type, channel and size of a frame.
const HEAD: usize = 7;
/// Class, method and AMQP's version; the properties' size comes next.
const BEFORE_PROPERTIES: usize = HEAD + 6;

/// What is another.
#[derive(Clone)]
enum Disguise {
    /// Product and version of the broker.
    Broker(String, String),
    /// The clients' argument of this name has another one.
    Argument(&'static str),
}

/// Listens on a port of its own until it is dropped.
pub struct Poser {
    address: SocketAddr,
    listening: JoinHandle<()>,
}

impl Poser {
    /// Leads to the broker of this URI, which says that it is another one.
    pub async fn start(uri: &str, product: &str, version: &str) -> Self {
        Self::with(uri, Disguise::Broker(product.to_owned(), version.to_owned())).await
    }

    /// Leads there, and hides this argument from the broker.
    pub async fn hiding(uri: &str, argument: &'static str) -> Self {
        Self::with(uri, Disguise::Argument(argument)).await
    }

    async fn with(uri: &str, disguise: Disguise) -> Self {
        let target = authority(uri).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listening = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(client, target.clone(), disguise.clone()));
            }
        });
        Self { address, listening }
    }

    /// The URI, with this one's address for the broker's.
    pub fn instead_of(&self, uri: &str) -> String {
        uri.replacen(authority(uri), &self.address.to_string(), 1)
    }
}

impl Drop for Poser {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn authority(uri: &str) -> &str {
    uri.split('/').nth(2).unwrap().rsplit('@').next().unwrap()
}

async fn pass(mut client: TcpStream, target: String, disguise: Disguise) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let mut hello = [0; 8];
    if client.read_exact(&mut hello).await.is_err() || server.write_all(&hello).await.is_err() {
        return;
    }
    let mut frame = vec![0; HEAD];
    server.read_exact(&mut frame).await.unwrap();
    let rest = usize::try_from(number(&frame, 3)).unwrap() + 1;
    frame.resize(HEAD + rest, 0);
    server.read_exact(&mut frame[HEAD..]).await.unwrap();
    let mut hidden = None;
    match disguise {
        Disguise::Broker(product, version) => {
            replace(&mut frame, "product", &product);
            replace(&mut frame, "version", &version);
        }
        Disguise::Argument(name) => hidden = Some(name),
    }
    if client.write_all(&frame).await.is_ok() {
        let (from_client, mut to_client) = client.split();
        let (mut from_server, to_server) = server.split();
        // Either may leave as it likes.
        tokio::select! {
            _ = carry(from_client, to_server, hidden) => {}
            _ = copy(&mut from_server, &mut to_client) => {}
        }
    }
}

/// Carries what a client says, with another name of as many bytes for what is hidden. lapin writes a method at once.
async fn carry(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, hidden: Option<&str>) -> Option<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        let said = &mut buffer[..count];
        if let Some(hidden) = hidden {
            while let Some(at) = said.windows(hidden.len()).position(|it| it == hidden.as_bytes()) {
                said[at] = b'y';
            }
        }
        to.write_all(said).await.ok()?;
    }
}

/// Gives a property another text, and its table and the frame their new sizes.
fn replace(frame: &mut Vec<u8>, name: &str, value: &str) {
    let key = [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), b"S"].concat();
    let length_at = frame.windows(key.len()).position(|it| it == key).unwrap() + key.len();
    let before = number(frame, length_at);
    let after = u32::try_from(value.len()).unwrap();
    let text = length_at + 4..length_at + 4 + usize::try_from(before).unwrap();
    frame.splice(text, value.bytes());
    for (at, size) in [
        (length_at, 0),
        (BEFORE_PROPERTIES, number(frame, BEFORE_PROPERTIES)),
        (3, number(frame, 3)),
    ] {
        let size = if at == length_at { after } else { size + after - before };
        frame[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}
