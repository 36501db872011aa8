//! What it costs a worker that it is looked at: by the page in a browser, and by Prometheus, which asks far
//! more often than usual.
//!
//! A run's speed varies more than that. So within one run the lookers come and go, and each stretch
//! of time with them is compared with its neighbour without them.

use std::convert::Infallible;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep};

use crate::Result;
use crate::fake::Fake;
use crate::medians::median;
use crate::process::Measured;
use crate::rounds::Bench;

const SCRAPE_EVERY: Duration = Duration::from_secs(1);
const CONNECT_AGAIN: Duration = Duration::from_millis(100);

/// Two frames of the page and two scrapes.
const STRETCH: Duration = Duration::from_secs(2);

/// For the prefetch to have grown.
const START: Duration = Duration::from_secs(1);

/// A run is as long as so many of the others, to be of many stretches.
const TIMES: u64 = 10;

/// With the lookers beside without them, medians over all pairs of stretches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched {
    pub pairs: usize,
    /// Events a second.
    pub speed: f64,
    /// CPU time of the worker for an event.
    pub cpu: f64,
}

/// What a stretch showed.
struct Stretch {
    events_per_s: f64,
    cpu_per_event: f64,
}

/// As many runs as there are rounds; `None` if none was long enough.
pub(crate) async fn measure(bench: &Bench<'_>, fake: &mut Fake) -> Result<Option<Watched>> {
    let (mut speeds, mut cpus) = (Vec::new(), Vec::new());
    for round in 1..=bench.arguments.rounds {
        let pairs = run(bench, fake, bench.arguments.events * TIMES).await?;
        eprintln!("round {round} of {}  f     {} pairs", bench.arguments.rounds, pairs.len());
        for [with, without] in pairs {
            speeds.push(with.events_per_s / without.events_per_s);
            cpus.push(with.cpu_per_event / without.cpu_per_event);
        }
    }
    let pairs = speeds.len();
    let medians = median(speeds).zip(median(cpus));
    Ok(medians.map(|(speed, cpu)| Watched { pairs, speed, cpu }))
}

/// Each pair with the lookers first. They come first in every second pair only, so that a trend cancels out.
async fn run(bench: &Bench<'_>, fake: &mut Fake, events: u64) -> Result<Vec<[Stretch; 2]>> {
    bench.stand.refill(events).await?;
    fake.expect(events, Duration::ZERO).await?;
    let mut worker = bench.start_worker(fake, &[])?;
    worker.says_soon("consuming").await?;
    sleep(START).await;
    let mut pairs = Vec::new();
    for watched_first in [true, false].into_iter().cycle() {
        let mut pair = Vec::new();
        for watched in [watched_first, !watched_first] {
            let stretch = stretch(&worker, fake, events);
            let stretch = if watched {
                tokio::select! {
                    stretch = stretch => stretch?,
                    Err(error) = watch(&bench.address) => return Err(error),
                }
            } else {
                stretch.await?
            };
            pair.extend(stretch);
        }
        if !watched_first {
            pair.reverse();
        }
        // The queue is empty.
        let Ok(pair) = pair.try_into() else { break };
        pairs.push(pair);
    }
    worker.stop().await?;
    Ok(pairs)
}

/// `None` if the last of the events came before its end.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
async fn stretch(worker: &Measured, fake: &mut Fake, events: u64) -> Result<Option<Stretch>> {
    let (began, cpu, before) = (Instant::now(), worker.cpu()?, fake.counts().await?.messages);
    sleep(STRETCH).await;
    let (took, cpu) = (began.elapsed(), worker.cpu()?.saturating_sub(cpu));
    let after = fake.counts().await?.messages;
    let came = after - before;
    Ok((after < events && came > 0).then(|| Stretch {
        events_per_s: came as f64 / took.as_secs_f64(),
        cpu_per_event: cpu.as_secs_f64() / came as f64,
    }))
}

/// Looks until it is dropped. Fails if an answer is none.
async fn watch(address: &str) -> Result<Infallible> {
    let page = async {
        loop {
            get(address, "/api/stream").await?;
            sleep(CONNECT_AGAIN).await;
        }
    };
    let scrape = async {
        let mut ticks = interval(SCRAPE_EVERY);
        loop {
            ticks.tick().await;
            get(address, "/metrics").await?;
        }
    };
    tokio::select! {
        ended = page => ended,
        ended = scrape => ended,
    }
}

/// Reads an answer to its end, however long that takes.
async fn get(address: &str, path: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 15];
    stream.read_exact(&mut head).await?;
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return Err(format!("{path} answers {}", String::from_utf8_lossy(&head)).into());
    }
    let mut part = vec![0; 16 * 1024];
    while stream.read(&mut part).await? > 0 {}
    Ok(())
}
