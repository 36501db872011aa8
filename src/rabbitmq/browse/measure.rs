//! Measures the delivery limit that a policy sets, which a queue's arguments and AMQP do not show.
//! While a browser holds every letter, it publishes a probe to the queue
//! and rejects it until it has been redelivered more often than the letters will be in many browses, or until it is not
//! delivered any more. The limit that drops the probe would drop the letters.

use lapin::options::{BasicAckOptions, BasicRejectOptions};
use tokio::time::{Instant, timeout};

use super::super::connection::{CALL_TIMEOUT, bounded};
use super::QueueBrowser;
use super::probe::{self, Probe, Returns};
use super::progress::SILENCE;
use crate::limits::{
    LOOKS_AHEAD, MEASURED_EACH_TIME, MOST_MEASURED_RETURNS, MOST_UNMEASURED_RETURNS,
};
use crate::outcome::SourceError;
use crate::rabbitmq::topology::queue_state::QueueState;

/// What a queue must bear whose letters have come back so often; `None` where it need not be measured now. Measuring
/// takes longer the more often they have, and what was measured lasts for some looks.
fn needed(returns: u64) -> Option<u64> {
    let is_due = returns <= MEASURED_EACH_TIME || returns.is_multiple_of(8);
    (is_due && returns < MOST_MEASURED_RETURNS)
        .then(|| (returns + LOOKS_AHEAD).min(MOST_MEASURED_RETURNS))
}

#[derive(Debug)]
enum Measured {
    Enough,
    Limit(u64),
    Unknown(String),
    /// It took too long, or somebody else took the probe: the next look may tell.
    Disturbed,
}

impl<T: Send + 'static> QueueBrowser<T> {
    /// Makes sure, once all letters have come, that putting them back is not what drops them soon.
    pub(super) async fn measure(&mut self) -> Result<(), SourceError> {
        let returns = self.consumers.most_returns();
        let Some(needed) = needed(returns) else { return Ok(()) };
        if self.is_measured || self.beyond > 0 || self.arrived == 0 {
            return Ok(());
        }
        self.is_measured = true;
        let queue = self.queue.clone();
        let why = match self.probe(needed).await? {
            Measured::Enough => return Ok(()),
            Measured::Unknown(_) if returns < MOST_UNMEASURED_RETURNS => return Ok(()),
            Measured::Unknown(why) => format!(
                "a policy may limit deliveries, and that can't be measured: {why}; the user needs the `write` \
                 permission on `amq.default`"
            ),
            Measured::Limit(limit) => limited(limit),
            Measured::Disturbed => return Err(self.ended(DISTURBED)),
        };
        // What was found is said, whatever becomes of the mark.
        let until = match &self.lock {
            Some(lock) => lock.forbid(&self.connection).await.unwrap_or_else(|error| {
                format!("browse again, and not before: other commands could not be kept from browsing ({error})")
            }),
            None => {
                "browse again, and not before: other commands could not be kept from browsing".to_owned()
            }
        };
        Err(SourceError::Failed(format!(
            "queue `{queue}` is not browsed any more: {why}. Its letters were redelivered up to {returns} times, and each \
             browse adds one. When that is done, {until}"
        )))
    }

    /// As [`Self::measure`], for an empty queue, as its second look would. Returns why it could not be measured, if so.
    pub(super) async fn measure_empty(&mut self) -> Result<Option<String>, SourceError> {
        match self.probe(LOOKS_AHEAD + 1).await? {
            Measured::Limit(limit) => Err(SourceError::Failed(format!(
                "queue `{}` must not be browsed: {}",
                self.queue,
                limited(limit)
            ))),
            Measured::Enough => Ok(None),
            Measured::Unknown(why) => Ok(Some(why)),
            Measured::Disturbed => Ok(Some(DISTURBED.to_owned())),
        }
    }

    /// Puts a probe into the queue, counts how often it comes back, up to what is needed, and takes it out again.
    async fn probe(&mut self, needed: u64) -> Result<Measured, SourceError> {
        if let Err(why) = probe::publish(&self.broker, &self.queue, self.consumers.probe()).await {
            return Ok(Measured::Unknown(why.to_string()));
        }
        let measured = self.count_returns(needed).await?;
        self.remove_probes().await;
        Ok(measured)
    }

    async fn count_returns(&mut self, needed: u64) -> Result<Measured, SourceError> {
        let published = Instant::now();
        let mut before = None;
        loop {
            let mut comes = self.probe_comes().await?;
            if comes.is_none() && before.is_some() {
                comes = self.probe_comes_late().await?;
            }
            let Some(probe) = comes else {
                return Ok(match before {
                    Some(_) if published.elapsed() > probe::SURE_TO_LAST || self.is_disturbed => {
                        Measured::Disturbed
                    }
                    Some(limit) => Measured::Limit(limit),
                    None => Measured::Unknown("the probe has not come".to_owned()),
                });
            };
            let count = probe.returns.count();
            if probe.returns == Returns::Uncounted || count >= needed {
                return Ok(Measured::Enough);
            }
            if before.is_some_and(|before| count <= before) {
                return Ok(Measured::Unknown("rejections are not counted".to_owned()));
            }
            before = Some(count);
            self.probe = None;
            let reject = self.channel.basic_reject(probe.tag, BasicRejectOptions { requeue: true });
            bounded("giving back a probe", reject).await?;
        }
    }

    /// The look's own probe; `None` if there is none in the queue any more.
    async fn probe_comes(&mut self) -> Result<Option<Probe>, SourceError> {
        let deadline = Instant::now() + CALL_TIMEOUT;
        while Instant::now() < deadline {
            let is_gone = match timeout(SILENCE, self.arrivals.recv()).await {
                Ok(arrival) => {
                    self.note(arrival)?;
                    false
                }
                Err(_) => self.is_all_handed_out().await?,
            };
            // What was handed out before the queue has answered has come.
            while let Ok(arrival) = self.arrivals.try_recv() {
                self.note(Some(arrival))?;
            }
            if self.probe.is_some() || is_gone {
                return Ok(self.probe);
            }
        }
        Err(self.ended("the queue does not answer; try again"))
    }

    /// The probe, if it was only late: a queue that is slow to write shows a rejected message nowhere until it has. What is
    /// published after the rejection is written after it; so when that has come, the probe has, if it is there.
    async fn probe_comes_late(&mut self) -> Result<Option<Probe>, SourceError> {
        let others = self.stale.len();
        probe::publish(&self.broker, &self.queue, &probe::new()).await.map_err(|error| {
            self.ended(&format!(
                "the delivery limit of the queue could not be measured: {error}; try again"
            ))
        })?;
        let deadline = Instant::now() + CALL_TIMEOUT;
        while Instant::now() < deadline {
            match timeout(SILENCE, self.arrivals.recv()).await {
                Ok(arrival) => self.note(arrival)?,
                Err(_) if self.stale.len() > others => break,
                Err(_) => {}
            }
            if self.probe.is_some() && self.stale.len() > others {
                break;
            }
        }
        if self.stale.len() > others {
            // It is no letter.
            self.arrived -= 1;
        } else {
            self.is_disturbed = true;
        }
        Ok(self.probe)
    }

    /// See `completion.rs`.
    async fn is_all_handed_out(&mut self) -> Result<bool, SourceError> {
        let state = QueueState::of(&self.channel, &self.queue).await?;
        self.is_disturbed |= state.consumers > self.consumers.count();
        if state.ready > 0 || state.is_doubtful() {
            return Ok(false);
        }
        QueueState::of(&self.channel, &self.queue).await?;
        Ok(true)
    }

    /// Takes probes out of the queue, this look's and those of killed ones. What fails here ends the look, too.
    pub(super) async fn remove_probes(&mut self) {
        let ours = self.probe.take().map(|probe| probe.tag);
        let tags: Vec<_> = self.stale.drain(..).chain(ours).collect();
        for tag in tags {
            self.acknowledged = true;
            let ack = self.channel.basic_ack(tag, BasicAckOptions::default());
            let _ = bounded("removing a probe", ack).await;
        }
    }
}

const DISTURBED: &str = "the delivery limit of the queue was not measured in time, or another consumer reads it; try again";

fn limited(limit: u64) -> String {
    format!(
        "RabbitMQ drops letters there after {limit} redeliveries, which was measured. The queue's arguments don't set \
         this limit, so a policy does. Remove `delivery-limit` from that policy (`rabbitmqctl list_policies`, \
         `list_operator_policies`), or set it to 1000000000"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_came_back_are_measured_ahead_of_the_next_looks() {
        let each = MEASURED_EACH_TIME;
        assert_eq!((needed(0), needed(each)), (Some(LOOKS_AHEAD), Some(each + LOOKS_AHEAD)));
        assert_eq!((needed(each + 1), needed(each + 8)), (None, Some(each + 8 + LOOKS_AHEAD)));
        assert!((0..=MOST_UNMEASURED_RETURNS).all(|returns| needed(returns).is_some()));
        let last = MOST_MEASURED_RETURNS - 8;
        assert_eq!(needed(last), Some(MOST_MEASURED_RETURNS));
        assert_eq!((needed(MOST_MEASURED_RETURNS), needed(u64::MAX)), (None, None));
        // Whatever was measured last, it is more than what comes before the next time.
        let mut borne = 1;
        for returns in 0..MOST_MEASURED_RETURNS {
            borne = needed(returns).unwrap_or(borne);
            assert!(borne > returns, "{returns}");
        }
    }
}
