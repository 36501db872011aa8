//! How the workers of a fleet hear each other: each publishes its reports to a fanout exchange, and has an exclusive queue on
//! it. Nothing outlives them: exchange and queues go with their last worker, and reports expire within seconds.

pub(in crate::rabbitmq) mod author;
pub(crate) mod control;
mod listen;
mod message;
mod operator;
mod session;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{interval, timeout};

pub(crate) use self::listen::{LISTENS, listen};
pub(crate) use self::message::queue_prefix;
pub(crate) use self::operator::OperatorSession;
pub(crate) use self::session::FleetSession;
use super::connection::{BLOCKED, Broker};
use crate::config::Fleet;
use crate::fleet::{Ignored, LEFT, Link, Report, Said, SharedMembers};
use crate::observe::metrics::Metrics;
use crate::outcome::SourceError;
use crate::pause::Pauses;

/// How often it is looked whether there is something to say.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Between two tries to join where the user may not: a permission may have been granted, and RabbitMQ logs each refusal.
const TRY_AGAIN: Duration = Duration::from_mins(5);

/// The first and the longest pause between other tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A session that has lasted for so long went well: the next one is opened soon.
const WENT_WELL: Duration = Duration::from_secs(5);

/// For the last report, and the goodbye to the broker.
const GOODBYE: Duration = Duration::from_secs(1);

/// This worker as a member of its fleet.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) broker: Broker,
    pub(crate) fleet: Fleet,
    pub(crate) members: SharedMembers,
    pub(crate) metrics: Arc<Metrics>,
}

/// How taking part ended.
enum Ended {
    Left,
    Lost(SourceError),
}

impl Membership {
    /// Takes part until it is told to leave, whatever happens to the connection.
    pub(crate) async fn take_part(&self, leave: &mut watch::Receiver<bool>) {
        let (first, longest) = PAUSES;
        let mut pauses = Pauses::new(first, longest);
        // What the log has told, so that it tells of a change only.
        let mut told = Told::Nothing;
        let mut sequence = 0;
        loop {
            let began = Instant::now();
            let opening = FleetSession::open(&self.broker, &self.fleet, "fleet");
            let opened = tokio::select! {
                opened = opening => opened,
                _ = leave.wait_for(|it| *it) => return,
            };
            let error = match opened {
                Ok(session) => {
                    self.joined(&session, &mut told);
                    match self.report_and_hear(session, &mut sequence, leave).await {
                        Ended::Left => return,
                        Ended::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            if began.elapsed() > WENT_WELL {
                pauses = Pauses::new(first, longest);
            }
            let pause = self.lost(&error, &mut told).unwrap_or_else(|| pauses.draw());
            if timeout(pause, leave.wait_for(|it| *it)).await.is_ok() {
                return;
            }
        }
    }

    fn joined(&self, session: &FleetSession, told: &mut Told) {
        self.members.lock().set_link(Link::Joined, Instant::now());
        if *told != Told::Joined {
            *told = Told::Joined;
            let (fleet, queue) = (&self.fleet.name, session.queue());
            tracing::info!(
                event = "fleet_joined",
                fleet,
                queue,
                "hears the other workers of its fleet"
            );
        }
    }

    /// Returns how long to wait, where that is not as usual.
    fn lost(&self, error: &SourceError, told: &mut Told) -> Option<Duration> {
        let fleet = &self.fleet.name;
        let is_forbidden = matches!(error, SourceError::AccessRefused(_));
        let link = if is_forbidden { Link::Forbidden } else { Link::Lost };
        self.members.lock().set_link(link(error.to_string()), Instant::now());
        if is_forbidden {
            if *told != Told::Forbidden {
                *told = Told::Forbidden;
                tracing::warn!(
                    event = "fleet_forbidden",
                    fleet,
                    %error,
                    "the broker's user may not take part in the fleet: the worker runs without seeing the others, and they don't see it; `check` \
                     names the permissions; or set fleet.view = false"
                );
            }
            return Some(TRY_AGAIN);
        }
        if *told != Told::Lost {
            *told = Told::Lost;
            tracing::warn!(event = "fleet_lost", fleet, %error, "does not hear the other workers of its fleet; trying again");
        }
        None
    }

    /// Reports about every second, and at once when a state changes; and hears the others.
    async fn report_and_hear(
        &self,
        mut session: FleetSession,
        sequence: &mut u64,
        leave: &mut watch::Receiver<bool>,
    ) -> Ended {
        let mut looks = interval(LOOK_EVERY);
        let mut last = None;
        loop {
            tokio::select! {
                heard = session.next() => match heard {
                    Some(report) => self.hear(report),
                    None => return Ended::Lost(session.why_it_ended()),
                },
                _ = looks.tick() => {
                    if let Err(error) = self.report(&session, sequence, &mut last).await {
                        return Ended::Lost(error);
                    }
                }
                _ = leave.wait_for(|it| *it) => {
                    let _ = timeout(GOODBYE, self.say_goodbye(session, *sequence + 1)).await;
                    return Ended::Left;
                }
            }
        }
    }

    fn hear(&self, said: Result<(Said, bool), Ignored>) {
        let heard = self.members.lock().hear(said, Instant::now(), Timestamp::now());
        if let Err(why) = heard {
            self.metrics.fleet_reports_ignored.with_label_values(&[why.label()]).inc();
        }
    }

    /// Sends a report, if it is time. While RabbitMQ has an alarm nothing is sent, since it would be kept here.
    async fn report(
        &self,
        session: &FleetSession,
        sequence: &mut u64,
        last: &mut Option<(Instant, Report)>,
    ) -> Result<(), SourceError> {
        let now = Instant::now();
        let is_blocked = session.is_blocked();
        let (own, every) = {
            let mut members = self.members.lock();
            members.set_link(if is_blocked { Link::Blocked(BLOCKED) } else { Link::Joined }, now);
            (members.own(), members.every())
        };
        let Some(own) = own.filter(|_| !is_blocked) else { return Ok(()) };
        let is_due = last.as_ref().is_none_or(|(at, before)| {
            now.duration_since(*at) + LOOK_EVERY / 2 >= every || before.essence() != own.essence()
        });
        if is_due {
            *sequence += 1;
            let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
            let report =
                Report { sequence: *sequence, at: Timestamp::now(), every_ms, ..own.clone() };
            session.publish(&report.to_json()).await?;
            *last = Some((now, own));
        }
        Ok(())
    }

    async fn say_goodbye(&self, session: FleetSession, sequence: u64) {
        let own = self.members.lock().own();
        if let Some(own) = own.filter(|_| !session.is_blocked()) {
            let (at, state) = (Timestamp::now(), LEFT.to_owned());
            // Who is not told finds out by itself.
            let last = Report { sequence, at, state, ..own };
            let _ = session.publish(&last.to_json()).await;
        }
        session.close().await;
    }
}

/// What the log was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Joined,
    Forbidden,
    Lost,
}
