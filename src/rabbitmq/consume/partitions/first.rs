//! What the first lane does for all: it has the connection, and sees to the bindings.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Opened, Partitions, TELL_AGAIN};
use crate::config;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::on_channel;
use crate::rabbitmq::topology::find_exchange;
use crate::rabbitmq::topology::partitions::marker::{self, Marked};
use crate::rabbitmq::topology::partitions::moving::{self, Move};
use crate::rabbitmq::topology::partitions::{Names, divert, find_hash};
use crate::rabbitmq::topology::queue_state::QueueState;

/// Between two looks for the exchange that divides events, and between two times when all bindings are made sure of.
const LOOK_EVERY: Duration = Duration::from_secs(3);
const DIVERT_EVERY: Duration = Duration::from_secs(30);

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

/// Finds the exchange that divides events, and that of sorted ones, if there is one; and makes sure of all bindings from time to time.
async fn look_at(
    connection: &BrokerConnection,
    source: &config::Source,
    hash_exchange: &str,
    diverted: &mut Instant,
) -> Result<(), SourceError> {
    if diverted.elapsed() < DIVERT_EVERY {
        let find = async |it: &lapin::Channel| {
            if let Some(sorted) = source.sorted_exchange() {
                find_exchange(it, &sorted).await?;
            }
            find_hash(it, hash_exchange).await
        };
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
