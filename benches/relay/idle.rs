//! The quiet hours: events that come one at a time.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::Result;
use crate::fake::Fake;
use crate::medians::median;
use crate::rounds::Bench;

const EVENTS: u32 = 20;

/// Longer than any linger.
const BETWEEN: Duration = Duration::from_millis(50);

const QUIET: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Idle {
    pub events: u32,
    pub requests: u64,
    /// From publishing an event to SNS's having it, the median.
    pub milliseconds: f64,
    /// What a worker with nothing to do takes each second.
    pub cpu_ms_per_second: f64,
}

pub(crate) async fn measure(bench: &Bench<'_>, fake: &mut Fake) -> Result<Idle> {
    bench.stand.refill(0).await?;
    let mut worker = bench.start_worker(fake, &[])?;
    worker.says_soon("consuming").await?;
    let before = worker.cpu()?;
    sleep(QUIET).await;
    let quiet = worker.cpu()?.saturating_sub(before);
    let (mut requests, mut took) = (0, Vec::new());
    for _ in 0..EVENTS {
        fake.expect(1, Duration::ZERO).await?;
        let began = Instant::now();
        bench.stand.add(1).await?;
        let reached = timeout(Duration::from_secs(10), fake.reached()).await;
        reached.map_err(|_| "an event that came alone was not published")??;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        sleep(BETWEEN).await;
        requests += fake.counts().await?.requests;
    }
    worker.stop().await?;
    Ok(Idle {
        events: EVENTS,
        requests,
        milliseconds: median(took).unwrap_or_default(),
        cpu_ms_per_second: quiet.as_secs_f64() * 1000.0 / QUIET.as_secs_f64(),
    })
}
