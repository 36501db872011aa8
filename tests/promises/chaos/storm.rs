//! A plan, carried out.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::account::Account;
use super::feed::feed;
use super::fleet::Fleet;
use super::plan::{Plan, Step, Trouble, WORKERS};
use super::report::Report;
use super::weather::{LostAnswers, Weather};
use crate::fake_sns::FakeSns;
use crate::support::raw::RawPublisher;
use crate::support::{Door, OwnBroker, Stand};

/// Deliveries that the broker leaves unacknowledged with one worker at most: what can come twice
/// when it or its connection is lost.
pub const PREFETCH: usize = 150;

/// Between two looks whether all is done, each of which counts everything.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Without anything new after all is healed: the longest pause of a worker before it
/// connects again is half of that.
const IDLE: Duration = Duration::from_mins(1);

const SETTINGS: [(&str, &str); 9] = [
    ("AMQP__PREFETCH", "150"),
    ("SNS__POOL_SIZE", "4"),
    ("SNS__ATTEMPT_TIMEOUT_MS", "2000"),
    ("SNS__CONNECT_TIMEOUT_MS", "1000"),
    ("SNS__PUBLISH_RETRY_COUNT", "5"),
    ("SNS__PUBLISH_RETRY_TIME_MS", "10"),
    ("OUTAGE__PROBE_MAX_MS", "1000"),
    ("SHUTDOWN__GRACE_MS", "2000"),
    // Every outcome, by the event's id.
    ("LOG__FILTER", "info,event_pusher_sns::worker=debug"),
];

/// Everything there is between a producer and SNS.
pub struct Storm {
    broker: OwnBroker,
    sns: FakeSns,
    fleet: Fleet,
    lost_answers: LostAnswers,
    began: Instant,
    report: Report,
}

/// Carries out a plan on so many events, heals all, and counts.
pub async fn survive(plan: &Plan, events: u32) -> Report {
    let (broker, sns) = (OwnBroker::single().await, FakeSns::start());
    sns.record();
    // Slow enough for a queue that rarely is empty, so that a fault finds the prefetch full: four
    // requests of ten are some 250 events a second for each worker.
    sns.set_latency(Duration::from_millis(100));
    sns.set_jitter(Duration::from_millis(120));
    let stand = Stand::on("chaos", &broker.uri(0)).await;
    let url = sns.url();
    let settings = [&SETTINGS[..], &[("SNS__SNS_HOST", &*url)]].concat();
    let fleet = Fleet::start(&stand, WORKERS, &settings).await;
    let report = Report::new(plan.seed, events);
    let lost_answers = LostAnswers::default();
    let mut storm = Storm { broker, sns, fleet, lost_answers, began: Instant::now(), report };
    let fed_again = storm.rage(plan, &stand, events).await;
    storm.report.fed_again = fed_again;
    // The stand's own connection has not survived the broker.
    storm.settle(stand.again().await, events).await
}

impl Storm {
    async fn rage(&mut self, plan: &Plan, stand: &Stand, events: u32) -> usize {
        let Self { broker, sns, fleet, lost_answers, began, report } = self;
        let began = *began;
        let troubles = async {
            for Step { at, what } in &plan.troubles {
                sleep_until(began + *at).await;
                say(began, &format!("{what:?}"));
                strike(*what, broker, fleet, report).await;
            }
        };
        let weather = async {
            for Step { at, what } in &plan.weather {
                sleep_until(began + *at).await;
                let Weather { percent, lasts, .. } = what;
                say(began, &format!("SNS: {}, {percent} %, for {lasts:?}", what.name()));
                lost_answers.begin(sns, what);
                sleep(*lasts).await;
                sns.heal();
            }
        };
        let feeding = feed(stand, events, plan.lasts);
        let (fed_again, (), ()) = tokio::join!(feeding, troubles, weather);
        report.sns_faults = plan.weather.len();
        fed_again
    }

    /// Waits until every event is accounted for and the queue is empty, or nothing moves any more;
    /// then stops all, and looks into every corner.
    async fn settle(mut self, stand: Stand, events: u32) -> Report {
        say(self.began, "all is healed; waiting for what is left");
        let mut account = Account::of(events);
        let mut reader = RawPublisher::connect(&stand.amqp_uri).await;
        let (mut sums, mut since) = (account.sums(), Instant::now());
        loop {
            account.take_stock(&self.sns, &self.fleet);
            account.take_dead_letters(&mut reader, &stand).await;
            let now = account.sums();
            let waiting =
                stand.ready(&stand.queue()).await + stand.ready(&stand.held_queue()).await;
            if now.lost.is_empty() && waiting == 0 {
                break;
            }
            if now != sums {
                (sums, since) = (now, Instant::now());
            }
            if since.elapsed() > IDLE {
                say(self.began, "nothing moves any more");
                break;
            }
            sleep(LOOK_AGAIN).await;
        }
        for slot in 0..WORKERS {
            self.fleet.stop(slot).await;
        }
        self.report.sessions = self.fleet.sessions();
        self.report.stops_in_vain = self.fleet.stops_in_vain();
        account.take_stock(&self.sns, &self.fleet);
        account.take_dead_letters(&mut reader, &stand).await;
        account.take_queued(&mut reader, &stand).await;
        self.report.lost_answers = self.lost_answers.messages(&self.sns);
        self.report.lasted = self.began.elapsed();
        self.report.account = account;
        stand.leave_nothing().await;
        self.report
    }
}

async fn strike(trouble: Trouble, broker: &OwnBroker, fleet: &mut Fleet, report: &mut Report) {
    match trouble {
        Trouble::KillWorker(slot) => {
            fleet.kill(slot);
            fleet.launch(slot);
            report.kills += 1;
        }
        Trouble::StopWorker(slot) => {
            fleet.stop(slot).await;
            fleet.launch(slot);
            report.stops += 1;
        }
        Trouble::CrashBroker(away) => {
            broker.kill(0).await;
            sleep(away).await;
            broker.start_again(0).await;
            report.crashes += 1;
        }
        Trouble::RestartBroker => {
            broker.restart(0).await;
            report.restarts += 1;
        }
        Trouble::Cut(slot) => {
            fleet.network(slot).cut();
            report.cuts += 1;
        }
        Trouble::Refuse(slot, lasts) => {
            fleet.network(slot).set(Door::Refusing);
            fleet.network(slot).cut();
            sleep(lasts).await;
            fleet.network(slot).set(Door::Open);
            report.cuts += 1;
        }
        Trouble::Stall(slot, lasts) => {
            fleet.network(slot).set(Door::Silent);
            sleep(lasts).await;
            fleet.network(slot).set(Door::Open);
            report.stalls += 1;
        }
        Trouble::Delay(slot, delay, lasts) => {
            fleet.network(slot).delay(delay);
            sleep(lasts).await;
            fleet.network(slot).delay(Duration::ZERO);
            report.delays += 1;
        }
    }
}

fn say(began: Instant, what: &str) {
    println!("{:8.3} s  {what}", began.elapsed().as_secs_f64());
}
