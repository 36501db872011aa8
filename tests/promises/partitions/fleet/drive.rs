//! A plan, carried out.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::account::Account;
use super::excuses::{Excuse, Excuses};
use super::plan::{Plan, Step, Trouble};
use super::producer::produce;
use super::report::Report;
use super::sky::Sky;
use super::workers::{Slot, Workers};
use crate::fake_sns::FakeSns;
use crate::order::conversations::number_of;
use crate::partitions::all_partitions;
use crate::support::Stand;

/// Between two looks at what SNS has taken.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Between two lines of progress.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// Without anything new after all is healed: several times as long as a worker that was frozen keeps its partitions, and
/// as a held topic waits for its next probe.
const STANDSTILL: Duration = Duration::from_mins(1);

struct Drive<'a> {
    plan: &'a Plan,
    stand: &'a Stand,
    sns: &'a FakeSns,
    workers: &'a Workers,
    sky: Sky,
    account: RefCell<Account>,
    began: Instant,
}

/// Carries out a plan, waits until all is published or nothing moves any more, stops the workers, and counts.
pub async fn drive(plan: &Plan, stand: &Stand, sns: &FakeSns, workers: &Workers) -> Report {
    let sky = Sky::above(sns, stand, plan.size.seed);
    workers.begin(plan.first).await;
    let (account, began) = (RefCell::default(), Instant::now());
    let drive = Drive { plan, stand, sns, workers, sky, account, began };
    let acts = async {
        let troubles = join_all(
            workers
                .slots
                .iter()
                .zip(&plan.troubles)
                .map(|(slot, steps)| drive.trouble(slot, steps)),
        );
        tokio::join!(produce(plan, stand, began, &drive.account), troubles, drive.weather());
        drive.tell("all is sent and healed; waiting for what is left");
        drive.all_is_published().await;
    };
    tokio::select! {
        () = acts => {}
        () = drive.watch() => {}
    }
    let ended_by_themselves = workers.ended_by_themselves();
    workers.stop().await;
    drive.report(ended_by_themselves).await
}

impl Drive<'_> {
    /// What happens to one worker, one thing after the other.
    async fn trouble(&self, slot: &Slot, steps: &[Step<Trouble>]) {
        for Step { at, what } in steps {
            sleep_until(self.began + *at).await;
            match *what {
                Trouble::Arrive => slot.arrive(),
                Trouble::Kill(away) => {
                    slot.kill().await;
                    sleep(away).await;
                    slot.arrive();
                }
                Trouble::Stop(away) => {
                    slot.stop().await;
                    sleep(away).await;
                    slot.arrive();
                }
                Trouble::Freeze(lasts) => slot.freeze(sleep(lasts)).await,
            }
        }
    }

    async fn weather(&self) {
        for Step { at, what } in &self.plan.weather {
            sleep_until(self.began + *at).await;
            self.sky.begin(self.sns, what.fault);
            sleep(what.lasts).await;
            self.sky.clear(self.sns);
        }
    }

    /// Enters what SNS has taken, and says what there is to say; never ends.
    async fn watch(&self) {
        let mut ticks = interval(LOOK_AGAIN);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Instant::now();
        loop {
            ticks.tick().await;
            self.enter_published();
            if told.elapsed() >= TELL_AGAIN {
                told = Instant::now();
                let fault =
                    self.sky.fault().map_or("no fault of SNS".to_owned(), |it| it.to_string());
                self.tell(&format!("{}, {fault}", self.workers.describe()));
            }
        }
    }

    fn enter_published(&self) {
        let mut account = self.account.borrow_mut();
        let known = account.overtaken.len();
        for message in self.sns.take_accepted() {
            let (key, number) = number_of(&message);
            account.published(key, number, message.request);
        }
        for it in &account.overtaken[known..] {
            println!("overtaken: key {}, event {} by event {}", it.key, it.number, it.by);
        }
    }

    /// Or there is nothing new for long.
    async fn all_is_published(&self) {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let (sent, published) = self.sent_and_published();
            let dead = self.stand.ready(&self.stand.dead_letter_queue()).await as usize;
            if published + dead >= sent {
                return;
            }
            if published > before {
                (before, since) = (published, Instant::now());
            }
            if since.elapsed() > STANDSTILL {
                return self.tell("nothing moves any more");
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn sent_and_published(&self) -> (usize, usize) {
        let account = self.account.borrow();
        (account.sent_count(), account.published_count())
    }

    fn tell(&self, what: &str) {
        let (sent, published) = self.sent_and_published();
        let (seconds, waiting) = (self.began.elapsed().as_secs(), sent.saturating_sub(published));
        println!("{seconds:4} s  sent {sent}, published {published}, waiting {waiting}; {what}");
    }

    async fn report(self, ended_by_themselves: Vec<String>) -> Report {
        let lasted = self.began.elapsed();
        self.enter_published();
        let mut account = self.account.into_inner();
        while let Some(letter) = self.stand.dead_letter_now().await {
            let body: serde_json::Value = serde_json::from_slice(&letter.data).unwrap();
            let text = body["message"].as_str().and_then(|it| it.split_once(' '));
            let (key, number) = text.expect("a dead letter is not one of the events sent");
            account.dead(key.parse().unwrap(), number.parse().unwrap());
        }
        let mut queued = 0;
        for queue in all_partitions(self.stand, self.plan.size.partitions) {
            queued += self.stand.ready(&queue).await;
        }
        queued += self.stand.ready(&self.stand.queue()).await;
        let excuses = Excuses {
            mishaps: self.workers.mishaps(),
            lost_answers: self.sky.lost_answers(),
            times: self.sky.times(),
            signers: self.sns.signers(),
        };
        let mishaps = |excuse| excuses.mishaps.iter().filter(|it| it.excuse == excuse).count();
        Report {
            size: self.plan.size,
            newest_broker: self.stand.is_newest(),
            lasted,
            began: self.began.into_std(),
            account,
            queued,
            ended_by_themselves,
            arrivals: self.workers.lives(),
            kills: mishaps(Excuse::Killed),
            freezes: mishaps(Excuse::Frozen),
            stops: self.workers.stops(),
            grace_over: self.workers.count("grace_over"),
            sessions: self.workers.count("consuming"),
            faults: self.plan.weather.iter().map(|step| step.what.fault).collect(),
            excuses,
        }
    }
}
