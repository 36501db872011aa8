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
use crate::rabbitmq::topology::fitness::{self, JUDGE_AGAIN, Judgement};

/// After this a queue that is used as it is is looked at again: somebody may have created it, or created it anew.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Queues for parked events, since the connection was opened.
#[derive(Debug, Default)]
pub(super) struct ParkingQueues(Mutex<BTreeMap<String, Prepared>>);

#[derive(Debug, Clone)]
enum Prepared {
    Declared,
    /// The queue has these arguments, as was seen then: parked events come back by them, or not, and why.
    Known(QueueArguments, Instant, Result<(), SourceError>),
    /// Nothing is parked, and it is not asked again before that: many events want to be parked at once.
    Unknown(SourceError, Instant),
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
            Some(Prepared::Known(_, seen, answer)) if now < *seen + LOOK_AGAIN => {
                return answer.clone();
            }
            Some(Prepared::Unknown(error, until)) if now < *until => return Err(error.clone()),
            Some(Prepared::Known(known, _, answer))
                if arguments::is_still(connection, &parking.queue, known).await =>
            {
                let (same, answer) = (known.clone(), answer.clone());
                queues.insert(parking.queue.clone(), Prepared::Known(same, now, answer.clone()));
                return answer;
            }
            _ => {}
        }
        queues.remove(&parking.queue);
        let prepared = prepare(broker, connection, source, parking).await?;
        let answer = match &prepared {
            Prepared::Unknown(error, _) => Err(error.clone()),
            Prepared::Known(_, _, answer) => answer.clone(),
            Prepared::Declared => Ok(()),
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
    let now = Instant::now();
    let unfit = |problem| SourceError::Failed(format!("queue `{queue}`: {problem}"));
    Ok(match found {
        Ok(Judgement { known: Some(known), problem }) => {
            Prepared::Known(known, now, problem.map_or(Ok(()), |it| Err(unfit(it))))
        }
        Ok(Judgement { known: None, problem }) => {
            Prepared::Unknown(unfit(problem.unwrap_or_default()), now + JUDGE_AGAIN)
        }
        Err(error) => Prepared::Unknown(advised(error, queue), now + LOOK_AGAIN),
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
