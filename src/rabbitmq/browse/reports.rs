//! Receives workers' reports of the outcomes of replayed events, from the queue that is the browser's lock. The queue
//! belongs to the browser's connection alone, so nobody else can take them from it.

use futures_util::StreamExt;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};

use super::QueueBrowser;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::headers::outcome_report;
use crate::replay::{OutcomeReport, ReplayId};
use crate::signature::SigningKey;

/// Reports, as they arrive.
#[derive(Debug)]
pub(crate) struct OutcomeReports {
    consumer: Consumer,
    _channel: Channel,
    /// What reports have to be signed by.
    key: Option<SigningKey>,
}

impl<T: Send + 'static> QueueBrowser<T> {
    /// Begins to receive the reports of workers.
    ///
    /// # Errors
    ///
    /// The user may not declare the lock or not read from it, or the queue's name has no room for the lock's.
    pub(crate) async fn outcome_reports(&self) -> Result<OutcomeReports, SourceError> {
        let Some(lock) = &self.lock else {
            let why = format!(
                "the user may not declare queue `{}{}`, to which workers report",
                self.queue,
                crate::config::BROWSE_LOCK
            );
            return Err(SourceError::AccessRefused(why));
        };
        // Taken as they come: a report that is lost is one that was never sent.
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
        // A refusal closes the channel, and the lock's own is needed.
        let channel = self.connection.channel().await?;
        let consuming = channel.basic_consume(
            lock.name.as_str().into(),
            "reports".into(),
            options,
            FieldTable::default(),
        );
        let consumer = bounded(&format!("queue `{}`", lock.name), consuming).await?;
        let key = self.broker.config().signing_key.clone();
        Ok(OutcomeReports { consumer, _channel: channel, key })
    }
}

impl OutcomeReports {
    /// The next report; never, once the queue is gone. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> (ReplayId, OutcomeReport) {
        loop {
            match self.consumer.next().await {
                Some(Ok(delivery)) => {
                    if let Some(report) =
                        outcome_report::read(&delivery.properties, self.key.as_ref())
                    {
                        return report;
                    }
                }
                // Then the browser's connection is at its end, too, and says so.
                Some(Err(_)) | None => std::future::pending().await,
            }
        }
    }
}
