//! A door between the worker and a server, which the test opens and closes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::wait_for;

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// It is taken, and nothing goes through until the door opens; nor by those that are there.
    Silent,
    /// It is taken and ended at once. Those that are there stall.
    Refusing,
    /// It goes through, until so many bytes have come from the server.
    Ajar(usize),
    /// It goes through.
    Open,
}

/// Listens on a port of its own until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    door: watch::Sender<Door>,
    taken: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Leads to the host and port of a URL.
    pub async fn start(url: &str, door: Door) -> Self {
        let target = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (door, seen) = watch::channel(door);
        let taken = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&taken);
        let listening = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counting.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(pass(stream, target.clone(), seen.clone()));
            }
        });
        Self { address, door, taken, listening }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL, with the door's address for the server's.
    pub fn instead_of(&self, url: &str) -> String {
        url.replacen(authority(url), &self.address.to_string(), 1)
    }

    pub fn set(&self, door: Door) {
        self.door.send_replace(door);
    }

    /// How many connections have come.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until so many connections have come.
    pub async fn takes(&self, count: usize) {
        let what = format!("{count} connections to {}", self.address);
        let enough = async || (self.taken() >= count).then_some(());
        wait_for(&what, enough).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Host and port of a URL.
fn authority(url: &str) -> &str {
    url.split('/').nth(2).unwrap().rsplit('@').next().unwrap()
}

async fn pass(mut stream: TcpStream, target: String, mut door: watch::Receiver<Door>) {
    if *door.borrow() == Door::Refusing {
        // What is unread at the end becomes a reset, and whether the client sees that or the
        // end first is a race.
        let _ = stream.read(&mut [0; 4096]).await;
        return;
    }
    if opened(&mut door).await.is_none() {
        return;
    }
    if let Ok(server) = TcpStream::connect(target).await {
        let (from_client, to_client) = stream.into_split();
        let (from_server, to_server) = server.into_split();
        // Either side may leave as it likes.
        tokio::select! {
            _ = carry(from_client, to_server, door.clone(), false) => {}
            _ = carry(from_server, to_client, door, true) => {}
        }
    }
}

/// Carries what comes, while the door is open.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut door: watch::Receiver<Door>,
    is_counted: bool,
) -> Option<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut carried = 0;
    loop {
        let count = from.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        let passes = |door: &Door| match door {
            Door::Ajar(most) => !is_counted || carried + count <= *most,
            door => *door == Door::Open,
        };
        door.wait_for(passes).await.ok()?;
        to.write_all(&buffer[..count]).await.ok()?;
        carried += count;
    }
}

/// `None`: the proxy has gone.
async fn opened(door: &mut watch::Receiver<Door>) -> Option<()> {
    let opens = |door: &Door| matches!(door, Door::Open | Door::Ajar(_));
    door.wait_for(opens).await.ok().map(drop)
}
