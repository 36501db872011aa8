//! `dead-letters`: lists, shows, replays, exports, imports and discards dead letters.

mod archive;
mod discard;
mod list;
mod progress;
mod replay;
mod show;

use std::time::Duration;

use crate::cli::output::print_json;
use crate::cli::{ExitStatus, arguments};
use crate::config::Config;
use crate::dead_letters::{BrowseCounts, DeadLetters, DeadLettersError, Filter, Stop};
use crate::plugin::Plugins;
use crate::text::printable;

/// For another look or replay to end. A long replay takes longer; whoever waits can see it and stop.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_mins(10);

/// Carries a command out, and reports on it.
pub(crate) async fn run(
    command: arguments::DeadLetters,
    config: &Config,
    plugins: &Plugins,
    name: String,
    stop: &Stop,
) -> ExitStatus {
    let queue = config.amqp.dead_letter_queue.clone();
    let dead_letters = DeadLetters::new(config.amqp.clone(), name);
    let dead_letters = dead_letters.waiting(PATIENCE_WITH_OTHERS, move |waits| {
        if waits {
            print_error(&format!(
                "waiting: another command, the operator's page or another consumer is reading `{queue}`; this command \
                 continues when that one has finished. Press Ctrl-C to stop waiting"
            ));
        }
    });
    let context = CommandContext { dead_letters, config, stop };
    let ended = match command {
        arguments::DeadLetters::List { filter, each, json } => {
            context.list(filter.into(), each, json).await
        }
        arguments::DeadLetters::Show { id, body, json } => {
            context.show(&id, body, json, plugins).await
        }
        arguments::DeadLetters::Replay(arguments) => context.replay(*arguments).await,
        arguments::DeadLetters::Export { file, filter } => {
            context.export(&file, filter.into()).await
        }
        arguments::DeadLetters::Import { file } => context.import(&file).await,
        arguments::DeadLetters::Discard { filter, all: _, yes, export, claimed_times } => {
            let filter = Filter { claimed_times, ..filter.into() };
            context.discard(filter, yes, export.as_deref()).await
        }
    };
    ended.unwrap_or_else(|trouble| {
        explain(&trouble);
        ExitStatus::Failed
    })
}

/// What every command works with.
struct CommandContext<'a> {
    dead_letters: DeadLetters,
    config: &'a Config,
    stop: &'a Stop,
}

impl CommandContext<'_> {
    fn queue(&self) -> &str {
        self.dead_letters.queue()
    }

    /// Says that there is nothing to do, if so.
    fn found_none(&self, counts: &BrowseCounts, filter: &Filter) -> bool {
        let queue = self.queue();
        match counts {
            BrowseCounts { letters: 0, .. } => print_line(&format!("no dead letters in `{queue}`")),
            BrowseCounts { letters, matching: 0, .. } if !filter.is_empty() => {
                print_line(&format!(
                    "none of the {letters} dead letters in `{queue}` matches the filter"
                ));
            }
            _ => return false,
        }
        true
    }

    /// Says so if there is more than was seen, and how it ends then.
    fn exit_status(&self, counts: &BrowseCounts) -> ExitStatus {
        let BrowseCounts { unseen, .. } = counts;
        if *unseen == 0 {
            return ExitStatus::Done;
        }
        print_error(&format!(
            "{} in `{}` could not be read: they expired or were consumed meanwhile, or there are more than this \
             command can hold; run it again",
            dead_letters(*unseen),
            self.queue()
        ));
        ExitStatus::Failed
    }
}

/// Says what went wrong, and what to do about it.
fn explain(trouble: &DeadLettersError) {
    if matches!(trouble, DeadLettersError::Stopped) {
        return print_error("stopped by a signal");
    }
    let remedy = match trouble {
        DeadLettersError::Broker(error) if error.is_not_found() => {
            "; check the name in amqp.dead_letter_queue, or start `event-pusher-sns run`, which creates the queue"
        }
        _ => "",
    };
    print_error(&format!("{trouble}{remedy}"));
}

/// Lines for whoever asked. Whatever a letter holds, the terminal shows it and does not obey.
fn print_line(lines: &str) {
    crate::cli::output::print_line(&printable(lines, true));
}

/// Lines about what is not as it should be; names in the broker's answers may be a letter's.
fn print_error(lines: &str) {
    crate::cli::output::print_error(&printable(lines, true));
}

/// `1 dead letter`, `2 dead letters`.
fn dead_letters(count: u64) -> String {
    crate::text::counted(count, "dead letter", "dead letters")
}
