//! Progress of a browser: receives messages in the queue's order, and decides when all have arrived.

use std::time::Duration;

use lapin::types::DeliveryTag;
use tokio::time::timeout;

use super::QueueBrowser;
use super::consumers::Arrival;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::CALL_TIMEOUT;

/// In a cluster, messages may come from another node than the word that they are handed out.
pub(super) const SILENCE: Duration = Duration::from_millis(750);

/// As [`SILENCE`], where some messages are missing. They have expired, or were removed, if none comes for so long.
const LONG_SILENCE: Duration = Duration::from_secs(5);

/// What is known of how many messages there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// More may come.
    Open,
    /// All are on their way.
    HandedOut,
    /// So many have come, and they are all.
    All(u64),
}

impl<T> QueueBrowser<T> {
    pub(super) fn take_next(&mut self) -> Option<(DeliveryTag, T)> {
        let read = self.early.remove(&self.next)??;
        self.next += 1;
        Some((self.next - 1, read))
    }

    pub(super) fn skip_probes(&mut self) {
        while let Some(None) = self.early.get(&self.next) {
            self.early.remove(&self.next);
            self.next += 1;
        }
    }

    /// Waits for one of those that are to come; a broker that is silent while some are missing
    /// is an error, never an end.
    pub(super) async fn arrive_in_time(&mut self) -> Result<(), SourceError> {
        let patience = match self.extent {
            Extent::Open => CALL_TIMEOUT,
            _ if self.arrived < self.expected => LONG_SILENCE,
            _ => SILENCE,
        };
        match timeout(patience, self.arrivals.recv()).await {
            Ok(arrival) => self.note(arrival),
            Err(_) if self.extent == Extent::Open => Err(self.ended(&format!(
                "{} messages have come, and then nothing for {} s; try again",
                self.arrived,
                patience.as_secs()
            ))),
            Err(_) => {
                self.extent = Extent::All(self.arrived);
                Ok(())
            }
        }
    }

    pub(super) fn note(&mut self, arrival: Option<Arrival<T>>) -> Result<(), SourceError> {
        match arrival {
            Some(Arrival::Message(tag, read)) => {
                self.early.insert(tag, Some(read));
                self.arrived += 1;
            }
            Some(Arrival::Probe(probe)) => {
                self.early.insert(probe.tag, None);
                if probe.is_ours {
                    self.probe = Some(probe);
                } else {
                    self.stale.push(probe.tag);
                    self.arrived += 1;
                }
            }
            Some(Arrival::HandedOut { beyond }) => {
                self.beyond = beyond;
                self.extent = Extent::HandedOut;
            }
            Some(Arrival::End(error)) => return Err(error.reworded(|why| self.describe_end(&why))),
            None => return Err(self.ended("its channel is gone")),
        }
        if self.extent == Extent::HandedOut && self.expected > 0 && self.arrived >= self.expected {
            self.extent = Extent::All(self.arrived);
        }
        Ok(())
    }

    pub(super) fn ended(&self, why: &str) -> SourceError {
        SourceError::Failed(self.describe_end(why))
    }

    fn describe_end(&self, why: &str) -> String {
        format!("looking at queue `{}` ended: {why}", self.queue)
    }
}
