//! `partitions plan` and `partitions move`.

use std::time::{Duration, Instant};

use super::ExitStatus;
use super::arguments::{MoveArguments, Partitions, PartitionsArguments};
use super::heard::hear;
use super::output::{print_error, print_line};
use crate::config::{Config, Partitioning, Source};
use crate::dead_letters::Stop;
use crate::fleet::{Compared, Comparison};
use crate::nearest::nearest_word;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::repartition::{Moved, Plan, Progress, Repartition, Step};
use crate::text::{counted, printable};

/// Between two lines about the same step.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What went wrong, and the status that says so.
type Failed = (ExitStatus, String);

/// Runs a command.
pub(crate) async fn run(
    command: Partitions,
    config: &Config,
    name: String,
    stop: &Stop,
) -> ExitStatus {
    let broker = Broker::new(config.amqp.clone(), name);
    let done = match &command {
        Partitions::Plan(arguments) => plan(arguments, config, &broker).await,
        Partitions::Move(arguments) => {
            tokio::select! {
                done = move_to(arguments, config, &broker) => done,
                () = stopped(stop) => Err((
                    ExitStatus::Failed,
                    "ended before the move was: if it had begun, events that come wait in the new partitions until it is run again".to_owned(),
                )),
            }
        }
    };
    match done {
        Ok(()) => ExitStatus::Done,
        Err((status, why)) => {
            print_error(&printable(&why, false));
            status
        }
    }
}

async fn stopped(stop: &Stop) {
    let mut stop = stop.clone();
    let _ = stop.wait_for(|it| *it).await;
}

async fn plan(
    arguments: &PartitionsArguments,
    config: &Config,
    broker: &Broker,
) -> Result<(), Failed> {
    let (source, to) = meant(arguments, config)?;
    let planned = Repartition { broker, source, to, with_waiting: false }.plan().await;
    let plan = planned.map_err(|error| (ExitStatus::Failed, error.to_string()))?;
    for line in lines(source, &plan, to.count) {
        print(&line);
    }
    if plan.from == to.count {
        return Ok(());
    }
    are_alike(config, source, broker).await
}

/// Refuses a configuration that can't be that of the workers: a move would lead events by it, and declare queues that workers refuse; and
/// workers without room for the new number would end. Where they can't be heard, it is left to the operator.
async fn are_alike(config: &Config, source: &Source, broker: &Broker) -> Result<(), Failed> {
    let compared = Compared::for_move(config, &source.name);
    let heard = hear(broker, config, &compared, "moves partitions").await;
    let (Comparison { heard, differing }, ignored) = heard.unwrap_or_default();
    let refused = |why| Err((ExitStatus::Failed, why));
    if heard == 0 && ignored > 0 {
        return refused(format!(
            "{} of the fleet came from another user of RabbitMQ, or could not be read or believed, and neither would the workers believe a move \
             by this one: run it with their user and amqp.signing_key_file; `fleet status` says more",
            counted(ignored, "report", "reports")
        ));
    }
    if heard == 0 {
        print("no worker of the source is heard: its configuration is not compared with this one");
    }
    let Some((worker, keys)) = differing.first() else { return Ok(()) };
    let others = match differing.len() {
        1 => String::new(),
        more => format!(" (and {} more)", counted((more - 1) as u64, "worker", "workers")),
    };
    refused(format!(
        "worker {worker}{others} runs with other values of {} than this configuration: all are to have the same before a move; give it theirs, or \
         restart those that differ",
        keys.join(", ")
    ))
}

fn lines(source: &Source, plan: &Plan, to: u16) -> Vec<String> {
    let Plan { from, under_way, workers, waiting } = plan;
    let Source { name, queue, .. } = source;
    let waiting = counted(*waiting, "event waits", "events wait");
    let workers = counted(u64::from(*workers), "worker consumes", "workers consume");
    let now = format!(
        "source {name}: {waiting} in the {from} partitions of `{queue}`, and {workers} them"
    );
    if *from == to {
        return vec![now, format!("there are {to} partitions already: nothing to do")];
    }
    let begun = if *under_way {
        format!(
            "a move from {from} to {to} partitions has begun; `partitions move --source {name} --to {to}` goes on with it:"
        )
    } else {
        format!("`partitions move --source {name} --to {to}` would:")
    };
    vec![
        now,
        begun,
        format!(
            "1. declare exchange `{queue}.{to}.hash`, its {to} queues, and queue `{queue}.moving`, which tells workers of the move"
        ),
        format!(
            "2. bind the new exchange to `{}`, then unbind `{queue}.{from}.hash`: what comes waits in the new queues",
            source.exchange
        ),
        format!("3. wait until workers have published all that is in the {from} former ones"),
        format!(
            "4. replace queue `{queue}.partitions`: the workers begin with the {to} new ones, those that are configured for {to} or more"
        ),
        "5. delete the former exchange and queues".to_owned(),
    ]
}

async fn move_to(
    MoveArguments { of, with_waiting }: &MoveArguments,
    config: &Config,
    broker: &Broker,
) -> Result<(), Failed> {
    let (source, to) = meant(of, config)?;
    let mut told = None;
    are_alike(config, source, broker).await?;
    let mut report = |progress: Progress| {
        let is_due = told.as_ref().is_none_or(|(step, at): &(Step, Instant)| {
            *step != progress.step || at.elapsed() >= TELL_EVERY
        });
        for queue in &progress.gone {
            print(&format!(
                "queue `{queue}` was deleted during the move, and what was in it is gone. It is declared again; RabbitMQ divides keys otherwise \
                 from now on, so that later events of some keys may overtake those that wait"
            ));
        }
        if is_due {
            told = Some((progress.step, Instant::now()));
            print(&line(&progress));
        }
    };
    let repartition = Repartition { broker, source, to, with_waiting: *with_waiting };
    let moved = repartition.run(&mut report).await;
    let (queue, to) = (&source.queue, to.count);
    match moved {
        Ok(Moved::Already) => print(&format!("`{queue}` has {to} partitions already")),
        Ok(Moved::From(from, 0)) => {
            print(&format!("`{queue}` has {to} partitions now, and had {from}"));
        }
        Ok(Moved::From(from, late)) => print(&format!(
            "`{queue}` has {to} partitions now, and had {from}; {} came late to the former ones, and {} put behind those of the new ones, \
             which may have overtaken them",
            counted(late, "event", "events"),
            if late == 1 { "was" } else { "were" }
        )),
        Err(error) => {
            let has_begun = told.is_some_and(|(step, _)| step != Step::Declare);
            let again =
                if has_begun { "; run the command again: it goes on where it was" } else { "" };
            return Err((ExitStatus::Failed, format!("{error}{again}")));
        }
    }
    Ok(())
}

fn line(progress: &Progress) -> String {
    let Progress { step, over, of, waiting, workers, open, .. } = progress;
    match step {
        Step::Declare => "declaring the new partitions".to_owned(),
        Step::Divert => "binding the new partitions, and unbinding the former ones".to_owned(),
        Step::Switch => "all that was in the former partitions is published; the workers begin with the new ones".to_owned(),
        Step::CleanUp => match &open[..] {
            [] => "deleting the former partitions".to_owned(),
            some => format!("waiting for who still holds events of `{}`", some.join("`, `")),
        },
        Step::Drain => {
            let rest = match &open[..] {
                [] => String::new(),
                some if of - over > some.len() => format!("; not `{}` and others", some.join("`, `")),
                some => format!("; not `{}`", some.join("`, `")),
            };
            let why = if *workers == 0 {
                "; no worker consumes them: start one, or resume the source (`fleet status`)"
            } else if progress.is_unheeded {
                "; no worker says that all is published, though nothing waits: see what they hold (`fleet status`), and run this with the workers' \
                 user of RabbitMQ and amqp.signing_key_file, or they make dead letters of its messages"
            } else if *waiting == 0 {
                "; workers have the rest in hand"
            } else {
                ""
            };
            format!(
                "{over} of {of} former partitions are published; {} in them{rest}{why}",
                counted(*waiting, "event waits", "events wait")
            )
        }
    }
}

/// The source and the number that are meant.
fn meant<'a>(
    PartitionsArguments { source, to }: &PartitionsArguments,
    config: &'a Config,
) -> Result<(&'a Source, Partitioning<'a>), Failed> {
    let wrong = |why| (ExitStatus::WrongArguments, why);
    let all: Vec<_> = config.amqp.sources.iter().filter(|it| it.partitions > 0).collect();
    let names: Vec<_> = all.iter().map(|it| &*it.name).collect();
    let found = match (source, &all[..]) {
        (_, []) => return Err(wrong("no source of the configuration has partitions".to_owned())),
        (None, [only]) => only,
        (None, _) => {
            let names = names.join(", ");
            return Err(wrong(format!(
                "several sources have partitions: choose one of {names} by --source"
            )));
        }
        (Some(wanted), all) => all.iter().find(|it| it.name == *wanted).ok_or_else(|| {
            let near = nearest_word(wanted, &names);
            let near = near.map_or_else(String::new, |it| format!(" (did you mean {it:?}?)"));
            let names = names.join(", ");
            wrong(format!(
                "no source with partitions is called `{wanted}`{near}; there are {names}"
            ))
        })?,
    };
    if !config.amqp.declare {
        let why = "amqp.declare = false, so queues are yours: docs/partitions.md says what to create for another number";
        return Err(wrong(why.to_owned()));
    }
    let partitioning = found.partitioning();
    let Some(to) = partitioning.map(|it| Partitioning { count: to.unwrap_or(it.count), ..it })
    else {
        return Err(wrong(format!("source {} has no partitions", found.name)));
    };
    if to.count > found.partitions {
        return Err(wrong(format!(
            "amqp.sources.{}.partitions is {}: workers have room for so many only; set it to {} in every worker, and here, and restart them first",
            found.name, found.partitions, to.count
        )));
    }
    Ok((found, to))
}

fn print(line: &str) {
    print_line(&printable(line, false));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_and_what_keeps_it() {
        let open = vec!["q.40.07".to_owned()];
        let drains = Progress {
            step: Step::Drain,
            over: 39,
            of: 40,
            waiting: 1,
            workers: 0,
            open,
            gone: Vec::new(),
            is_unheeded: false,
        };
        assert_eq!(
            line(&drains),
            "39 of 40 former partitions are published; 1 event waits in them; not `q.40.07`; no worker consumes them: start one, or resume the \
             source (`fleet status`)"
        );
        let open = vec!["q.40.00".to_owned(), "q.40.01".to_owned()];
        let begins = Progress { over: 0, workers: 3, waiting: 2, open, ..drains };
        assert_eq!(
            line(&begins),
            "0 of 40 former partitions are published; 2 events wait in them; not `q.40.00`, `q.40.01` and others"
        );
    }
}
