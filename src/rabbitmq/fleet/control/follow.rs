//! Follows the control stream for a worker: what is paused there is paused here.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::history::History;
use super::{PURPOSE, advised, declare, is_lasting, message};
use crate::config::Fleet;
use crate::fleet::pauses::{Command, Ignored};
use crate::observe::incidents::{Announcement, IncidentKind, Incidents};
use crate::observe::metrics::Metrics;
use crate::outcome::SourceError;
use crate::pause::Pauses;
use crate::publish::PauseGate;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

const FIRST_RECONNECT: Duration = Duration::from_millis(500);
const LONGEST_RECONNECT: Duration = Duration::from_secs(30);

/// After a permission was missing, which RabbitMQ logs each time: it may have been granted.
const TRY_AGAIN_TO_BE_ALLOWED: Duration = Duration::from_mins(5);

/// After another refusal: the stream may have been created, or have a leader again.
const TRY_AGAIN: Duration = Duration::from_mins(1);

/// Of a stream that is missing or refused: RabbitMQ says so, too, while it begins. After so long it is believed; sources that begin have
/// waited for as long as they do (`PauseGate::known`).
const BELIEVED_AFTER: Duration = Duration::from_secs(20);

/// A connection of its own, beside those of the sources, which nothing here disturbs.
#[derive(Debug)]
pub(crate) struct ControlFollower {
    pub(crate) broker: Rc<Broker>,
    pub(crate) fleet: Fleet,
    pub(crate) pauses: Rc<PauseGate>,
    pub(crate) incidents: Rc<Incidents>,
    pub(crate) metrics: std::sync::Arc<Metrics>,
}

impl ControlFollower {
    /// Follows until the worker has stopped.
    pub(crate) async fn run(&self, mut stopped: watch::Receiver<bool>) {
        let mut pauses = Pauses::new(FIRST_RECONNECT, LONGEST_RECONNECT);
        let mut was_refused = false;
        let mut refused_since = None;
        loop {
            let began = Instant::now();
            let error = match self.follow(&mut stopped).await {
                Ok(()) => return,
                Err(error) => advised(error, &self.fleet),
            };
            if began.elapsed() > LONGEST_RECONNECT {
                pauses = Pauses::new(FIRST_RECONNECT, LONGEST_RECONNECT);
                refused_since = None;
            }
            let is_lasting = is_lasting(&error);
            refused_since = refused_since.or(Some(began)).filter(|_| is_lasting);
            let is_believed = match error {
                SourceError::AccessRefused(_) => true,
                _ => refused_since.is_some_and(|since| since.elapsed() > BELIEVED_AFTER),
            };
            let pause = if is_believed {
                self.pauses.does_without();
                if !std::mem::replace(&mut was_refused, true) {
                    tracing::warn!(
                        event = "pausing_impossible",
                        %error,
                        "the worker can't be paused: operators' commands can't be read; correct what the error names (`check` names each missing permission)"
                    );
                }
                match error {
                    SourceError::AccessRefused(_) => TRY_AGAIN_TO_BE_ALLOWED,
                    _ => TRY_AGAIN,
                }
            } else {
                self.pauses.failed();
                if !is_lasting {
                    self.log_lost(&error);
                }
                pauses.draw()
            };
            tokio::select! {
                _ = stopped.wait_for(|it| *it) => return,
                () = sleep(pause) => {}
                () = self.pauses.asked(), if !self.pauses.is_known() => {}
            }
        }
    }

    fn log_lost(&self, error: &SourceError) {
        let name = self.fleet.control();
        let told = self.incidents.lasts(IncidentKind::ControlLost, &name, error);
        if let Some(Announcement { count: since_last_line, .. }) = told {
            tracing::warn!(
                event = "control_lost",
                %error,
                since_last_line,
                "cannot read what operators pause; what is known to be paused stays so until its end; trying again"
            );
        }
    }

    async fn follow(&self, stopped: &mut watch::Receiver<bool>) -> Result<(), SourceError> {
        let connection = tokio::select! {
            biased;
            _ = stopped.wait_for(|it| *it) => return Ok(()),
            connection = self.broker.connect(PURPOSE) => connection?,
        };
        let end = tokio::select! {
            biased;
            _ = stopped.wait_for(|it| *it) => Ok(()),
            end = self.read(&connection) => end,
        };
        if end.is_ok() {
            connection.close().await;
        }
        end
    }

    /// Until it fails.
    async fn read(&self, connection: &BrokerConnection) -> Result<(), SourceError> {
        declare(connection, &self.broker, &self.fleet).await?;
        let ignored = |why| self.ignored(why);
        let History { targets, mut stream } =
            History::read(connection, &self.broker, &self.fleet, ignored).await?;
        self.pauses.learnt(targets);
        self.incidents.ended(IncidentKind::ControlLost, &self.fleet.control());
        loop {
            let delivery = stream.next().await?;
            match message::command(&delivery, self.broker.config()) {
                Ok(command) => {
                    self.compare_clocks(&command);
                    let applied = self.pauses.apply(&command, &self.fleet.name);
                    applied.err().into_iter().for_each(ignored);
                }
                Err(why) => ignored(why),
            }
        }
    }

    /// Of a command that was sent just now.
    fn compare_clocks(&self, command: &Command) {
        if let Some(difference) = command.clock_difference(self.pauses.now()) {
            tracing::warn!(
                event = "clocks_differ",
                by = %command.by,
                difference = %difference,
                "the clock of who paused or resumed something differs from this worker's, by which pauses end: set both by NTP"
            );
        }
    }

    fn ignored(&self, why: Ignored) {
        self.metrics.fleet_commands_ignored.with_label_values(&[why.label()]).inc();
        let (name, kind) = (self.fleet.control(), IncidentKind::CommandIgnored);
        let told = self.incidents.count(Instant::now(), kind, &name, why.label(), &why);
        told.iter().for_each(Announcement::log);
    }
}
