//! Publishes events with a window of unconfirmed ones, and counts the results.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::outage::Outage;
use super::report::{FeedEnd, Report};
use super::routes::Routes;
use super::traffic::Traffic;
use super::wire;
use crate::dead_letters::rate_limiter::RateLimiter;
use crate::dead_letters::{Stop, stopped};
use crate::event::EventKind;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::message::Message;
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

/// The next step of a feed.
enum FeedStep {
    Over(FeedEnd),
    Confirmed(Result<(), PublishError>),
    Blocked,
    Send,
}

pub(super) struct InFlightMessage {
    kind: EventKind,
    /// Exchange and routing key.
    pub(super) address: (String, String),
    /// Kept until it is confirmed: it may have to be sent again.
    pub(super) message: Message,
    /// `None` until it is sent on the current connection.
    pub(super) sent: Option<PendingConfirm>,
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
        let publisher = match opened {
            Ok(publisher) => Rc::new(publisher),
            Err(error) => {
                return Report { ended: FeedEnd::Broken(error.to_string()), ..Report::default() };
            }
        };
        let rate_limiter = RateLimiter::new(self.rate);
        let began = Instant::now();
        let deadline = self.until.time.map(|time| began + time);
        let feeding = Feeding {
            feed: self,
            broker,
            publisher,
            stop,
            rate_limiter,
            began,
            deadline,
            show,
            sent: 0,
            blocked: None,
            outage: None,
            in_flight: VecDeque::with_capacity(WINDOW),
            complained: BTreeSet::new(),
            report: Report::default(),
        };
        feeding.run().await
    }

    /// Connects, and sees to the exchanges as a worker would.
    pub(super) async fn open(&self, broker: &Broker) -> Result<ConfirmedPublisher, SourceError> {
        let publisher = ConfirmedPublisher::open(broker, "feed").await?;
        for source in self.routes.sources() {
            publisher.ensure(broker, source).await?;
        }
        Ok(publisher)
    }
}

pub(super) struct Feeding<'a, S> {
    pub(super) feed: Feed<'a>,
    pub(super) broker: &'a Broker,
    pub(super) publisher: Rc<ConfirmedPublisher>,
    pub(super) stop: Stop,
    rate_limiter: RateLimiter,
    began: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) show: S,
    sent: u64,
    /// What the broker waits for, so that nothing more is sent.
    pub(super) blocked: Option<&'static str>,
    /// From the loss of a connection until the next confirm.
    pub(super) outage: Option<Outage>,
    pub(super) in_flight: VecDeque<InFlightMessage>,
    /// Exchanges that were complained of.
    complained: BTreeSet<String>,
    pub(super) report: Report,
}

impl<S: FnMut(&Report, Option<&str>)> Feeding<'_, S> {
    async fn run(mut self) -> Report {
        let mut ended = None;
        while ended.is_none() || !self.in_flight.is_empty() {
            if ended.is_some()
                && let Some(why) = self.publisher.alarm().blocked()
            {
                // Nobody knows when what was sent is taken.
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
            if let Err(error) = outcome
                && let Some(end) = self.recover(error, ended == Some(FeedEnd::Stopped)).await
            {
                ended = Some(end);
                break;
            }
        }
        self.report.unconfirmed = self.in_flight.len() as u64;
        self.report.took = self.began.elapsed();
        self.report.ended = ended.unwrap_or_default();
        self.publisher.close().await;
        self.report
    }

    async fn step(&mut self, is_open: bool) -> FeedStep {
        let Self { stop, rate_limiter, deadline, in_flight, publisher, blocked, .. } = self;
        let may_send = is_open && blocked.is_none() && in_flight.len() < WINDOW;
        let oldest = in_flight.front_mut().and_then(|oldest| oldest.sent.as_mut());
        let end = deadline.unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            () = stopped(stop), if is_open => FeedStep::Over(FeedEnd::Stopped),
            () = sleep_until(end), if is_open && deadline.is_some() => FeedStep::Over(FeedEnd::Done),
            confirmed = async { oldest.expect("asked only if there is one").confirmed().await },
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
        let mut message = wire::message(&event, routes.wire());
        let own = std::mem::take(&mut message.routing_key);
        let exchange = source.exchange.clone();
        let Some(key) = routes.routing_key(source, kind, &own) else {
            // Another queue of the exchange might take it, but not the source's.
            self.sent += 1;
            self.rate_limiter.passed();
            let warning = self.unroutable((exchange, own));
            (self.show)(&self.report, warning.as_deref());
            return Ok(());
        };
        let mut in_flight = InFlightMessage { kind, address: (exchange, key), message, sent: None };
        let sending = self.publish(&in_flight).await;
        if let Ok(None) = sending {
            return Ok(());
        }
        self.sent += 1;
        self.rate_limiter.passed();
        // An event that could not be sent is unconfirmed as well.
        let sent = sending.map(|sent| in_flight.sent = sent);
        self.in_flight.push_back(in_flight);
        sent
    }

    /// `None`: told to stop while an alarm lasted.
    pub(super) async fn publish(
        &mut self,
        InFlightMessage { address: (exchange, key), message, .. }: &InFlightMessage,
    ) -> Result<Option<PendingConfirm>, SourceError> {
        let (mut stop, before) = (self.stop.clone(), self.blocked);
        let publisher = Rc::clone(&self.publisher);
        let blocked = |blocked| self.blocked(blocked);
        let (to, stop) = ((&**exchange, &**key), stopped(&mut stop));
        publisher.publish_unless_stopped(to, message, stop, before, blocked).await
    }

    fn blocked(&mut self, blocked: Option<&'static str>) {
        self.blocked = blocked;
        let waits = self.blocked.map(|why| format!("waiting: {why}"));
        (self.show)(&self.report, waits.as_deref());
    }

    /// The oldest that was under way has arrived, or not.
    fn settle(&mut self, confirmed: Result<(), PublishError>) -> Result<(), SourceError> {
        // Kept until it is known that it is not lost.
        if let Err(PublishError::Lost(error)) = confirmed {
            return Err(error);
        }
        let Some(InFlightMessage { kind, address, .. }) = self.in_flight.pop_front() else {
            return Ok(());
        };
        self.outage = None;
        let warning = match confirmed {
            Ok(()) => {
                self.report.published[kind as usize] += 1;
                None
            }
            Err(PublishError::Unroutable) => self.unroutable(address),
            Err(_) => {
                self.report.refused += 1;
                None
            }
        };
        (self.show)(&self.report, warning.as_deref());
        Ok(())
    }

    /// Counts an event that no queue is bound for; returns what is to be said, once for each exchange.
    fn unroutable(&mut self, (exchange, key): (String, String)) -> Option<String> {
        self.report.unroutable += 1;
        let warning = format!(
            "exchange `{exchange}`: no queue is bound to it for the routing key `{key}`; \
             bind a queue, or check amqp.declare and the source's routing_keys"
        );
        self.complained.insert(exchange).then_some(warning)
    }
}
