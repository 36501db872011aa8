//! `make demo`: sixteen chat events on their way from RabbitMQ to the subscribers of SNS.
//!
//! Everything is real but the cloud: the worker is the program itself, in a process of its
//! own, and what is shown is read back from the queues, not from what should be in them.
//! The last line adds it up, and the exit status is 1 if it doesn't add up.

mod broker;
mod inbox;
mod samples;
mod settings;
mod story;
mod trouble;
mod verdict;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::broker::Broker;
use crate::inbox::Inbox;
use crate::settings::Settings;
use crate::trouble::Trouble;
use crate::verdict::Facts;
use crate::worker::Worker;

/// For a fact to come true; a hundred times what it takes on a quiet machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at what tells nobody that it has changed.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match demo().await {
        Ok(code) => code,
        Err(trouble) => {
            story::trouble(&trouble);
            ExitCode::FAILURE
        }
    }
}

/// Whatever happens in between, it leaves no process and no event behind.
async fn demo() -> Result<ExitCode, Trouble> {
    let settings = Settings::from_environment()?;
    let broker = Broker::connect(&settings).await?;
    let inbox = Inbox::open(&settings).await?;
    broker.reserve().await?;
    broker.clear().await?;
    inbox.clear().await?;

    // From here on there is something to clean up; before, a signal may end us as ever.
    let mut interruption = Interruption::listen()?;
    let mut worker = Worker::start(&settings)?;
    let played = tokio::select! {
        facts = play(&settings, &broker, &inbox, &mut worker) => facts.map(Ok),
        code = interruption.happens() => Ok(Err(code)),
    };
    let stopped = worker.stop().await;
    let (emptied, left) = (inbox.clear().await, broker.leave().await);
    // What went wrong first is what to tell; the rest follows from it.
    let facts = match played? {
        Ok(facts) => facts,
        Err(code) => {
            emptied.and(left)?;
            story::interrupted();
            return Ok(code);
        }
    };
    let (report, left) = (stopped?, emptied.and(left)?);
    story::report(&report);
    let verdict = facts.judge(&report, left);
    story::verdict(&facts, &verdict, &settings.token);
    Ok(if verdict.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The events' way, told as it happens.
async fn play(
    settings: &Settings,
    broker: &Broker,
    inbox: &Inbox,
    worker: &mut Worker,
) -> Result<Facts, Trouble> {
    worker.consumes().await?;
    story::opening(settings);

    let samples = samples::all();
    broker.publish(&samples).await?;
    story::published(&samples, broker.exchange());

    let ends = worker.ends(samples.len()).await?;
    let arrived = inbox.receive(&samples, ends.published.len()).await?;
    story::arrived(&arrived);
    story::skipped(&ends.skipped);

    let dead = broker.take_dead_letters(ends.dead_lettered).await?;
    story::dead_lettered(&dead, broker.dead_letter_queue());
    Ok(Facts::new(&samples, &ends, &arrived, &dead))
}

/// What asks the demo to end early. It is caught, so that there is time to clean up.
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Interruption {
    fn listen() -> Result<Self, Trouble> {
        let listen =
            |kind| signal(kind).map_err(|error| Trouble::new("can't listen for signals", error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Returns the exit status by which shells know the signal.
    async fn happens(&mut self) -> ExitCode {
        tokio::select! {
            _ = self.interrupt.recv() => 130.into(),
            _ = self.terminate.recv() => 143.into(),
            _ = self.hang_up.recv() => 129.into(),
        }
    }
}
