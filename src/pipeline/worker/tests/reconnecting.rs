//! A broker that is not there: the pauses between the tries, and a stop in the midst of one.

use tokio::time::Instant;

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

/// However long the pause has become.
#[tokio::test(start_paused = true)]
async fn a_stop_is_obeyed_at_once_in_the_midst_of_a_pause() {
    for after in [1, 700, 20_000, 3_600_000] {
        let (_, took) = try_for(Duration::from_millis(after)).await;
        assert_eq!(took, Duration::ZERO, "told after {after} ms");
    }
}
