//! A broker that says that it is another one: RabbitMQ behind a door that changes product and version in its greeting.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Type, channel and size of a frame.
const HEAD: usize = 7;
/// Class, method and AMQP's version; the properties' size comes next.
const BEFORE_PROPERTIES: usize = HEAD + 6;

/// Listens on a port of its own until it is dropped.
pub struct Poser {
    address: SocketAddr,
    listening: JoinHandle<()>,
}

impl Poser {
    /// Leads to the broker of this URI.
    pub async fn start(uri: &str, product: &str, version: &str) -> Self {
        let target = authority(uri).to_owned();
        let (product, version) = (product.to_owned(), version.to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listening = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let passing = pass(client, target.clone(), product.clone(), version.clone());
                tokio::spawn(passing);
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

async fn pass(mut client: TcpStream, target: String, product: String, version: String) {
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
    for (name, value) in [("product", product), ("version", version)] {
        replace(&mut frame, name, &value);
    }
    if client.write_all(&frame).await.is_ok() {
        // Either may leave as it likes.
        let _ = copy_bidirectional(&mut client, &mut server).await;
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
