//! Many who watch.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::worker_on;
use crate::fake_sns::FakeSns;
use crate::support::{Admin, Event, Stand};

/// Opens a stream and returns it with the status of its answer; `None` if there is none for a while.
async fn watch(admin: &Admin) -> Option<(TcpStream, u16)> {
    let mut stream = TcpStream::connect(admin.address()).await.unwrap();
    let request = format!("GET /api/stream HTTP/1.1\r\nHost: {}\r\n\r\n", admin.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    timeout(Duration::from_secs(20), stream.read_exact(&mut head)).await.ok()?.ok()?;
    let status = std::str::from_utf8(&head[9..]).unwrap().parse().unwrap();
    Some((stream, status))
}

/// Whether the worker has not closed it: under load it may close one that it has just accepted, to make room.
fn is_open(stream: &mut std::net::TcpStream) -> bool {
    let mut part = [0; 16 * 1024];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// A thousand connections need more than a desktop lets a process open unless it asks.
fn may_open_many() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(4096)), hard).unwrap();
}

#[tokio::test]
async fn a_thousand_open_streams_keep_neither_the_work_nor_the_probes_waiting() {
    let (stand, sns) = (Stand::new("page-streams").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    admin.is_ready().await;
    may_open_many();
    let answers = join_all((0..1000).map(|_| watch(&admin))).await;
    let into_std = |(stream, status): (TcpStream, u16)| (stream.into_std().unwrap(), status);
    let mut streams: Vec<_> = answers.into_iter().flatten().map(into_std).collect();
    assert!(streams.iter().all(|(_, status)| [200, 503].contains(status)), "{streams:?}");
    // Places that became free again are taken until all are.
    while {
        streams.retain_mut(|(stream, status)| *status == 200 && is_open(stream));
        streams.len() < 16
    } {
        streams.extend(watch(&admin).await.map(into_std));
    }
    let one_more = watch(&admin).await.map(into_std);
    assert_eq!((streams.len(), one_more.map(|(_, status)| status)), (16, Some(503)));
    let began = Instant::now();
    for path in ["/livez", "/readyz", "/metrics", "/api/status"] {
        assert_eq!(admin.read(path, &[]).await.status, 200, "{path}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    stand.publish_all((0..500).map(|it| Event::chat("ann@h", "bob@h", &it.to_string()))).await;
    worker.settles(500).await;
    assert_eq!(sns.counts().messages, 500);
    drop(streams);
    // A place is free again once its page has gone.
    crate::support::wait_for("a free place", async || {
        watch(&admin).await.filter(|(_, status)| *status == 200)
    })
    .await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_stream_tells_how_things_are_every_second() {
    let (stand, sns) = (Stand::new("page-stream").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    let (mut stream, status) = watch(&admin).await.unwrap();
    assert_eq!(status, 200);
    let mut text = String::new();
    let mut part = vec![0; 16 * 1024];
    // It is well once the depth of the dead-letter queue is known, too.
    let good = "\"headline\":{\"level\":\"good\"";
    while text.matches("event: frame\n").count() < 4 || !text.contains(good) {
        let read = timeout(Duration::from_secs(30), stream.read(&mut part)).await.unwrap().unwrap();
        assert!(read > 0, "it ended after {text}");
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    assert!(
        text.contains("event: points\n") && text.contains("content-type: text/event-stream"),
        "{text}"
    );
    worker.stop().await;
    stand.leave_nothing().await;
}
