//! Prepares queues for parked events: declares them, or, where they are used as they are, makes sure that parked events come back.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::{Parking, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::arguments::{self, QueueArguments};
use crate::rabbitmq::topology::fitness;

/// After this a queue that is used as it is is looked at again: somebody may have created it, or created it anew.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The same for a queue that does not fit. RabbitMQ logs what is asked then.
const JUDGE_AGAIN: Duration = Duration::from_mins(10);

/// Queues for parked events, since the connection was opened.
#[derive(Debug, Default)]
pub(super) struct ParkingQueues(Mutex<BTreeMap<String, Prepared>>);

#[derive(Debug, Clone)]
enum Prepared {
    Declared,
    /// Parked events come back by these arguments, as was seen then.
    Fit(QueueArguments, Instant),
    /// Nothing is parked, and it is not asked again before that: many events want to be parked at once.
    Unfit(SourceError, Instant),
}

impl ParkingQueues {
    /// Looks once in a while, however many are parked at once; and by itself: what is wrong with one source's queue must not keep
    /// another's dead letters.
    ///
    /// # Errors
    ///
    /// Nothing may be parked now.
    pub(super) async fn prepare(
        &self,
        broker: &Broker,
        connection: &BrokerConnection,
        source: &Source,
        parking: &Parking,
    ) -> Result<(), SourceError> {
        let mut queues = self.0.lock().await;
        let now = Instant::now();
        match queues.get(&parking.queue) {
            Some(Prepared::Declared) => return Ok(()),
            Some(Prepared::Fit(_, seen)) if now < *seen + LOOK_AGAIN => return Ok(()),
            Some(Prepared::Unfit(error, until)) if now < *until => return Err(error.clone()),
            Some(Prepared::Fit(known, _))
                if arguments::is_still(connection, &parking.queue, known).await =>
            {
                let fit = Prepared::Fit(known.clone(), now);
                queues.insert(parking.queue.clone(), fit);
                return Ok(());
            }
            _ => {}
        }
        queues.remove(&parking.queue);
        let prepared = prepare(broker, connection, source, parking).await?;
        let answer = match &prepared {
            Prepared::Unfit(error, _) => Err(error.clone()),
            Prepared::Declared | Prepared::Fit(..) => Ok(()),
        };
        queues.insert(parking.queue.clone(), prepared);
        answer
    }
}

async fn prepare(
    broker: &Broker,
    connection: &BrokerConnection,
    source: &Source,
    parking: &Parking,
) -> Result<Prepared, SourceError> {
    if broker.config().declare {
        let declared = topology::declare_parking(connection, broker.config(), source).await;
        return declared.map(|()| Prepared::Declared);
    }
    let queue = &parking.queue;
    let found = fitness::parking(broker.config(), connection, source, parking).await;
    let unfit = |error, wait| Prepared::Unfit(error, Instant::now() + wait);
    Ok(match found {
        Ok(Ok(known)) => Prepared::Fit(known, Instant::now()),
        Ok(Err(problem)) => {
            unfit(SourceError::Failed(format!("queue `{queue}`: {problem}")), JUDGE_AGAIN)
        }
        Err(error) => unfit(advised(error, queue), LOOK_AGAIN),
    })
}

fn advised(error: SourceError, queue: &str) -> SourceError {
    match error {
        SourceError::NotFound(_) => SourceError::NotFound(format!(
            "parking in the queue `{queue}`: it is not there; create it as `check` says, or set amqp.declare = true"
        )),
        other => other.reworded(|said| format!("parking in the queue `{queue}`: {said}")),
    }
}
