//! Unconfirmed messages of a channel in confirm mode, and those that were returned.
//!
//! lapin hands a returned message to whichever confirm it resolves next, and resolves those of one
//! acknowledgement for several in no order (its `acknowledgement.rs`). So with several unconfirmed messages,
//! the confirm of one that went nowhere may well look like that of one that is safe. All that are
//! unconfirmed together are therefore judged together, once each is confirmed, by what was returned.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lapin::message::BasicReturnMessage;
use lapin::{Confirmation, PublisherConfirm};

use super::error::PublishError;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::refusal::refused;

/// Messages that were sent before the first of them was confirmed. Errors do not say what was published.
#[derive(Debug, Default)]
pub(super) struct PendingConfirms {
    last: u64,
    /// In the order in which they were sent.
    open: VecDeque<(Sent, PublisherConfirm)>,
    /// By the broker; whether into a queue is not known yet.
    confirmed: Vec<(Sent, bool)>,
    returned: HashSet<u64>,
    judged: HashMap<u64, Result<(), PublishError>>,
    /// The channel is gone, and why.
    lost: Option<SourceError>,
    /// `None` where one message at a time is unconfirmed: a message that is returned can only be that one.
    prints: Option<RandomState>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    /// Of address and body: lookalikes share it, and if one of them was returned, none counts as
    /// taken. Headers are left out, as the broker may change them.
    print: u64,
}

impl PendingConfirms {
    /// For a channel with many unconfirmed messages; the default is for one message at a time.
    pub(super) fn of_many() -> Self {
        Self { prints: Some(RandomState::new()), ..Self::default() }
    }

    /// Takes in a message that was just published; returns its number.
    pub(super) fn push(
        &mut self,
        exchange: &str,
        routing_key: &str,
        body: &[u8],
        confirm: PublisherConfirm,
    ) -> u64 {
        self.last += 1;
        let print = self.print(exchange, routing_key, body);
        self.open.push_back((Sent { number: self.last, print }, confirm));
        self.last
    }

    /// Ready when a message may join: not while others that are confirmed wait for their judgement.
    ///
    /// # Errors
    ///
    /// The channel is gone, and what became of the others is unknown.
    pub(super) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SourceError>> {
        if self.confirmed.is_empty() { Poll::Ready(Ok(())) } else { self.poll_end(context) }
    }

    /// What has become of a message; to be asked until it is ready, and no more.
    pub(super) fn poll_outcome(
        &mut self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        if !self.judged.contains_key(&number) {
            ready!(self.poll_end(context)).map_err(PublishError::Lost)?;
        }
        let lost = || Err(PublishError::Lost(problem("its outcome was told before")));
        Poll::Ready(self.judged.remove(&number).unwrap_or_else(lost))
    }

    /// Ready when none is on its way.
    ///
    /// # Errors
    ///
    /// As [`poll_room`](Self::poll_room); the same for all who ask.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SourceError>> {
        if let Some(why) = &self.lost {
            return Poll::Ready(Err(why.clone()));
        }
        while let Some((sent, confirm)) = self.open.front_mut() {
            let sent = *sent;
            let confirmation = match ready!(Pin::new(confirm).poll(context)) {
                Ok(confirmation) => confirmation,
                Err(error) => {
                    let why = refused(&error, |said| said);
                    self.lost = Some(why.clone());
                    return Poll::Ready(Err(why));
                }
            };
            self.open.pop_front();
            let (is_taken, returned) = match confirmation {
                Confirmation::Ack(returned) => (true, returned),
                Confirmation::Nack(returned) => (false, returned),
                Confirmation::NotRequested => {
                    return Poll::Ready(Err(problem("the broker does not confirm")));
                }
            };
            self.confirmed.push((sent, is_taken));
            if let Some(returned) = returned {
                self.returned.insert(self.print_of(&returned));
            }
        }
        self.judge();
        Poll::Ready(Ok(()))
    }

    fn print_of(&self, returned: &BasicReturnMessage) -> u64 {
        let it = &returned.delivery;
        self.print(it.exchange.as_str(), it.routing_key.as_str(), &it.data)
    }

    fn print(&self, exchange: &str, routing_key: &str, body: &[u8]) -> u64 {
        let of = |prints: &RandomState| prints.hash_one((exchange, routing_key, body));
        self.prints.as_ref().map_or(0, of)
    }

    fn judge(&mut self) {
        let returned = std::mem::take(&mut self.returned);
        for (Sent { number, print }, is_taken) in self.confirmed.drain(..) {
            let outcome = if returned.contains(&print) {
                Err(PublishError::Unroutable)
            } else if is_taken {
                Ok(())
            } else {
                Err(PublishError::Refused)
            };
            self.judged.insert(number, outcome);
        }
    }
}

fn problem(why: &str) -> SourceError {
    SourceError::Failed(why.to_owned())
}
