//! Publishes events with a window of unconfirmed ones, and counts the results.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::routes::Routes;
use super::traffic::Traffic;
use super::wire;
use crate::dead_letters::rate_limiter::RateLimiter;
use crate::dead_letters::{Stop, stopped};
use crate::event::EventKind;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::publish::confirm_channel::PendingConfirm;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::publish::error::PublishError;

/// Events that may be unconfirmed at once: enough to keep a broker busy that writes to its disk.
const WINDOW: usize = 1000;

/// What is to be fed, and how.
pub(super) struct Feed<'a> {
    pub(super) until: FeedLimit,
    pub(super) rate: Option<f64>,
    pub(super) traffic: Traffic,
    pub(super) routes: &'a Routes,
}

/// When a feed ends by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct FeedLimit {
    pub(super) count: Option<u64>,
    pub(super) time: Option<Duration>,
}

/// What became of the events.
#[derive(Debug, Default)]
pub(super) struct Report {
    published: [u64; 3],
    /// Without a queue that is bound for them.
    pub(super) unroutable: u64,
    /// A queue said no.
    pub(super) refused: u64,
    /// On their way when the connection was lost.
    pub(super) unconfirmed: u64,
    pub(super) took: Duration,
    pub(super) ended: FeedEnd,
}

/// Why feeding has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum FeedEnd {
    #[default]
    Done,
    /// It was told to stop.
    Stopped,
    /// The broker's side failed.
    Broken(String),
}

impl Report {
    /// Events of a kind that are in a queue.
    pub(super) const fn of(&self, kind: EventKind) -> u64 {
        self.published[kind as usize]
    }

    /// Events that are in a queue.
    pub(super) fn published(&self) -> u64 {
        self.published.iter().sum()
    }

    /// Whether all that was sent is in a queue.
    pub(super) const fn is_good(&self) -> bool {
        self.unroutable == 0 && self.refused == 0 && !matches!(self.ended, FeedEnd::Broken(_))
    }
}

/// The next step of a feed.
enum FeedStep {
    Over(FeedEnd),
    Confirmed(Result<(), PublishError>),
    Blocked,
    Send,
}

struct InFlightMessage {
    kind: EventKind,
    /// Where to, for a message.
    address: (String, String),
    sent: PendingConfirm,
}

impl Feed<'_> {
    /// Feeds to the end. Every now and then `show` gets what has become of the events so far, and what
    /// is to be said at once.
    pub(super) async fn run(
        self,
        broker: &Broker,
        mut stop: Stop,
        show: impl FnMut(&Report, Option<&str>),
    ) -> Report {
        let opened = tokio::select! {
            opened = self.open(broker) => opened,
            () = stopped(&mut stop) => {
                return Report { ended: FeedEnd::Stopped, ..Report::default() };
            }
        };
        match opened {
            Ok(publisher) => {
                let rate_limiter = RateLimiter::new(self.rate);
                let began = Instant::now();
                let deadline = self.until.time.map(|time| began + time);
                let feeding = Feeding {
                    feed: self,
                    publisher: &publisher,
                    stop,
                    rate_limiter,
                    began,
                    deadline,
                    show,
                    sent: 0,
                    blocked: None,
                    in_flight: VecDeque::with_capacity(WINDOW),
                    complained: BTreeSet::new(),
                    report: Report::default(),
                };
                let report = feeding.run().await;
                publisher.close().await;
                report
            }
            Err(error) => Report { ended: FeedEnd::Broken(error.to_string()), ..Report::default() },
        }
    }

    /// Connects, and sees to the exchanges as a worker would.
    async fn open(&self, broker: &Broker) -> Result<ConfirmedPublisher, SourceError> {
        let publisher = ConfirmedPublisher::open(broker, "feed").await?;
        for source in self.routes.sources() {
            publisher.ensure(broker.config(), source).await?;
        }
        Ok(publisher)
    }
}

struct Feeding<'a, S> {
    feed: Feed<'a>,
    publisher: &'a ConfirmedPublisher,
    stop: Stop,
    rate_limiter: RateLimiter,
    began: Instant,
    deadline: Option<Instant>,
    show: S,
    sent: u64,
    /// What the broker waits for, so that nothing more is sent.
    blocked: Option<&'static str>,
    in_flight: VecDeque<InFlightMessage>,
    /// Exchanges that were complained of.
    complained: BTreeSet<String>,
    report: Report,
}

impl<S: FnMut(&Report, Option<&str>)> Feeding<'_, S> {
    async fn run(mut self) -> Report {
        let mut ended = None;
        while ended.is_none() || !self.in_flight.is_empty() {
            if ended.is_some()
                && let Some(why) = self.publisher.alarm().blocked()
            {
                // Nobody knows when what was sent is taken.
                self.report.unconfirmed = self.in_flight.len() as u64;
                if self.blocked.is_none() {
                    (self.show)(&self.report, Some(&format!("waiting: {why}")));
                }
                break;
            }
            if self.feed.until.count == Some(self.sent) {
                ended.get_or_insert(FeedEnd::Done);
                if self.in_flight.is_empty() {
                    break;
                }
            }
            let outcome = match self.step(ended.is_none()).await {
                FeedStep::Over(why) => {
                    ended.get_or_insert(why);
                    Ok(())
                }
                FeedStep::Confirmed(confirmed) => self.settle(confirmed),
                FeedStep::Blocked => {
                    self.blocked(self.publisher.alarm().blocked());
                    Ok(())
                }
                FeedStep::Send => self.send().await,
            };
            if let Err(error) = outcome {
                self.report.unconfirmed = self.in_flight.len() as u64;
                ended = Some(FeedEnd::Broken(error.to_string()));
                break;
            }
        }
        self.report.took = self.began.elapsed();
        self.report.ended = ended.unwrap_or_default();
        self.report
    }

    async fn step(&mut self, is_open: bool) -> FeedStep {
        let Self { stop, rate_limiter, deadline, in_flight, publisher, blocked, .. } = self;
        let may_send = is_open && blocked.is_none() && in_flight.len() < WINDOW;
        let oldest = in_flight.front_mut();
        let end = deadline.unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            () = stopped(stop), if is_open => FeedStep::Over(FeedEnd::Stopped),
            () = sleep_until(end), if is_open && deadline.is_some() => FeedStep::Over(FeedEnd::Done),
            confirmed = async { oldest.expect("asked only if there is one").sent.confirmed().await },
                if oldest.is_some() => FeedStep::Confirmed(confirmed),
            () = publisher.alarm().changes(*blocked) => FeedStep::Blocked,
            () = rate_limiter.due(), if may_send => FeedStep::Send,
        }
    }

    async fn send(&mut self) -> Result<(), SourceError> {
        let Feed { traffic, routes, .. } = &mut self.feed;
        let event = traffic.next();
        let kind = event.kind();
        let Some(source) = routes.source(kind) else {
            // Only a kind without a share has no source.
            return Ok(());
        };
        let message = wire::message(&event, routes.wire());
        let key = routes.routing_key(source).unwrap_or_else(|| message.routing_key.clone());
        let address = (source.exchange.clone(), key);
        let (publisher, mut stop, blocked) = (self.publisher, self.stop.clone(), self.blocked);
        let (to, stop) = ((&*address.0, &*address.1), stopped(&mut stop));
        let sending = publisher
            .publish_unless_stopped(to, &message, stop, blocked, |blocked| self.blocked(blocked));
        let Some(sent) = sending.await? else { return Ok(()) };
        self.sent += 1;
        self.rate_limiter.passed();
        self.in_flight.push_back(InFlightMessage { kind, address, sent });
        Ok(())
    }

    fn blocked(&mut self, blocked: Option<&'static str>) {
        self.blocked = blocked;
        let waits = self.blocked.map(|why| format!("waiting: {why}"));
        (self.show)(&self.report, waits.as_deref());
    }

    /// The oldest that was under way has arrived, or not.
    fn settle(&mut self, confirmed: Result<(), PublishError>) -> Result<(), SourceError> {
        let mut warning = None;
        // Kept until it is known that it is not lost.
        if let Err(PublishError::Lost(error)) = confirmed {
            return Err(error);
        }
        let Some(InFlightMessage { kind, address, .. }) = self.in_flight.pop_front() else {
            return Ok(());
        };
        match confirmed {
            Ok(()) => self.report.published[kind as usize] += 1,
            Err(PublishError::Unroutable) => {
                self.report.unroutable += 1;
                let (exchange, key) = address;
                if self.complained.insert(exchange.clone()) {
                    warning = Some(format!(
                        "exchange `{exchange}`: no queue is bound to it for the routing key `{key}`; \
                         bind a queue, or check amqp.declare and the source's routing_keys"
                    ));
                }
            }
            Err(_) => self.report.refused += 1,
        }
        (self.show)(&self.report, warning.as_deref());
        Ok(())
    }
}
