//! Reconnects a feed whose connection was lost, and sends again what was not confirmed.

use std::rc::Rc;

use tokio::time::{sleep, sleep_until};

use super::outage::{GIVE_UP_AFTER, Outage, is_lasting};
use super::publish::Feeding;
use super::report::{FeedEnd, Report};
use crate::dead_letters::stopped;
use crate::outcome::SourceError;

impl<S: FnMut(&Report, Option<&str>)> Feeding<'_, S> {
    /// Connects again, and sends again in order what is unconfirmed. Returns why the feed ends, if it does not go on.
    pub(super) async fn recover(
        &mut self,
        mut error: SourceError,
        was_stopped: bool,
    ) -> Option<FeedEnd> {
        loop {
            if was_stopped || is_lasting(&error) {
                return Some(FeedEnd::Broken(error.to_string()));
            }
            if self.outage.is_none() {
                let (again, minutes) = (self.in_flight.len(), GIVE_UP_AFTER.as_secs() / 60);
                (self.show)(
                    &self.report,
                    Some(&format!(
                        "{error}; trying for {minutes} minutes to connect again. Unconfirmed events ({again}) are then \
                         sent again: those that the broker has kept are in the queue twice"
                    )),
                );
            }
            let outage = self.outage.get_or_insert_with(Outage::begin);
            let (give_up_at, Some(pause)) = (outage.give_up_at, outage.pause()) else {
                let minutes = GIVE_UP_AFTER.as_secs() / 60;
                return Some(FeedEnd::Broken(format!(
                    "{error}; the broker has confirmed no event for {minutes} minutes"
                )));
            };
            let (mut stop, deadline) = (self.stop.clone(), self.deadline.unwrap_or(give_up_at));
            let has_nothing_left = self.deadline.is_some() && self.in_flight.is_empty();
            let opening = async {
                sleep(pause).await;
                self.feed.open(self.broker).await
            };
            let opened = tokio::select! {
                biased;
                () = stopped(&mut stop) => return Some(FeedEnd::Stopped),
                () = sleep_until(deadline), if has_nothing_left => return Some(FeedEnd::Done),
                opened = opening => opened,
            };
            let connected = match opened {
                Ok(publisher) => {
                    self.publisher = Rc::new(publisher);
                    self.blocked = None;
                    self.send_again().await
                }
                Err(error) => Err(error),
            };
            match connected {
                Ok(end) => return end,
                Err(lost) => error = lost,
            }
        }
    }

    /// Sends what is unconfirmed on the new connection. Returns why the feed ends, if it does not go on.
    async fn send_again(&mut self) -> Result<Option<FeedEnd>, SourceError> {
        if let Some(outage) = &mut self.outage
            && !std::mem::replace(&mut outage.was_connected, true)
        {
            (self.show)(&self.report, Some("connected again"));
        }
        for index in 0..self.in_flight.len() {
            let Some(mut message) = self.in_flight.remove(index) else { break };
            let was_sent = message.sent.take().is_some();
            let sending = self.publish(&message).await;
            let is_sent = matches!(sending, Ok(Some(_)));
            self.report.sent_again += u64::from(was_sent && is_sent);
            let sent = sending.map(|sent| message.sent = sent);
            self.in_flight.insert(index, message);
            sent?;
            if !is_sent {
                return Ok(Some(FeedEnd::Stopped));
            }
        }
        if self.in_flight.is_empty() {
            self.outage = None;
        }
        Ok(None)
    }
}
