//! `fleet pause`, `fleet resume` and `fleet pauses`.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::target::target;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Pausing, TargetArguments};
use crate::cli::output::{print_error, print_json, print_line};
use crate::config::Config;
use crate::fleet::pauses::{Command, Operator, Order, Pause, Target, Via};
use crate::limits::{LONGEST_REASON, MOST_PAUSES};
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::control;
use crate::text::{counted, printable};
use crate::untrusted::one_line;

/// What went wrong, and the status that says so.
type Failed = (ExitStatus, String);

/// Runs a command; `user` is who gives it, as the command line says.
pub(crate) async fn run(
    command: Pausing,
    config: &Config,
    name: String,
    user: String,
) -> ExitStatus {
    let operators = Operators { config, broker: Broker::new(config.amqp.clone(), name), user };
    let done = match command {
        Pausing::Pause { target, length, reason } => {
            operators.pause(&target, length, reason, Timestamp::now()).await
        }
        Pausing::Resume { target } => operators.resume(&target, Timestamp::now()).await,
        Pausing::Pauses { json } => operators.list(json, Timestamp::now()).await,
    };
    match done {
        Ok(()) => ExitStatus::Done,
        Err((status, why)) => {
            print_error(&printable(&why, false));
            status
        }
    }
}

/// The commands of operators.
struct Operators<'a> {
    config: &'a Config,
    broker: Broker,
    /// Who gives them, as the command line says.
    user: String,
}

impl Operators<'_> {
    async fn pause(
        &self,
        arguments: &TargetArguments,
        length: SignedDuration,
        reason: String,
        now: Timestamp,
    ) -> Result<(), Failed> {
        let paused = self.read(now).await?;
        let target = self.target(arguments, &paused)?;
        let before = paused.iter().find(|it| it.target == target);
        if before.is_none() && paused.len() >= MOST_PAUSES {
            let why = format!(
                "{} run, and no more can: resume one, or pause a source or everything",
                counted(paused.len() as u64, "pause", "pauses")
            );
            return Err((ExitStatus::Failed, why));
        }
        let until = rounded(now + length);
        let reason = one_line(&reason, LONGEST_REASON);
        let order = Order::Pause { target: target.clone(), until, reason };
        self.send(order, now).await?;
        let again = before.map(|it| format!(" (before: until {}, by {})", it.until, it.by));
        print(&format!("paused {target} until {until}{}", again.unwrap_or_default()));
        Ok(())
    }

    async fn resume(&self, arguments: &TargetArguments, now: Timestamp) -> Result<(), Failed> {
        let paused = self.read(now).await?;
        let target = self.target(arguments, &paused)?;
        let (ended, others): (Vec<_>, Vec<_>) =
            paused.into_iter().partition(|it| it.target == target);
        // Also where nothing seems to be paused: another operator may be about to pause it.
        self.send(Order::Resume(target.clone()), now).await?;
        match &ended[..] {
            [pause] => print(&format!("resumed {target}, which {} had paused", pause.by)),
            _ => print(&format!("{target} was not paused")),
        }
        for pause in others.iter().filter(|it| is_about(&target, &it.target)) {
            print_error(&printable(&format!("still paused: {}", line(pause)), false));
        }
        Ok(())
    }

    async fn list(&self, json: bool, now: Timestamp) -> Result<(), Failed> {
        let paused = self.read(now).await?;
        if json {
            print_json(&Listed { pauses: paused });
        } else if paused.is_empty() {
            print_line("nothing is paused");
        } else {
            for pause in &paused {
                print(&line(pause));
            }
        }
        Ok(())
    }

    fn target(&self, arguments: &TargetArguments, paused: &[Pause]) -> Result<Target, Failed> {
        target(arguments, self.config, paused).map_err(|why| (ExitStatus::WrongArguments, why))
    }

    async fn read(&self, now: Timestamp) -> Result<Vec<Pause>, Failed> {
        if !self.config.fleet.pause {
            let why = "fleet.pause = false in the configuration, so the workers can't be paused";
            return Err((ExitStatus::Failed, why.to_owned()));
        }
        let read = control::read(&self.broker, &self.config.fleet).await;
        let targets = read.map_err(|error| (ExitStatus::Failed, error.to_string()))?;
        Ok(targets.running(now))
    }

    async fn send(&self, order: Order, at: Timestamp) -> Result<(), Failed> {
        let by = Operator::new(&self.user, Via::Cli);
        let fleet = &self.config.fleet;
        let command = Command::new(&fleet.name, by, order, at);
        let sent = control::send(&self.broker, fleet, &command).await;
        sent.map_err(|error| (ExitStatus::Failed, error.to_string()))
    }
}

/// Whether a pause of the second has to do with the first.
fn is_about(target: &Target, other: &Target) -> bool {
    *target == Target::Everything || *other == Target::Everything || target.scope() != other.scope()
}

/// Without fractions of a second, which nobody would read.
fn rounded(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second() + 1).unwrap_or(time)
}

fn print(line: &str) {
    print_line(&printable(line, false));
}

/// What is paused, by whom, since when, until when, and why.
pub(super) fn line(pause: &Pause) -> String {
    let Pause { target, by, reason, since, until } = pause;
    let since = Timestamp::from_second(since.as_second()).unwrap_or(*since);
    format!("{target} until {until}, since {since} by {by}: {reason}")
}

#[derive(Serialize)]
struct Listed {
    pauses: Vec<Pause>,
}
