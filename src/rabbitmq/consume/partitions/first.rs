//! What the first lane does for all: it has the connection, counts the workers, and balances the partitions between them.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::balance::Balance;
use super::{Opened, Partitions, TELL_AGAIN};
use crate::config;
use crate::observe::monitor::{Monitor, PartitionShare};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::on_channel;
use crate::rabbitmq::consume::claim::{Claim, View};
use crate::rabbitmq::topology::find_exchange;
use crate::rabbitmq::topology::partitions::marker::{self, Marked};
use crate::rabbitmq::topology::partitions::moving::{self, Move};
use crate::rabbitmq::topology::partitions::{Names, divert, find_hash};
use crate::rabbitmq::topology::queue_state::QueueState;

/// How often workers are counted, more or less.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Between two looks for the exchange that divides events, and between two times when all bindings are made sure of.
const LOOK_EVERY: Duration = Duration::from_secs(3);
const DIVERT_EVERY: Duration = Duration::from_secs(30);

/// A worker that dies of an event right after its start, again and again, is to take few others along: it begins with one partition.
/// When so many deliveries are settled, or it has lived so long, come the others.
const FIRST_SETTLED: u64 = 10;
const ESTABLISHED: Duration = Duration::from_secs(5);
/// By then a worker that has come consumes all partitions.
const ATTACHED: Duration = Duration::from_secs(6);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// For the answer whether there is another number of partitions.
const MOVED_WITHIN: Duration = Duration::from_secs(2);

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
        if !connection.status().connected() || connection.lease().has_lapsed() {
            return false;
        }
        let (Some(count), Some(wanted)) = (count, source.partitioning()) else { return false };
        let asked = marker::read(connection, self.0.broker.config(), source, wanted);
        match timeout(MOVED_WITHIN, asked).await {
            Ok(Ok(Marked::Yes(there))) => there != count,
            // Between the two.
            Ok(Ok(Marked::No)) => {
                let asked = moving::find(connection, self.0.broker.config(), source);
                let under_way = timeout(MOVED_WITHIN, asked).await;
                matches!(under_way, Ok(Ok(Some(it))) if it.from == count)
            }
            _ => false,
        }
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
        let _ = timeout(LANES_WITHIN, self.0.sessions_ended()).await;
    }
}

impl Drop for FirstLane {
    fn drop(&mut self) {
        self.withdraw();
        self.0.claims.iter().for_each(|it| it.reset());
    }
}

/// Sees to the bindings, now and then. A worker of a former version binds the source's queue with each of its sessions, and may be the one
/// to which all that comes by that is delivered. And without the exchange that divides events, what is published has no queue.
pub(in crate::rabbitmq::consume) async fn keep_diverting(
    partitions: Rc<Partitions>,
    Opened { connection, generation, .. }: Opened,
    source: config::Source,
) {
    let (own, amqp) = (&generation.names.hash_exchange, partitions.broker.config());
    let (mut diverted, mut told) = (Instant::now(), None::<Instant>);
    loop {
        sleep(LOOK_EVERY).await;
        let error = match look_at(&connection, &source, own, &mut diverted).await {
            Ok(()) => continue,
            Err(error) => error,
        };
        if !matches!(error, SourceError::NotFound(_)) {
            tracing::debug!(event = "divert_failed", source = source.name, %error, "cannot see to the bindings of the partitions");
            continue;
        }
        let under_way = match moving::find(&connection, amqp, &source).await {
            Ok(under_way) => under_way.filter(|it| it.from == generation.count),
            Err(_) => continue,
        };
        let Some(wanted) = source.partitioning() else { return };
        match marker::read(&connection, amqp, &source, wanted).await {
            Ok(Marked::Yes(there)) if there == generation.count => {}
            // RabbitMQ 3.10 does not tell a consumer of a queue that is there again at once.
            Ok(Marked::Yes(_)) | Err(SourceError::PreconditionFailed(_)) => {
                return partitions.fail(SourceError::Renewal);
            }
            _ => continue,
        }
        let divides = match under_way {
            None => own.clone(),
            Some(under_way) => {
                if told.is_none_or(|it| it.elapsed() > TELL_AGAIN) {
                    told = Some(Instant::now());
                    tell_of_move(&connection, &source, under_way).await;
                }
                let new = moving::divides_now(&source, generation.count, Some(under_way));
                match look_at(&connection, &source, &new, &mut diverted).await {
                    Err(SourceError::NotFound(_)) => new,
                    _ => continue,
                }
            }
        };
        partitions.fail(error.reworded(|said| {
            let (gone, lost) = match source.sorted_exchange() {
                Some(sorted) => (
                    format!("exchange `{sorted}` or `{divides}`"),
                    "what came since then waits in the source's queue",
                ),
                None => (format!("exchange `{divides}`"), "what came since then had no queue"),
            };
            format!(
                "{gone} was deleted, and {lost}: it is declared anew, with its bindings ({said})"
            )
        }));
        return;
    }
}

/// Finds the exchange that divides events, and makes sure of all bindings from time to time.
async fn look_at(
    connection: &BrokerConnection,
    source: &config::Source,
    hash_exchange: &str,
    diverted: &mut Instant,
) -> Result<(), SourceError> {
    if let Some(sorted) = source.sorted_exchange() {
        on_channel(connection, async |it: &lapin::Channel| find_exchange(it, &sorted).await)
            .await?;
    }
    if diverted.elapsed() < DIVERT_EVERY {
        let find = async |it: &lapin::Channel| find_hash(it, hash_exchange).await;
        return on_channel(connection, find).await;
    }
    *diverted = Instant::now();
    on_channel(connection, async |it: &lapin::Channel| divert(it, source, hash_exchange).await)
        .await
}

/// Says that events wait, and for what.
async fn tell_of_move(connection: &BrokerConnection, source: &config::Source, under_way: Move) {
    let mut waiting = 0;
    for queue in &Names::of(&source.queue, under_way.to).queues {
        waiting += QueueState::on(connection, queue).await.map_or(0, |it| u64::from(it.ready));
    }
    tracing::warn!(
        event = "partitions_moving",
        source = source.name,
        from = under_way.from,
        to = under_way.to,
        waiting,
        "the number of partitions changes: what comes waits in the new ones until all that is in the former ones is published, and \
         `event-pusher-sns partitions move` has ended; run it again if it does not run"
    );
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
