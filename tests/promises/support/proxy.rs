//! A door between the worker and a server, which the test opens and closes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
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

/// How the network is at the moment.
#[derive(Debug, Clone, Copy)]
struct State {
    door: Door,
    /// A connection that was made under another number is reset.
    cuts: u64,
    delay: Duration,
}

/// Listens on a port of its own until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    taken: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Leads to the host and port of a URL.
    pub async fn start(url: &str, door: Door) -> Self {
        let target = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State { door, cuts: 0, delay: Duration::ZERO });
        let taken = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&taken);
        let listening = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counting.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(pass(stream, target.clone(), seen.clone()));
            }
        });
        Self { address, state, taken, listening }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL, with the door's address for the server's.
    pub fn instead_of(&self, url: &str) -> String {
        url.replacen(authority(url), &self.address.to_string(), 1)
    }

    pub fn set(&self, door: Door) {
        self.state.send_modify(|state| state.door = door);
    }

    /// Resets every connection that there is.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// What goes through takes so much longer, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
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

async fn pass(mut stream: TcpStream, target: String, mut state: watch::Receiver<State>) {
    let State { door, cuts, .. } = *state.borrow();
    if door == Door::Refusing {
        // What is unread at the end becomes a reset, and whether the client sees that or the
        // end first is a race.
        let _ = stream.read(&mut [0; 4096]).await;
        return;
    }
    let mut cutting = state.clone();
    tokio::select! {
        () = lead(&mut stream, target, &mut state) => {}
        _ = cutting.wait_for(|state| state.cuts != cuts) => {
            let _ = stream.set_zero_linger();
        }
    }
}

/// Leads to the server once the door is open, until either side leaves, as it likes.
async fn lead(client: &mut TcpStream, target: String, state: &mut watch::Receiver<State>) {
    let opens = |state: &State| matches!(state.door, Door::Open | Door::Ajar(_));
    if state.wait_for(opens).await.is_err() {
        return;
    }
    if let Ok(mut server) = TcpStream::connect(target).await {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            _ = carry(from_client, to_server, state.clone(), false) => {}
            _ = carry(from_server, to_client, state.clone(), true) => {}
        }
    }
}

/// Carries what comes, while the door is open.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut state: watch::Receiver<State>,
    is_counted: bool,
) -> Option<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut carried = 0;
    loop {
        let count = from.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        let passes = |state: &State| match state.door {
            Door::Ajar(most) => !is_counted || carried + count <= most,
            door => door == Door::Open,
        };
        let delay = state.wait_for(passes).await.ok()?.delay;
        tokio::time::sleep(delay).await;
        to.write_all(&buffer[..count]).await.ok()?;
        carried += count;
    }
}
