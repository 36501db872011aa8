//! Workers that share a source's partitions.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{PARTITIONS, all_come};
use crate::fake_sns::FakeSns;
use crate::order::conversations::Conversations;
use crate::order::worker_on;
use crate::support::{ADMIN, Admin, Exit, Stand, Worker};

/// Between two looks at all of them, each of which costs every worker something.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The partitions settle within 15 s on a machine that has nothing else to do, and here ten workers share two processors.
const SETTLED: Duration = Duration::from_secs(6 * 15);

pub(super) struct Crew<'a> {
    stand: &'a Stand,
    sns: &'a FakeSns,
    partitions: u32,
    settings: Vec<(&'a str, &'a str)>,
    pub(super) workers: Vec<Worker>,
}

impl<'a> Crew<'a> {
    /// Nobody yet. `partitions`: their number, as the setting has it.
    pub(super) fn new(
        stand: &'a Stand,
        sns: &'a FakeSns,
        partitions: &'a str,
        further: &[(&'a str, &'a str)],
    ) -> Self {
        let settings = [(PARTITIONS, partitions), ADMIN, ("LOG__FILTER", "info")];
        let settings = [&settings[..], further].concat();
        let partitions = partitions.parse().unwrap();
        Self { stand, sns, partitions, settings, workers: Vec::new() }
    }

    /// Has the partitions declared, so that they can be filled before anybody takes from them.
    pub(super) async fn create_queues(&self) {
        worker_on(self.stand, self.sns, &self.settings).await.stop().await;
    }

    /// Starts workers at the same time, until there are so many.
    pub(super) async fn grow(&mut self, to: usize) {
        self.grow_with(to, &[]).await;
    }

    /// The same with settings of their own.
    pub(super) async fn grow_with(&mut self, to: usize, further: &[(&str, &str)]) {
        let settings = [&self.settings[..], further].concat();
        let new = self.workers.len()..to;
        let started = new.map(|_| worker_on(self.stand, self.sns, &settings));
        let started = join_all(started).await;
        self.workers.extend(started);
    }

    /// Stops the eldest at the same time, in order, until there are so many.
    pub(super) async fn shrink(&mut self, to: usize) {
        let leaving: Vec<_> = self.workers.drain(..self.workers.len() - to).collect();
        for exit in join_all(leaving.into_iter().map(Worker::stop)).await {
            left_in_order(&exit);
        }
    }

    /// SIGKILL.
    pub(super) async fn kill(&mut self, worker: usize) {
        self.workers.remove(worker).crash().await;
    }

    /// How many partitions each is active on.
    pub(super) async fn shares(&self) -> Vec<u32> {
        let share = async |worker: &Worker| {
            let scrape = Admin::of(worker).await.scrape().await;
            scrape.sum("partitions", &["source=\"events\""]).try_into().unwrap()
        };
        join_all(self.workers.iter().map(share)).await
    }

    /// The most that a worker may be active on.
    fn bound(&self) -> u32 {
        self.partitions.div_ceil(u32::try_from(self.workers.len()).unwrap())
    }

    /// Waits until each partition has one worker, and no worker has more than its share. They must all have events.
    pub(super) async fn settles(&self) {
        let (limit, begun, bound) = (SETTLED, Instant::now(), self.bound());
        loop {
            let shares = self.shares().await;
            if shares.iter().sum::<u32>() == self.partitions && shares.iter().all(|it| *it <= bound)
            {
                println!("{shares:?} after {:?}", begun.elapsed());
                return;
            }
            let (all, workers) = (self.partitions, self.workers.len());
            assert!(
                begun.elapsed() < limit,
                "after {limit:?} {workers} workers, with a bound of {bound}, are active on {shares:?} of {all} partitions"
            );
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until all that was said has come, and stops all workers. It must have come in order, and all of it by SNS.
    pub(super) async fn ends_in_order(self, said: &Conversations) {
        all_come(self.sns, said).await;
        let sns = self.sns;
        self.ends().await;
        said.came_in_order(&sns.accepted());
    }

    /// Stops all workers. All of it must have come by SNS.
    pub(super) async fn ends(self) {
        for exit in join_all(self.workers.into_iter().map(Worker::stop)).await {
            left_in_order(&exit);
        }
    }
}

fn left_in_order(exit: &Exit) {
    assert!(exit.status.success() && !exit.panicked, "{exit:?}");
    assert_eq!((exit.totals().dead_lettered, exit.totals().skipped), (0, 0), "{exit:?}");
}
