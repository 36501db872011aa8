//! How long an event waits while its partition changes hands.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::super::{Crew, leave_nothing, while_events_of};
use super::{MANY, MANY_SETTING, sns_with_latency};
use crate::fake_sns::FakeSns;
use crate::order::conversations::{Conversations, number_of, routed_event_of};
use crate::support::{Stand, on_both_brokers, wait_for};

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Of RabbitMQ 4.x on a machine that has nothing else to do.
const SHORT: Duration = Duration::from_secs(3);

const HEARTBEAT: Duration = Duration::from_secs(5);

/// Of a worker that lives and is not heard of.
const AT_A_FREEZE: Duration = Duration::from_secs(2 * HEARTBEAT.as_secs() + 15);

/// Watches what comes.
struct Watch<'a> {
    sns: &'a FakeSns,
    /// Key and number of what has not come yet, and when it was published.
    open: RefCell<BTreeMap<(usize, usize), Instant>>,
    longest: Cell<Duration>,
}

impl<'a> Watch<'a> {
    fn new(sns: &'a FakeSns) -> Self {
        Self { sns, open: RefCell::default(), longest: Cell::default() }
    }

    /// Events flow, and are watched.
    async fn while_events_flow(
        &self,
        stand: &Stand,
        acts: impl Future<Output = ()>,
    ) -> Conversations {
        let event_of = |key, number| {
            self.open.borrow_mut().insert((key, number), Instant::now());
            routed_event_of(key, number)
        };
        tokio::select! {
            said = while_events_of(event_of, stand, 0, acts) => said,
            () = self.watch() => unreachable!("it watches for ever"),
        }
    }

    async fn watch(&self) {
        let mut seen = 0;
        loop {
            let came = self.sns.accepted_after(seen);
            seen += came.len();
            for message in &came {
                if let Some(published) = self.open.borrow_mut().remove(&number_of(message)) {
                    self.longest.set(self.longest.get().max(published.elapsed()));
                }
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// The longest that anything waits which is published before this has happened.
    async fn longest_while(&self, what: &str, happens: impl Future<Output = ()>) -> Duration {
        self.longest.take();
        happens.await;
        let until = Instant::now();
        wait_for("what was published by then", async || {
            self.open.borrow().values().all(|it| *it > until).then_some(())
        })
        .await;
        println!("{what}: {:?}", self.longest.get());
        self.longest.get()
    }
}

on_both_brokers! {
    async fn an_event_waits_for_seconds_at_most_while_workers_come_stop_and_die(stand: Stand) {
        let sns = sns_with_latency(Duration::from_millis(5));
        let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &[]);
        crew.grow(3).await;
        let watch = Watch::new(&sns);
        let acts = async {
            crew.settles().await;
            let mut longest = Vec::new();
            longest.push(watch.longest_while("seven come", async {
                crew.grow(10).await;
                crew.settles().await;
            }).await);
            longest.push(watch.longest_while("three stop", async {
                crew.shrink(7).await;
                crew.settles().await;
            }).await);
            longest.push(watch.longest_while("two die", async {
                crew.kill(0).await;
                crew.kill(0).await;
                crew.settles().await;
            }).await);
            assert!(longest.iter().all(|it| *it < SHORT), "{longest:?}");
        };
        let said = watch.while_events_flow(&stand, acts).await;
        crew.ends_in_order(&said).await;
        leave_nothing(stand, MANY).await;
    }

    async fn an_event_waits_for_two_heartbeats_and_15_s_at_most_where_a_worker_freezes_for_30_s(stand: Stand) {
        let sns = sns_with_latency(Duration::from_millis(5));
        let uri = format!("{}?heartbeat={}", stand.amqp_uri, HEARTBEAT.as_secs());
        let mut crew = Crew::new(&stand, &sns, MANY_SETTING, &[("AMQP__URI", &uri)]);
        crew.grow(4).await;
        let watch = Watch::new(&sns);
        let acts = async {
            crew.settles().await;
            let longest = watch.longest_while("one freezes", async {
                let frozen = crew.workers.remove(0);
                frozen.signal(Signal::SIGSTOP);
                sleep(Duration::from_secs(30)).await;
                frozen.signal(Signal::SIGCONT);
                crew.workers.push(frozen);
                crew.settles().await;
            }).await;
            assert!(longest < AT_A_FREEZE, "{longest:?}");
        };
        let said = watch.while_events_flow(&stand, acts).await;
        crew.ends_in_order(&said).await;
        leave_nothing(stand, MANY).await;
    }
}
