//! What `fleet status` knows of what operators have paused.

use std::future::pending;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::timeout;

use super::pausing::line;
use crate::config::Fleet;
use crate::fleet::pauses::Pause;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::control::PauseReader;

/// For the stream to be read, beyond the time that `fleet status` listens anyway.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the control stream while something else goes on.
pub(super) struct PausesSeen<'a> {
    broker: &'a Broker,
    fleet: &'a Fleet,
    reader: Option<PauseReader>,
    /// Why nothing is known.
    failure: Option<SourceError>,
}

/// What is paused, to be shown.
#[derive(Debug, Default, Serialize)]
pub(super) struct Paused {
    /// `None`: it is not known, or workers can't be paused.
    pauses: Option<Vec<Pause>>,
    /// Why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pauses_unknown: Option<String>,
}

impl<'a> PausesSeen<'a> {
    pub(super) const fn new(broker: &'a Broker, fleet: &'a Fleet) -> Self {
        Self { broker, fleet, reader: None, failure: None }
    }

    /// Reads, and reads on. Never ends; may be dropped at any time, and called again, by which it tries again.
    pub(super) async fn keep(&mut self) {
        // RabbitMQ logs each refusal. Where there was no stream, there may be one now.
        self.failure = self.failure.take().filter(|it| matches!(it, SourceError::AccessRefused(_)));
        self.reader = self.reader.take().filter(PauseReader::has_stream);
        self.learn().await;
        if let Some(reader) = &mut self.reader
            && let Some(error) = reader.follow().await
        {
            (self.reader, self.failure) = (None, Some(error));
        }
        pending::<()>().await;
    }

    /// What is known; waits for a first answer.
    pub(super) async fn shown(&mut self, now: Timestamp) -> Paused {
        if self.is_off() {
            return Paused::default();
        }
        let _ = timeout(PATIENCE, self.learn()).await;
        match (&self.reader, &self.failure) {
            (Some(reader), _) => {
                Paused { pauses: Some(reader.targets().running(now)), pauses_unknown: None }
            }
            (None, Some(error)) => Paused::unknown(error.to_string()),
            (None, None) => Paused::unknown("RabbitMQ does not answer".to_owned()),
        }
    }

    /// Says goodbye to the broker.
    pub(super) async fn close(self) {
        if let Some(reader) = self.reader {
            reader.close().await;
        }
    }

    /// Workers can't be paused.
    const fn is_off(&self) -> bool {
        !self.fleet.pause
    }

    /// Reads the stream, unless that is done or there is a reason why it can't be.
    async fn learn(&mut self) {
        if self.is_off() || self.reader.is_some() || self.failure.is_some() {
            return;
        }
        match PauseReader::open(self.broker, self.fleet).await {
            Ok(reader) => self.reader = Some(reader),
            Err(error) => self.failure = Some(error),
        }
    }
}

impl Paused {
    fn unknown(why: String) -> Self {
        Self { pauses: None, pauses_unknown: Some(why) }
    }

    /// A line for each pause, or why there is none to be seen.
    pub(super) fn lines(&self) -> Vec<String> {
        let pauses = self.pauses.iter().flatten().map(|it| format!("paused: {}", line(it)));
        let unknown = self.pauses_unknown.iter();
        pauses.chain(unknown.map(|why| format!("what is paused can't be seen: {why}"))).collect()
    }
}
