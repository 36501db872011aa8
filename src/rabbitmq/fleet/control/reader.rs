//! Reads for an operator what is paused, and follows it. Changes nothing at the broker.

use super::history::{History, StreamConsumer};
use super::{PURPOSE, message};
use crate::config::Fleet;
use crate::fleet::pauses::PausedTargets;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// What is paused, as the control stream says.
pub(crate) struct PauseReader {
    broker: Broker,
    fleet: Fleet,
    targets: PausedTargets,
    /// `None`: there is no stream, so nobody has paused anything.
    stream: Option<StreamConsumer>,
    connection: BrokerConnection,
}

impl PauseReader {
    /// Reads the stream to its end.
    ///
    /// # Errors
    ///
    /// Why it can't be read; that there is none is no error.
    pub(crate) async fn open(broker: &Broker, fleet: &Fleet) -> Result<Self, SourceError> {
        let connection = broker.connect(PURPOSE).await?;
        let (targets, stream) = match History::look(&connection, broker, fleet).await {
            Ok(History { targets, stream }) => (targets, Some(stream)),
            Err(SourceError::NotFound(_)) => (PausedTargets::default(), None),
            Err(error) => return Err(error),
        };
        let (broker, fleet) = (broker.clone(), fleet.clone());
        Ok(Self { broker, fleet, targets, stream, connection })
    }

    /// What has been read so far.
    pub(crate) const fn targets(&self) -> &PausedTargets {
        &self.targets
    }

    /// Whether there is a stream.
    pub(crate) const fn has_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Reads on, until it can't; at once where there is no stream. May be dropped while it waits.
    pub(crate) async fn follow(&mut self) -> Option<SourceError> {
        let stream = self.stream.as_mut()?;
        loop {
            let delivery = match stream.next().await {
                Ok(delivery) => delivery,
                Err(error) => return Some(error),
            };
            if let Ok(command) = message::command(&delivery, self.broker.config()) {
                // What has no effect on the workers has none here.
                let _ = self.targets.apply(&command, &self.fleet.name);
            }
        }
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        self.connection.close().await;
    }
}
