//! The network between one worker and the broker.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the network is at the moment.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// A connection that was made under another number is reset.
    cuts: u64,
    refuses: bool,
    stalls: bool,
    delay: Duration,
}

/// A way to the broker that outlives every worker that takes it. It ends when dropped.
pub struct Link {
    address: SocketAddr,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

impl Link {
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State::default());
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, target.clone(), seen.clone()));
            }
        });
        Self { address, state, listening }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every connection that there is.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    pub fn refuse(&self, refuses: bool) {
        self.state.send_modify(|state| state.refuses = refuses);
    }

    /// Nothing goes through, in either direction, and nobody is told.
    pub fn stall(&self, stalls: bool) {
        self.state.send_modify(|state| state.stalls = stalls);
    }

    /// In each direction.
    pub fn delay(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn carry(mut worker: TcpStream, target: String, state: watch::Receiver<State>) {
    // Whatever ends here without more ado ends as a reset.
    let _ = worker.set_zero_linger();
    let now = *state.borrow();
    if now.refuses {
        return;
    }
    let Ok(mut broker) = TcpStream::connect(target).await else { return };
    let _ = worker.set_nodelay(true);
    let _ = broker.set_nodelay(true);
    let mut cutting = state.clone();
    let (from_worker, to_worker) = worker.split();
    let (from_broker, to_broker) = broker.split();
    tokio::select! {
        _ = pump(from_worker, to_broker, state.clone()) => {}
        _ = pump(from_broker, to_worker, state) => {}
        _ = cutting.wait_for(|state| state.cuts != now.cuts) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let delay = match state.wait_for(|state| !state.stalls).await {
            Ok(state) => state.delay,
            Err(_) => return Ok(()),
        };
        tokio::time::sleep(delay).await;
        to.write_all(&buffer[..read]).await?;
    }
}
