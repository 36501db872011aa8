//! What the first lane does for all: it has the connection, counts the workers, and balances the partitions between them.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::balance::Balance;
use super::{Generation, Opened, Partitions};
use crate::config;
use crate::observe::monitor::{Monitor, PartitionShare};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::consume::claim::{Claim, View};
use crate::rabbitmq::topology::partitions::{Names, divert_now, moving};
use crate::rabbitmq::topology::queue_state::QueueState;

/// How often workers are counted, more or less.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Between two looks after the bindings.
const DIVERT_EVERY: Duration = Duration::from_secs(30);

/// A worker that dies of an event right after its start, again and again, is to take few others along: it begins with one partition.
/// When so many deliveries are settled, or it has lived so long, come the others.
const FIRST_SETTLED: u64 = 10;
const ESTABLISHED: Duration = Duration::from_secs(5);
/// By then a worker that has come consumes all partitions.
const ATTACHED: Duration = Duration::from_secs(6);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// For the other lanes' sessions to close, before the connection does.
const LANES_WITHIN: Duration = Duration::from_secs(2);

/// The connection of all lanes, until this is dropped.
#[derive(Debug)]
pub(in crate::rabbitmq::consume) struct FirstLane(Rc<Partitions>);

impl FirstLane {
    pub(in crate::rabbitmq::consume) fn publish(
        partitions: &Rc<Partitions>,
        opened: Opened,
    ) -> Self {
        partitions.failure.borrow_mut().take();
        partitions.opened.send_replace(Some(opened));
        Self(Rc::clone(partitions))
    }

    /// Waits until another lane has failed.
    pub(in crate::rabbitmq::consume) async fn failed(&self) -> SourceError {
        self.0.failed().await
    }

    /// Whether there is another number of partitions by now, so that it is no fault that those that were here end.
    pub(in crate::rabbitmq::consume) async fn is_moved(
        &self,
        connection: &BrokerConnection,
        source: &config::Source,
    ) -> bool {
        let count = self.0.opened.borrow().as_ref().map(|it| it.generation.count);
        if !connection.status().connected() {
            return false;
        }
        let under_way = moving::find(connection, self.0.broker.config(), source).await;
        under_way.is_ok_and(|it| it.is_some_and(|it| Some(it.from) == count))
    }

    /// No lane begins a session on it any more, and those that have one end it.
    pub(in crate::rabbitmq::consume) fn withdraw(&self) {
        self.0.opened.send_replace(None);
    }

    /// Waits until no other lane has a session: they end when they are asked to, as all do at a stop.
    pub(in crate::rabbitmq::consume) async fn others_ended(&self) {
        self.0.sessions_ended().await;
    }

    /// Ends what has not ended by now, or nearly so.
    pub(in crate::rabbitmq::consume) async fn end_others(&self) {
        self.withdraw();
        let _ = tokio::time::timeout(LANES_WITHIN, self.0.sessions_ended()).await;
    }
}

impl Drop for FirstLane {
    fn drop(&mut self) {
        self.withdraw();
        self.0.claims.iter().for_each(|it| it.reset());
    }
}

/// Takes the bindings of the source's queue away, now and then: a worker of a former version makes them with each of its sessions, and
/// may be the one to which all that comes by them is delivered.
pub(in crate::rabbitmq::consume) async fn keep_diverting(
    broker: Rc<Broker>,
    connection: Rc<BrokerConnection>,
    source: config::Source,
    generation: Rc<Generation>,
) {
    loop {
        sleep(DIVERT_EVERY).await;
        let diverted = divert_now(&connection, broker.config(), &source, generation.count).await;
        if let Err(error) = diverted {
            tracing::debug!(event = "divert_failed", source = source.name, %error, "cannot see to the bindings of the partitions");
        }
    }
}

/// Lets the lanes begin, and gives up what is beyond this worker's share.
pub(in crate::rabbitmq::consume) async fn balance(
    partitions: Rc<Partitions>,
    Opened { connection, generation, .. }: Opened,
    monitor: Option<Rc<Monitor>>,
) {
    let mut balance = Balance::new();
    let (claims, names) = (partitions.claims_of(&generation), &generation.names);
    let views = || claims.iter().map(|it| it.view()).collect::<Vec<_>>();
    // Not the same one as other workers that begin now.
    if let Some(claim) = fastrand::choice(claims) {
        claim.begin();
    }
    let settled = || claims.iter().map(|it| it.count_of_settled()).sum::<u64>();
    let (began, before) = (Instant::now(), settled());
    while began.elapsed() < ESTABLISHED && settled() < before + FIRST_SETTLED {
        sleep(LOOK_AGAIN).await;
    }
    for claim in claims {
        claim.begin();
    }
    let (mut channel, mut arrival) = (None, None::<Instant>);
    loop {
        // By chance a little more or less, so that workers that begin together do not all give up at once.
        sleep(COUNT_EVERY.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
        let workers = match count(&connection, &mut channel, &names.marker).await {
            // This worker is one of them: zero is no answer.
            Ok(workers) if workers > 0 => workers,
            Ok(_) => balance.workers(),
            Err(error) => {
                tracing::debug!(event = "workers_unknown", %error, "cannot count the workers of the partitions");
                balance.workers()
            }
        };
        let views = views();
        let active = views.iter().filter(|it| it.is_active).count();
        let before = balance.workers();
        let is_news = balance.count(workers);
        let bound = balance.bound(views.len());
        if let Some(monitor) = &monitor {
            let numbers = [active, views.len(), bound];
            let [active, of, bound] = numbers.map(|it| u16::try_from(it).unwrap_or(u16::MAX));
            let prefetch = generation.prefetch;
            monitor.partitions(PartitionShare { active, of, bound, prefetch });
        }
        if is_news {
            tracing::info!(
                event = "partitions_workers",
                queue = names.marker,
                workers,
                active,
                bound,
                "number of workers has changed: each may have so many partitions"
            );
            for claim in claims {
                claim.renew();
            }
            if workers > before {
                arrival.get_or_insert_with(Instant::now);
            }
        } else if let Some(since) = arrival {
            // What is given up goes to the next in line, and those who have just come are the last.
            if since.elapsed() > ATTACHED {
                arrival = None;
                let_others_pass(claims, &views, &balance);
            }
        } else {
            give_up(claims, names, &views, &balance.beyond(&views));
        }
    }
}

/// A worker that has its share goes to the end of the lines of all other partitions, so that who has room comes before it.
fn let_others_pass(claims: &[Rc<Claim>], views: &[View], balance: &Balance) {
    if balance.has_room(views) {
        return;
    }
    let waiting = claims.iter().zip(views).filter(|(_, view)| !view.is_active);
    waiting.for_each(|(claim, _)| claim.begin_anew());
}

fn give_up(claims: &[Rc<Claim>], names: &Names, views: &[View], given_up: &[usize]) {
    for &index in given_up {
        tracing::debug!(
            event = "partition_given_up",
            queue = names.queues[index],
            times = views[index].given_up,
            "partition is another worker's from now on"
        );
        claims[index].give_up();
    }
}

async fn count(
    connection: &BrokerConnection,
    channel: &mut Option<lapin::Channel>,
    marker: &str,
) -> Result<u32, SourceError> {
    let open = match channel.take().filter(|it| it.status().connected()) {
        Some(open) => open,
        None => connection.channel().await?,
    };
    let state = QueueState::of(&open, marker).await;
    *channel = Some(open);
    Ok(state?.consumers)
}
