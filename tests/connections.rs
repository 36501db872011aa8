//! A night of failed connections leaves nothing behind: no socket, no thread, no task.
//!
//! In a binary of its own, since it counts what its process has.

#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use event_pusher_sns::config::{Config, Inputs};
use event_pusher_sns::plugin::DefaultPlugin;
use event_pusher_sns::rabbitmq::connection::Broker;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

const TRIES: usize = 16;
const AT_ONCE: usize = 8;

/// Tasks of the test itself.
const LISTENERS: usize = 4;

/// How long a try may take, in milliseconds.
const PATIENCE: u64 = 150;

/// What a process has that it can run out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    threads: usize,
    tasks: usize,
}

impl Held {
    fn now() -> Self {
        let entries = |folder: &str| Path::new(folder).read_dir().unwrap().flatten();
        // The runtime keeps threads of its own for 10 s after it has looked up a name.
        let is_lapins = |thread: &PathBuf| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("lapin"))
        };
        Self {
            descriptors: entries("/proc/self/fd").count(),
            threads: entries("/proc/self/task").map(|it| it.path()).filter(is_lapins).count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }
}

fn broker(uri: &str) -> Broker {
    let environment = vec![("EVENT_PUSHER__AMQP__URI".to_owned(), uri.to_owned())];
    let config = Config::load(&Inputs { environment, ..Inputs::default() }, &[DefaultPlugin::NAME]);
    Broker::new(config.unwrap().amqp, "test".to_owned())
}

/// A port where every connection is treated so. The listener ends with the runtime.
async fn server<F: Future<Output = ()> + Send + 'static>(
    treat: impl Fn(TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(treat(stream));
        }
    });
    port
}

/// Reads until the client goes.
async fn say_nothing(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn say_nonsense(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    say_nothing(stream).await;
}

/// Begins as RabbitMQ does, with a frame of 500 bytes, and goes no further.
async fn stop_short(mut stream: TcpStream) {
    let _ = stream.write_all(&[1, 0, 0, 0, 0, 1, 0xf4, 0, 10, 0, 10]).await;
    say_nothing(stream).await;
}

/// Tries that often, some at once. Returns what is left when the process has come to rest, with no more
/// descriptors than `before`.
async fn try_in_vain(what: &str, scheme: &str, port: u16, before: Option<Held>) -> Held {
    let uri = format!("{scheme}://127.0.0.1:{port}/%2f?connection_timeout={PATIENCE}");
    let broker = broker(&uri);
    for _ in 0..TRIES / AT_ONCE {
        for refusal in join_all((0..AT_ONCE).map(|_| broker.connect("test"))).await {
            assert!(refusal.is_err(), "{what} is not refused");
        }
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let left = Held::now();
        let is_quiet = left.threads == 0 && left.tasks == LISTENERS;
        if is_quiet && before.is_none_or(|before| left == before) {
            return left;
        }
        assert!(Instant::now() < deadline, "{what}, by {scheme}: {left:?}, before {before:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn failed_connections_leave_no_socket_no_thread_and_no_task() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let silent = server(say_nothing).await;
    let ports = [
        ("a broker that is not there", closed),
        ("one that says nothing", silent),
        ("one that hangs up", server(|stream| async { drop(stream) }).await),
        ("one that is none", server(say_nonsense).await),
        ("one that stops short", server(stop_short).await),
    ];
    // The first that reach lapin's thread make it start a runtime that the process keeps.
    let before = try_in_vain("one that says nothing", "amqp", silent, None).await;
    for scheme in ["amqp", "amqps"] {
        for (what, port) in ports {
            try_in_vain(what, scheme, port, Some(before)).await;
        }
    }
}
