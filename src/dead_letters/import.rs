//! Imports an archive: puts exported dead letters back into the queue.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, Seek, SeekFrom};
use std::pin::pin;

use tokio::task::yield_now;

use super::archive::{ArchiveError, ArchiveReader};
use super::filter::Filter;
use super::letter::{Letter, LetterId};
use super::turn::Turn;
use super::{DeadLetters, DeadLettersError, Stop, stopped};
use crate::outcome::SourceError;
use crate::rabbitmq::message::Message;
use crate::rabbitmq::publish::confirm_channel::PendingConfirm;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::publish::error::PublishError;

/// Messages that may be unconfirmed at once.
const WINDOW: usize = 256;

/// Letters that are read between two looks at whether to stop.
const HEARKEN_EVERY: u64 = 64;

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Letters in the archive.
    pub letters: u64,
    /// Those that were put into the queue.
    pub added: u64,
    /// Those that were there already, and are not put there twice.
    pub there: u64,
}

impl DeadLetters {
    /// Puts the letters of an archive into the queue, but those that are there already: so an
    /// import that was cut short is finished by another. It begins only after the whole archive was
    /// found to be as it was written. `waits` is told what it waits for, and when that is over.
    ///
    /// # Errors
    ///
    /// The archive is not; or the broker fails, and `done` says how far it came.
    pub async fn import(
        &self,
        mut from: impl BufRead + Seek,
        stop: &Stop,
        done: &mut Imported,
        waits: impl FnMut(Option<&'static str>),
    ) -> Result<(), DeadLettersError> {
        let begin = from.stream_position().map_err(ArchiveError::Io)?;
        let mut reader = ArchiveReader::new(&mut from)?;
        while reader.next_letter()?.is_some() {
            done.letters += 1;
            if done.letters.is_multiple_of(HEARKEN_EVERY) {
                // Reading waits for nothing, so that nobody could tell it to stop.
                yield_now().await;
            }
            if *stop.borrow() {
                return Err(DeadLettersError::Stopped);
            }
        }
        from.seek(SeekFrom::Start(begin)).map_err(ArchiveError::Io)?;
        let mut there: HashMap<LetterId, u64> = HashMap::new();
        let see = |letter: &Letter| *there.entry(letter.id).or_default() += 1;
        let all = Filter::default();
        let counts = self.list_in_turn(Turn::NotBehindReplay, &all, stop, see).await?;
        if counts.unseen > 0 {
            let unseen = format!(
                "{} letters in `{}` could not be read, so it is unknown which letters are already there; try again",
                counts.unseen,
                self.queue()
            );
            return Err(SourceError::Failed(unseen).into());
        }
        let publisher = ConfirmedPublisher::open(&self.broker, "imports dead letters").await?;
        let exchange = &self.broker.config().dead_letter_exchange;
        let sender = Sender { publisher, exchange, done, in_flight: VecDeque::new() };
        sender.send_all(ArchiveReader::new(from)?, there, stop, waits).await
    }
}

struct Sender<'a> {
    publisher: ConfirmedPublisher,
    exchange: &'a str,
    done: &'a mut Imported,
    in_flight: VecDeque<PendingConfirm>,
}

impl Sender<'_> {
    async fn send_all(
        mut self,
        mut reader: ArchiveReader<impl BufRead>,
        mut there: HashMap<LetterId, u64>,
        stop: &Stop,
        mut waits: impl FnMut(Option<&'static str>),
    ) -> Result<(), DeadLettersError> {
        self.publisher.find_exchange(self.exchange).await?;
        let (alarm, mut told, mut blocked) = (self.publisher.alarm().clone(), stop.clone(), None);
        {
            let mut sending = pin!(self.send_each(&mut reader, &mut there, stop));
            loop {
                tokio::select! {
                    sent = &mut sending => break sent?,
                    () = alarm.changes(blocked) => {
                        blocked = alarm.blocked();
                        waits(blocked);
                    }
                    // What is on its way may arrive or not; another import finds out.
                    () = stopped(&mut told), if blocked.is_some() => break,
                }
            }
        }
        self.publisher.close().await;
        if *stop.borrow() { Err(DeadLettersError::Stopped) } else { Ok(()) }
    }

    async fn send_each(
        &mut self,
        reader: &mut ArchiveReader<impl BufRead>,
        there: &mut HashMap<LetterId, u64>,
        stop: &Stop,
    ) -> Result<(), DeadLettersError> {
        while let Some(mut message) = reader.next_letter()? {
            if *stop.borrow() {
                break;
            }
            message.move_harmful_properties();
            if let Some(count @ 1..) = there.get_mut(&LetterId::of(&message)) {
                *count -= 1;
                self.done.there += 1;
                continue;
            }
            self.send(&message).await?;
        }
        while !self.in_flight.is_empty() {
            self.confirm().await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: &Message) -> Result<(), DeadLettersError> {
        if self.in_flight.len() >= WINDOW {
            self.confirm().await?;
        }
        // Its own routing key: the exchange fans out whatever that is.
        let to = (self.exchange, &*message.routing_key);
        self.in_flight.push_back(self.publisher.publish(to, message).await?);
        Ok(())
    }

    async fn confirm(&mut self) -> Result<(), DeadLettersError> {
        let Some(mut sent) = self.in_flight.pop_front() else { return Ok(()) };
        let what = match sent.confirmed().await {
            Ok(()) => {
                self.done.added += 1;
                return Ok(());
            }
            Err(PublishError::Unroutable) => {
                "no queue is bound to it; bind the dead-letter queue to it"
            }
            Err(PublishError::Refused) => {
                "the queue refused a letter; check whether the dead-letter queue is full"
            }
            Err(PublishError::Lost(error)) => return Err(error.into()),
        };
        let exchange = self.exchange;
        Err(SourceError::Failed(format!("dead-letter exchange `{exchange}`: {what}")).into())
    }
}
