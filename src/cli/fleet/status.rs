//! `fleet status`: what the workers of the fleet say of themselves.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use futures_util::future::join;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::paused::{Paused, PausesSeen};
use super::table;
use crate::cli::ExitStatus;
use crate::cli::arguments::StatusArguments;
use crate::cli::output::{print_error, print_json, print_line, print_raw};
use crate::config::Config;
use crate::dead_letters::Stop;
use crate::fleet::{Link, Members, Picture};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::{FleetSession, LISTENS, listen};
use crate::text::printable;

/// For the goodbye to the broker.
const GOODBYE: Duration = Duration::from_secs(1);

/// Clears a terminal.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Listens, and prints what it hears.
pub(crate) async fn run(
    arguments: StatusArguments,
    config: &Config,
    name: String,
    stop: &Stop,
) -> ExitStatus {
    let broker = Broker::new(config.amqp.clone(), name);
    let mut stop = stop.clone();
    tokio::select! {
        status = show(arguments, config, &broker) => status,
        _ = stop.wait_for(|it| *it) => {
            // Whoever watches ends it so.
            if arguments.watch { ExitStatus::Done } else { ExitStatus::Failed }
        }
    }
}

async fn show(arguments: StatusArguments, config: &Config, broker: &Broker) -> ExitStatus {
    loop {
        let error = match watch(arguments, config, broker).await {
            Ok(status) => return status,
            Err(error) => error,
        };
        print_error(&printable(&words(&error), false));
        if !arguments.watch || matches!(error, SourceError::AccessRefused(_)) {
            return ExitStatus::Failed;
        }
        // The broker may come back.
        sleep(LISTENS).await;
    }
}

fn words(error: &SourceError) -> String {
    match error {
        SourceError::AccessRefused(said) => {
            format!("the broker's user may not listen to the fleet: {said}")
        }
        other => other.to_string(),
    }
}

async fn watch(
    arguments: StatusArguments,
    config: &Config,
    broker: &Broker,
) -> Result<ExitStatus, SourceError> {
    let mut session = FleetSession::open(broker, &config.fleet, "fleet status").await?;
    let mut members = Members::new(&config.fleet.name);
    members.set_link(Link::Joined, Instant::now());
    let mut control = PausesSeen::new(broker, &config.fleet);
    loop {
        tokio::select! {
            heard = listen(&mut session, &mut members) => heard?,
            () = control.keep() => {}
        }
        let paused = control.shown(Timestamp::now()).await;
        let picture = members.picture(Instant::now());
        print(&Shown { picture: &picture, paused }, arguments, config);
        if !arguments.watch {
            // What was printed is true, whether the broker hears the goodbye or not.
            let _ = timeout(GOODBYE, join(session.close(), control.close())).await;
            let is_anybody = !picture.workers.is_empty();
            return Ok(if is_anybody { ExitStatus::Done } else { ExitStatus::Failed });
        }
    }
}

/// The workers, and what is paused.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    picture: &'a Picture,
    #[serde(flatten)]
    paused: Paused,
}

fn print(shown: &Shown<'_>, arguments: StatusArguments, config: &Config) {
    if arguments.json {
        return print_json(shown);
    }
    let Shown { picture, paused } = shown;
    let paused = paused.lines();
    if picture.workers.is_empty() {
        let lines = table::replays(picture).chain(paused);
        lines.for_each(|it| print_line(&printable(&it, false)));
        let ignored: u64 = picture.ignored.values().sum();
        let why = if ignored == 0 {
            "check that they run, with the same fleet.name and virtual host, and with fleet.view = true".to_owned()
        } else {
            format!("{ignored} reports were not believed: {}", table::counts(&picture.ignored))
        };
        let heard = format!("no worker of the fleet `{}` was heard; {why}", config.fleet.name);
        return print_error(&printable(&heard, false));
    }
    let is_screen = arguments.watch && io::stdout().is_terminal();
    if is_screen {
        print_raw(CLEAR);
    }
    print_line(&printable(&table::of(picture, &paused), true));
    if arguments.watch && !is_screen {
        print_line("");
    }
}
