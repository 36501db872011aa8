//! The commands and their arguments.

mod dead_letters;
mod feed;
mod fleet;
mod import;
mod partitions;
mod try_events;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use dead_letters::{DeadLetters, ReplayArguments};
pub(crate) use feed::{FeedArguments, Mix, Wire};
pub(crate) use fleet::{Fleet, Pausing, StatusArguments, TargetArguments};
pub(crate) use import::Import;
pub(crate) use partitions::{MoveArguments, Partitions, PartitionsArguments};
pub(crate) use try_events::TryArguments;

use crate::limits::LONGEST_SHORT;

/// Takes chat events from RabbitMQ, publishes them to Amazon SNS, and acknowledges only
/// what SNS has accepted.
#[derive(Debug, Parser)]
#[command(version, name = "event-pusher-sns", after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Configuration file (TOML). If the option is given more than once, later files override earlier ones.
    /// Without it, config/local.toml is read if that file exists
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Vec<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Run the worker until SIGTERM or Ctrl-C
    Run,
    /// Check the configuration, then RabbitMQ, then each SNS topic, without changing them
    #[command(after_help = CHECK_HELP)]
    Check {
        /// Check the configuration only; connect to nothing
        #[arg(long)]
        offline: bool,
    },
    /// Show what sample events would become, or compare that with a file, without connecting to anything
    #[command(after_help = try_events::HELP)]
    Try(Box<TryArguments>),
    /// Publish generated chat traffic to a source's exchange, for demos and load tests
    #[command(after_help = feed::HELP)]
    Feed(Box<FeedArguments>),
    /// Convert MongooseIM's mongooseim.toml, or its older mongooseim.cfg, into a configuration
    Import(Import),
    /// List, show, replay, export, import or discard dead letters
    #[command(subcommand, visible_alias = "dlq")]
    DeadLetters(Box<DeadLetters>),
    /// Show, pause and resume the workers of a fleet
    #[command(subcommand)]
    Fleet(Box<Fleet>),
    /// Change the number of a source's partitions
    #[command(subcommand)]
    Partitions(Partitions),
}

const CHECK_HELP: &str = "\
`check` declares no exchange, queue or binding that stays. If the dead-letter queue is empty, `check` publishes
two empty messages to it and removes them: one expires at once and shows whether dead letters reach
the queue, the other measures whether a policy sets a delivery limit. Other consumers of that queue,
or of other queues bound to the dead-letter exchange, may receive these messages. Where a source has
partitions, `check` listens to the workers that run for two seconds, with a queue that goes with its
connection, and names those that have another prefetch or other partitions.

If the configuration is invalid, `check` prints all of its problems to standard error, and still asks
RabbitMQ and SNS for what these problems don't concern.

Exit status: 0 no problems; 1 problems were found, or the output could not be written; 78 the
configuration is invalid.";

const AFTER_HELP: &str = "\
Environment variables override the files: EVENT_PUSHER__SNS__REGION sets sns.region.

Exit status: 0 success; 1 failure while running; 2 wrong arguments; 78 invalid configuration.";

/// A text that selects or names something, and so is not empty. A shell gives an empty one for a variable that is unset.
fn some_text(text: &str) -> Result<String, String> {
    let is_some = !text.trim().is_empty();
    is_some
        .then(|| text.to_owned())
        .ok_or_else(|| "it is empty; give a value, or leave the option out".to_owned())
}

/// A name of a queue or an exchange.
fn name(text: &str) -> Result<String, String> {
    some_text(text).and_then(|text| short_text(&text))
}

/// A name of a queue or an exchange, or a routing key.
fn short_text(text: &str) -> Result<String, String> {
    if text.len() <= LONGEST_SHORT {
        return Ok(text.to_owned());
    }
    Err(format!("a name or routing key has no more than {LONGEST_SHORT} bytes"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        let arguments = ["event-pusher-sns"].iter().chain(arguments);
        Arguments::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_value_is_refused_with_the_name_of_its_option() {
        let dlq = |option: &'static str| vec!["dead-letters", "discard", "--yes", option, ""];
        let replay = |option: &'static str| vec!["dead-letters", "replay", option, ""];
        let all = [
            dlq("--reason"),
            dlq("--kind"),
            dlq("--topic"),
            dlq("--source"),
            dlq("--user"),
            dlq("--room"),
            dlq("--since"),
            dlq("--error"),
            dlq("--id"),
            dlq("--export"),
            replay("--to-queue"),
            replay("--to-exchange"),
            replay("--watch"),
            replay("--canary-watch"),
            vec!["feed", "--source", ""],
            vec!["feed", "--domain", ""],
            vec!["try", "--source", ""],
            vec!["try", "--expect", ""],
            vec!["check", "--config", ""],
        ];
        for arguments in all {
            let error = parse(&arguments).unwrap_err();
            let option = arguments[arguments.len() - 2];
            assert!(error.contains(&format!("'{option} ")), "{arguments:?}: {error}");
        }
        assert!(parse(&["dead-letters", "show", ""]).is_err());
    }

    #[test]
    fn a_target_without_a_name_is_what_each_letter_came_from() {
        use crate::dead_letters::Target;
        for (arguments, target) in [
            (&["dead-letters", "replay", "--to-queue"][..], Target::SourceQueue),
            (&["dead-letters", "replay", "--to-exchange"], Target::SourceExchange),
            (&["dead-letters", "replay", "--to-queue", "q"], Target::Queue("q".to_owned())),
        ] {
            let Command::DeadLetters(command) = parse(arguments).unwrap().command else {
                panic!("{arguments:?}")
            };
            let DeadLetters::Replay(replay) = *command else { panic!("{arguments:?}") };
            assert_eq!(replay.target(), target);
        }
    }

    #[test]
    fn the_canary_is_watched_by_its_own_time_else_by_that_of_the_end() {
        use crate::dead_letters::Watching;
        let seconds = |canary, end| Watching {
            canary: Duration::from_secs(canary),
            end: Duration::from_secs(end),
        };
        for (options, expected) in [
            (&[][..], (30, 2)),
            (&["--watch", "5s"], (5, 5)),
            (&["--canary-watch", "5m"], (300, 2)),
            (&["--canary-watch", "5m", "--watch", "0s"], (300, 0)),
        ] {
            let arguments = [&["dead-letters", "replay", "--canary", "3"], options].concat();
            let Command::DeadLetters(command) = parse(&arguments).unwrap().command else {
                panic!("{arguments:?}")
            };
            let DeadLetters::Replay(replay) = *command else { panic!("{arguments:?}") };
            let watching = replay.watching(seconds(30, 2));
            assert_eq!(watching, seconds(expected.0, expected.1), "{options:?}");
        }
        let error = parse(&["dead-letters", "replay", "--canary-watch", "5m"]).unwrap_err();
        assert!(error.contains("--canary <N>"), "{error}");
    }

    #[test]
    fn a_reason_that_is_nearly_a_known_one_is_refused() {
        fn list(option: &str, value: &str) -> Result<(), String> {
            parse(&["dead-letters", "list", option, value]).map(drop)
        }
        for fine in ["retries_exhausted", "delivery_limit", "unknown", "of_another_version"] {
            assert_eq!(list("--reason", fine), Ok(()));
        }
        let error = list("--reason", "retries_exhausted,").unwrap_err();
        assert!(error.contains("did you mean \"retries_exhausted\"?"), "{error}");
        assert!(list("--reason", "Undecodable").is_err());
        assert!(list("--id", "a\nb").is_err());
        assert!(list("--id", &"a".repeat(256)).is_err());
        assert_eq!(list("--id", "<1@host>"), Ok(()));
    }
}
