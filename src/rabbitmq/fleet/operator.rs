//! A command of an operator in the fleet: it hears the workers, and tells them of the replay that it runs, if it runs one. It is no
//! worker, and is not counted as one.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{interval, sleep, timeout};

use super::session::FleetSession;
use crate::config::Fleet;
use crate::fleet::{Link, OperatorReport, ReplayReport, SharedMembers};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::{BLOCKED, Broker};

/// How often it is looked whether there is something to say.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Between two reports of a replay that does what it did before.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Between two tries to join.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// For the last report, and the goodbye to the broker.
const GOODBYE: Duration = Duration::from_secs(1);

/// A command that listens to the fleet while it works.
#[derive(Debug)]
pub(crate) struct OperatorSession {
    broker: Broker,
    fleet: Fleet,
    /// What is heard, and the replay that is told of.
    members: SharedMembers,
    id: String,
    by: String,
}

/// What was told last.
#[derive(Debug, Default)]
struct Told {
    sequence: u64,
    last: Option<(Instant, ReplayReport)>,
}

impl OperatorSession {
    /// `by` is the operator's user and host.
    pub(crate) fn new(broker: Broker, fleet: Fleet, members: SharedMembers, by: String) -> Self {
        let id = format!("{:016x}", fastrand::u64(..));
        Self { broker, fleet, members, id, by }
    }

    /// Hears the fleet, and tells it, until it is told to leave. A user who may not is no fault of the command.
    pub(crate) async fn take_part(&self, mut leave: watch::Receiver<bool>) {
        let mut told = Told::default();
        loop {
            let listening = async {
                let session =
                    FleetSession::open(&self.broker, &self.fleet, "an operator's command").await?;
                self.members.lock().set_link(Link::Joined, Instant::now());
                Ok::<_, SourceError>(session)
            };
            let opened = tokio::select! {
                opened = listening => opened,
                _ = leave.wait_for(|it| *it) => return,
            };
            let ended = match opened {
                Ok(session) => self.listen(session, &mut told, &mut leave).await,
                Err(error) => Err(error),
            };
            let Err(error) = ended else { return };
            tracing::debug!(event = "fleet_not_heard", %error, "the command does not hear the fleet");
            let is_forbidden = matches!(error, SourceError::AccessRefused(_));
            let link = if is_forbidden { Link::Forbidden } else { Link::Lost };
            self.members.lock().set_link(link(error.to_string()), Instant::now());
            tokio::select! {
                () = sleep(TRY_AGAIN), if !is_forbidden => {}
                _ = leave.wait_for(|it| *it) => return,
            }
        }
    }

    /// # Errors
    ///
    /// The connection is lost.
    async fn listen(
        &self,
        mut session: FleetSession,
        told: &mut Told,
        leave: &mut watch::Receiver<bool>,
    ) -> Result<(), SourceError> {
        let mut looks = interval(LOOK_EVERY);
        loop {
            tokio::select! {
                heard = session.next() => match heard {
                    // What is not believed is counted there.
                    Some(Ok((said, _))) if said.is_of(&self.id) => {}
                    Some(said) => {
                        let _ = self.members.lock().hear(said, Instant::now(), Timestamp::now());
                    }
                    None => return Err(session.why_it_ended()),
                },
                _ = looks.tick() => self.tell(&session, told).await?,
                _ = leave.wait_for(|it| *it) => {
                    let _ = timeout(GOODBYE, self.say_goodbye(session, told)).await;
                    return Ok(());
                }
            }
        }
    }

    /// Tells of the replay, if it is time. While RabbitMQ has an alarm nothing is sent, since it would be kept here.
    async fn tell(&self, session: &FleetSession, told: &mut Told) -> Result<(), SourceError> {
        let now = Instant::now();
        let is_blocked = session.is_blocked();
        let replay = {
            let mut members = self.members.lock();
            members.set_link(if is_blocked { Link::Blocked(BLOCKED) } else { Link::Joined }, now);
            members.forget(now);
            members.own_replay().cloned()
        };
        let Some(replay) = replay.filter(|_| !is_blocked) else { return Ok(()) };
        let is_due = told.last.as_ref().is_none_or(|(at, before)| {
            now.duration_since(*at) + LOOK_EVERY / 2 >= REPORT_EVERY || before.state != replay.state
        });
        if is_due {
            told.last = Some((now, replay.clone()));
            session.publish(&self.report(told, replay, false)).await?;
        }
        Ok(())
    }

    async fn say_goodbye(&self, session: FleetSession, told: &mut Told) {
        if let Some((_, last)) = told.last.take().filter(|_| !session.is_blocked()) {
            // Who is not told finds out by itself.
            let _ = session.publish(&self.report(told, last, true)).await;
        }
        session.close().await;
    }

    fn report(&self, told: &mut Told, replay: ReplayReport, ended: bool) -> Vec<u8> {
        told.sequence += 1;
        let (sequence, at) = (told.sequence, Timestamp::now());
        let (id, by) = (self.id.clone(), self.by.clone());
        OperatorReport { id, sequence, at, by, ended, replay }.to_json()
    }
}
