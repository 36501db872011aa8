//! A broker that is not there, or ends each session: the pauses between the tries, and a stop in the midst of one.

use tokio::time::{Instant, sleep_until};

use super::*;
use crate::pipeline::memory::MemorySession;

/// Keeps when it was asked, and is never there.
#[derive(Default)]
struct Absent(RefCell<Vec<Instant>>);

impl Source for Absent {
    type Session = MemorySession;

    async fn open(&self) -> Result<MemorySession, SourceError> {
        self.0.borrow_mut().push(Instant::now());
        Err(SourceError::Failed("absent".to_owned()))
    }
}

/// Ends each session after this time.
struct Ending {
    after: Duration,
    queue: MemoryQueue,
    opened: RefCell<Vec<Instant>>,
}

impl Source for Ending {
    type Session = EndingSession;

    async fn open(&self) -> Result<EndingSession, SourceError> {
        self.opened.borrow_mut().push(Instant::now());
        let session = self.queue.open().await?;
        Ok(EndingSession { session, end: Instant::now() + self.after })
    }
}

struct EndingSession {
    session: MemorySession,
    end: Instant,
}

impl Session for EndingSession {
    type Receipt = <MemorySession as Session>::Receipt;
    type Settler = <MemorySession as Session>::Settler;

    async fn next(&mut self) -> Result<Delivery<Self::Receipt>, SourceError> {
        sleep_until(self.end).await;
        Err(SourceError::Failed("the node is restarted".to_owned()))
    }

    fn settler(&self) -> Self::Settler {
        self.session.settler()
    }

    async fn stop_taking(&mut self) -> Vec<Delivery<Self::Receipt>> {
        self.session.stop_taking().await
    }

    async fn close(self) {
        self.session.close().await;
    }
}

/// The pauses after sessions that last for so long, in an hour.
async fn pauses_after_sessions_of(after: Duration) -> Vec<Duration> {
    let (ask, stop) = watch::channel(false);
    let (queue, opened) = Default::default();
    let worker = worker(Ending { after, queue, opened }, Flaky::default(), IN_ORDER);
    let asking = async {
        tokio::time::sleep(Duration::from_hours(1)).await;
        ask.send_replace(true);
    };
    join(worker.run(stop), asking).await;
    let opened = worker.source.opened.take();
    opened.windows(2).map(|two| two[1].duration_since(two[0]).saturating_sub(after)).collect()
}

/// Runs a worker for so long. Returns when it tried, and how long it took to stop.
async fn try_for(time: Duration) -> (Vec<Instant>, Duration) {
    let (ask, stop) = watch::channel(false);
    let worker = worker(Absent::default(), Flaky::default(), IN_ORDER);
    let asking = async {
        tokio::time::sleep(time).await;
        ask.send_replace(true);
        Instant::now()
    };
    let ((), asked) = join(worker.run(stop), asking).await;
    (worker.source.0.take(), asked.elapsed())
}

#[tokio::test(start_paused = true)]
async fn tries_come_soon_at_first_then_seldom_and_never_in_step() {
    let (tries, _) = try_for(Duration::from_hours(1)).await;
    let pauses: Vec<_> = tries.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses[0] < Duration::from_secs(1), "{pauses:?}");
    let late = &pauses[20..];
    let seldom = Duration::from_secs(15)..=Duration::from_secs(31);
    assert!(late.iter().all(|pause| seldom.contains(pause)), "{late:?}");
    let distinct: BTreeSet<_> = late.iter().collect();
    assert!(distinct.len() > late.len() / 4, "a fleet would knock in step: {late:?}");
}

/// As when the nodes of a cluster are restarted in turn.
#[tokio::test(start_paused = true)]
async fn however_often_a_session_is_lost_the_next_one_comes_soon_if_it_had_worked() {
    let pauses = pauses_after_sessions_of(Duration::from_secs(6)).await;
    assert!(pauses.iter().all(|pause| *pause < Duration::from_secs(1)), "{pauses:?}");
    let pauses = pauses_after_sessions_of(Duration::from_secs(4)).await;
    let late = &pauses[20..];
    assert!(late.iter().all(|pause| *pause > Duration::from_secs(10)), "{late:?}");
}

/// However long the pause has become.
#[tokio::test(start_paused = true)]
async fn a_stop_is_obeyed_at_once_in_the_midst_of_a_pause() {
    for after in [1, 700, 20_000, 3_600_000] {
        let (_, took) = try_for(Duration::from_millis(after)).await;
        assert_eq!(took, Duration::ZERO, "told after {after} ms");
    }
}
