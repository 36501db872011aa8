//! For how long nothing was heard.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::fake_sns::FakeSns;

/// Longer ones are told one by one.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// The pauses between what is heard.
pub(super) struct Gaps {
    began: Instant,
    last: Instant,
    /// When each began, and how long it was.
    long: Vec<(Duration, Duration)>,
    longest: Duration,
}

impl Gaps {
    pub(super) fn begin() -> Self {
        let began = Instant::now();
        Self { began, last: began, long: vec![], longest: Duration::ZERO }
    }

    pub(super) fn heard(&mut self) {
        let now = Instant::now();
        let gap = now - self.last;
        self.longest = self.longest.max(gap);
        if gap > WORTH_TELLING {
            self.long.push((self.last - self.began, gap));
        }
        self.last = now;
    }

    pub(super) fn told(&self) -> String {
        let mut told = format!("for {:.1} s at most", self.longest.as_secs_f64());
        for (at, gap) in &self.long {
            let (at, gap) = (at.as_secs_f64(), gap.as_secs_f64());
            let _ = write!(told, "; for {gap:.1} s after {at:.0} s");
        }
        told
    }
}

/// Listens at the fake.
pub(super) struct Silence {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Gaps>,
}

impl Silence {
    pub(super) fn listen(sns: &FakeSns) -> Self {
        let mut counts = sns.watch();
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let (mut gaps, mut heard) = (Gaps::begin(), counts.borrow().messages);
            loop {
                tokio::select! {
                    changed = counts.changed() => changed.expect("the fake is gone"),
                    _ = &mut stopped => return gaps,
                }
                let messages = counts.borrow_and_update().messages;
                if messages > heard {
                    heard = messages;
                    gaps.heard();
                }
            }
        });
        Self { stop, task }
    }

    pub(super) async fn end(self) -> String {
        let _ = self.stop.send(());
        format!("SNS accepted nothing {}", self.task.await.unwrap().told())
    }
}
