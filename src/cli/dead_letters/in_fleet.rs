//! A command beside the fleet: while it works it hears the workers, and tells them of the replay that it runs.

use tokio::sync::watch;

use super::Who;
use crate::cli::arguments;
use crate::config::Config;
use crate::fleet::SharedMembers;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::OperatorSession;

/// How a command takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It changes nothing.
    None,
    /// Once it waits for its turn: it wants to know who has the letters.
    Waiting,
    /// From the start.
    Replaying,
}

impl Part {
    pub(super) fn of(command: &arguments::DeadLetters) -> Self {
        match command {
            arguments::DeadLetters::Replay(replay) if !replay.dry_run => Self::Replaying,
            arguments::DeadLetters::Import { .. } | arguments::DeadLetters::Discard { .. } => {
                Self::Waiting
            }
            _ => Self::None,
        }
    }
}

/// What is to be heard of the fleet, unless `fleet.view` is off.
pub(super) fn members(config: &Config) -> Option<SharedMembers> {
    config.fleet.view.then(|| SharedMembers::new(&config.fleet.name))
}

/// Does the work, and takes part meanwhile.
pub(super) async fn work<T>(
    part: Part,
    working: impl Future<Output = T>,
    mut in_line: watch::Receiver<bool>,
    members: SharedMembers,
    config: &Config,
    who: Who,
) -> T {
    if part == Part::None {
        return working.await;
    }
    let broker = Broker::new(config.amqp.clone(), who.name);
    let session = OperatorSession::new(broker, config.fleet.clone(), members, who.user);
    let (leave, mut leaving) = watch::channel(false);
    let taking_part = async {
        if part == Part::Waiting {
            tokio::select! {
                _ = in_line.wait_for(|it| *it) => {}
                _ = leaving.wait_for(|it| *it) => return,
            }
        }
        Box::pin(session.take_part(leaving)).await;
    };
    let working = async {
        let done = working.await;
        leave.send_replace(true);
        done
    };
    tokio::join!(working, taking_part).0
}
