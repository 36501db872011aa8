use std::collections::BTreeMap;

use super::progress::{Progress, held, remarked};
use super::{CommandContext, ExitStatus, dead_letters, print_error, print_json, print_line};
use crate::cli::arguments::ReplayArguments;
use crate::dead_letters::{
    BrowseCounts, DeadLettersError, Filter, Replay, ReplayEnd, Report, report_as_json,
};
use crate::text::printable;

impl CommandContext<'_> {
    pub(super) async fn replay(
        &self,
        arguments: ReplayArguments,
    ) -> Result<ExitStatus, DeadLettersError> {
        let default = Replay::new(self.config);
        let replay = Replay {
            target: arguments.target(),
            canary: arguments.canary,
            watching: arguments.watching(default.watching),
            rate: arguments.rate.unwrap_or_default(),
            priority: arguments.priority,
            max_failures: arguments.max_failures,
            dry_run: arguments.dry_run,
            ..default
        };
        let filter = Filter::from(arguments.filter);
        let mut progress = Progress::new();
        let replaying = self.dead_letters.replay(&filter, &replay, self.stop, |report| {
            // A dry run only looks.
            if !replay.dry_run {
                progress.show(report);
            }
        });
        let report = replaying.await;
        progress.end();
        let report = report?;
        if replay.dry_run {
            report.remarks.iter().for_each(|it| print_error(&remarked(it)));
        }
        let good = if replay.dry_run { report.refused.is_empty() } else { report.is_good() };
        let Report { letters, matching, unseen, .. } = report;
        let counts = BrowseCounts { letters, matching, unseen, claimed: 0 };
        if arguments.json {
            print_json(&report_as_json(&report));
        } else if !self.found_none(&counts, &filter) {
            if replay.dry_run { print_plan(&report) } else { print_report(&report) }
        }
        let end = self.exit_status(&counts);
        Ok(if good { end } else { ExitStatus::Failed })
    }
}

fn print_plan(report: &Report) {
    for (address, count) in &report.plan {
        print_line(&format!("{count:>7}  would go to {}", printable(address, false)));
    }
    print_counts("could not be sent", &report.refused);
}

fn print_report(report: &Report) {
    match &report.ended {
        // The last line is about these.
        ReplayEnd::Done | ReplayEnd::Held(_) => {}
        ReplayEnd::Stopped => print_error("stopped by a signal"),
        ReplayEnd::CanaryFailed => {
            print_error("the canary failed, so the other letters were not sent");
        }
        ReplayEnd::CanaryUnknown(why) => {
            print_error(&format!("the result of the canary is unknown: {why}"));
            print_error("so the other letters were not sent");
        }
        ReplayEnd::CanaryHeld(circuit) => {
            print_error(&format!(
                "the events of the canary wait: {} is held, so the other letters were not sent; the page and the log of the \
                 workers say why",
                held(circuit)
            ));
        }
        ReplayEnd::TooManyFailures => {
            print_error("stopped: the number of failures reached --max-failures");
        }
        ReplayEnd::Broken(why) => {
            print_error(why);
            print_error(
                "the letters that were not replayed are still in the dead-letter queue; run the replay again",
            );
        }
    }
    let seconds = report.took.as_secs_f64();
    let all = dead_letters(report.matching);
    print_line(&format!("replayed {} of {all} in {seconds:.1} s", report.replayed));
    print_counts("dead-lettered again", &report.came_back_as);
    print_counts("could not be sent", &report.refused);
    if report.left() > 0 {
        print_line(&format!(
            "{:>7}  not replayed; they are still in the dead-letter queue",
            report.left()
        ));
    }
    if report.unconfirmed > 0 {
        print_line(&format!(
            "{:>7}  of them were sent but not confirmed, and may have arrived",
            report.unconfirmed
        ));
    }
    let waits = match &report.ended {
        ReplayEnd::Held(circuit) => Some(circuit),
        ReplayEnd::Stopped => report.held.as_ref(),
        _ => None,
    };
    if let Some(circuit) = waits {
        print_error(&format!(
            "{} is held: replayed events wait in their queue, and are published by themselves when it flows again; replay none of \
             them again. The page and the log of the workers say what to do about the hold",
            held(circuit)
        ));
    }
}

fn print_counts(what: &str, texts: &BTreeMap<String, u64>) {
    for (text, count) in texts {
        print_line(&format!("{count:>7}  {what}: {}", printable(text, false)));
    }
}
