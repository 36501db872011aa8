//! `fleet`: what concerns all workers of a fleet.

mod pausing;
mod status;
mod table;
mod target;

use jiff::Timestamp;

use self::pausing::Operators;
use crate::cli::ExitStatus;
use crate::cli::arguments::Fleet;
use crate::cli::output::print_error;
use crate::config::Config;
use crate::dead_letters::Stop;
use crate::rabbitmq::connection::Broker;
use crate::text::printable;

/// Runs a command; `user` is who gives it, as the command line says.
pub(crate) async fn run(
    command: Fleet,
    config: &Config,
    name: String,
    user: String,
    stop: &Stop,
) -> ExitStatus {
    let operators = Operators { config, broker: Broker::new(config.amqp.clone(), name), user };
    let done = match command {
        Fleet::Status(arguments) => {
            return status::run(arguments, config, &operators.broker, stop).await;
        }
        Fleet::Pause { target, length, reason } => {
            operators.pause(&target, length, reason, Timestamp::now()).await
        }
        Fleet::Resume { target } => operators.resume(&target, Timestamp::now()).await,
        Fleet::Pauses { json } => operators.list(json, Timestamp::now()).await,
    };
    match done {
        Ok(()) => ExitStatus::Done,
        Err((status, why)) => {
            print_error(&printable(&why, false));
            status
        }
    }
}
