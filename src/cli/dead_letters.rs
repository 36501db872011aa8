//! `dead-letters`: lists, shows, replays, exports, imports and discards dead letters.

mod archive;
mod discard;
mod in_fleet;
mod list;
mod progress;
mod replay;
mod show;

use std::time::Duration;

use crate::cli::output::print_json;
use crate::cli::{ExitStatus, arguments};
use crate::config::Config;
use crate::dead_letters::argument_parsers::is_known_reason;
use crate::dead_letters::{BrowseCounts, DeadLetters, DeadLettersError, Filter, Stop};
use crate::nearest::nearest_word;
use crate::plugin::Plugins;
use crate::text::printable;

/// For another look or replay to end. A long replay takes longer; whoever waits can see it and stop.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_mins(10);

/// Who runs a command.
pub(crate) struct Who {
    /// How its connections show on RabbitMQ's side.
    pub(crate) name: String,
    /// User and host, as the command line says.
    pub(crate) user: String,
}

/// Carries a command out, and reports on it.
pub(crate) async fn run(
    command: arguments::DeadLetters,
    config: &Config,
    plugins: &Plugins,
    who: Who,
    stop: &Stop,
) -> ExitStatus {
    if let arguments::DeadLetters::Discard { filter, all: false, .. } = &command
        && Filter::from(filter.clone()).is_empty()
    {
        print_error(NO_FILTER);
        return ExitStatus::WrongArguments;
    }
    if let Some(filter) = command.filter() {
        for warning in unknown_names(&filter.clone().into(), config) {
            print_error(&warning);
        }
    }
    let queue = config.amqp.dead_letter_queue.clone();
    let (members, part) = (in_fleet::members(config), in_fleet::Part::of(&command));
    let dead_letters = DeadLetters::new(config.amqp.clone(), who.name.clone());
    let dead_letters = dead_letters.in_fleet(members.clone()).waiting(PATIENCE_WITH_OTHERS, move |waits| {
        if waits {
            print_error(&format!(
                "waiting: another command, the operator's page or another consumer is reading `{queue}`; this command \
                 continues when that one has finished. Press Ctrl-C to stop waiting"
            ));
        }
    });
    let in_line = dead_letters.in_line();
    let context = CommandContext { dead_letters, config, stop };
    let working = Box::pin(carry_out(command, &context, plugins));
    let ended = match members {
        Some(members) => in_fleet::work(part, working, in_line, members, config, who).await,
        None => working.await,
    };
    ended.unwrap_or_else(|trouble| {
        explain(&trouble);
        ExitStatus::Failed
    })
}

async fn carry_out(
    command: arguments::DeadLetters,
    context: &CommandContext<'_>,
    plugins: &Plugins,
) -> Result<ExitStatus, DeadLettersError> {
    match command {
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
    }
}

/// What is said of a `discard` that would take everything.
const NO_FILTER: &str = "which dead letters? Give a filter, such as --reason undecodable or --until 30d; see `dead-letters discard \
                         --help`. Only if all of them are to be deleted: --all";

/// What there is to say of reasons and sources that this configuration does not have. They are no errors: letters may be of
/// another version, or of a source that was removed.
fn unknown_names(filter: &Filter, config: &Config) -> Vec<String> {
    let sources = &config.amqp.sources;
    let names: Vec<&str> = sources.iter().flat_map(|it| [&*it.name, &*it.queue]).collect();
    let reasons = filter.reasons.iter().filter(|it| !is_known_reason(it)).map(|reason| {
        format!("warning: no worker of this version writes the reason `{reason}`, and RabbitMQ does not write it")
    });
    let unknown = filter.sources.iter().filter(|it| !names.contains(&it.as_str())).map(|source| {
        let near = nearest_word(source, &names).map(|it| format!("; did you mean `{it}`?"));
        format!(
            "warning: no source is called `{source}`, and no source has a queue of this name{}; letters of a source that \
             was removed are selected by the name of its queue",
            near.unwrap_or_default()
        )
    });
    reasons.chain(unknown).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;
    use crate::plugin::DefaultPlugin;

    #[test]
    fn what_no_configured_source_is_called_is_said_and_is_no_error() {
        let config = Config::load(&Inputs::default(), &[DefaultPlugin::NAME]).unwrap();
        let said = |sources: &[&str], reasons: &[&str]| {
            let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
            let filter =
                Filter { sources: owned(sources), reasons: owned(reasons), ..Filter::default() };
            unknown_names(&filter, &config)
        };
        assert_eq!(said(&["events", "event-pusher-sns"], &["rejected", "unknown"]), [""; 0]);
        let names = said(&["evnts", "removed"], &["of_another_version"]);
        assert!(names[0].contains("`of_another_version`"), "{names:?}");
        assert!(names[1].contains("`evnts`") && names[1].contains("did you mean `events`?"));
        assert!(names[2].contains("`removed`") && !names[2].contains("did you mean"));
    }

    #[test]
    fn a_discard_without_a_filter_points_at_filters_before_all() {
        assert!(NO_FILTER.find("--reason") < NO_FILTER.find("--all"));
    }
}
