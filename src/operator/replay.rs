use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::progress::Progress;
use super::{Desk, End, complain, dead_letters, say, say_json};
use crate::cli::ReplayArguments;
use crate::config::Sns;
use crate::dead_letters::text::printable;
use crate::dead_letters::{Ended, Filter, Looked, Replay, Report, Trouble, Watching};

/// What can't be published comes back within milliseconds, if a worker is there.
const WATCH_THE_END: Duration = Duration::from_secs(2);

impl Desk<'_> {
    pub(super) async fn replay(&self, arguments: ReplayArguments) -> Result<End, Trouble> {
        let replay = Replay {
            target: arguments.target(),
            canary: arguments.canary,
            watching: Watching {
                canary: arguments.watch.unwrap_or_else(|| gives_up_after(&self.config.sns)),
                end: arguments.watch.unwrap_or(WATCH_THE_END),
            },
            rate: arguments.rate,
            max_failures: arguments.max_failures,
            dry_run: arguments.dry_run,
            hold: self.config.outage.hand_back_after,
        };
        let filter = Filter::from(arguments.filter);
        let mut progress = Progress::new();
        let replaying = self.dead_letters.replay(&filter, &replay, self.stop, |report| {
            progress.show(report);
        });
        let report = replaying.await;
        progress.end();
        let report = report?;
        let good = if replay.dry_run { report.refused.is_empty() } else { report.is_good() };
        let looked = Looked { letters: report.letters, matching: report.matching, most_looks: 0 };
        if arguments.json {
            say_json(&as_json(&report));
        } else if !self.found_none(&looked, &filter) {
            if replay.dry_run { tell_plan(&report) } else { tell(&report) }
        }
        Ok(if good { End::Done } else { End::Failed })
    }
}

/// The time in which a worker has published an event or given it up, if nothing holds it.
fn gives_up_after(sns: &Sns) -> Duration {
    let attempts = sns.attempt_timeout.saturating_mul(sns.publish_retry_count.saturating_add(1));
    let pauses = (0..sns.publish_retry_count)
        .map(|retry| sns.publish_retry_time.saturating_mul(2_u32.saturating_pow(retry)))
        .fold(Duration::ZERO, Duration::saturating_add);
    attempts.saturating_add(pauses)
}

fn tell_plan(report: &Report) {
    for (address, count) in &report.plan {
        say(&format!("{count:>7}  would go to {}", printable(address, false)));
    }
    tell_each("could not be sent", &report.refused);
}

fn tell(report: &Report) {
    match &report.ended {
        Ended::Done => {}
        Ended::Stopped => complain("stopped, as it was told"),
        Ended::CanaryFailed => complain("the canary failed; the others were not sent"),
        Ended::CanaryUnknown(why) => {
            complain(&format!("nobody can tell what became of the canary: {why}"));
            complain("the others were not sent");
        }
        Ended::TooManyFailures => complain("stopped, since as many failed as --max-failures says"),
        Ended::Broken(why) => {
            complain(why);
            complain("what is left is among the dead letters still; run it again");
        }
    }
    let seconds = report.took.as_secs_f64();
    let all = dead_letters(report.matching);
    say(&format!("replayed {} of {all} in {seconds:.1} s", report.replayed));
    tell_each("came back", &report.came_back_as);
    tell_each("could not be sent", &report.refused);
    if report.left() > 0 {
        say(&format!("{:>7}  left, where they were", report.left()));
    }
}

fn tell_each(what: &str, texts: &BTreeMap<String, u64>) {
    for (text, count) in texts {
        say(&format!("{count:>7}  {what}: {}", printable(text, false)));
    }
}

fn as_json(report: &Report) -> Json {
    let (ended, why) = match &report.ended {
        Ended::Done => ("done", None),
        Ended::Stopped => ("stopped", None),
        Ended::CanaryFailed => ("canary_failed", None),
        Ended::CanaryUnknown(why) => ("canary_unknown", Some(why)),
        Ended::TooManyFailures => ("too_many_failures", None),
        Ended::Broken(why) => ("broken", Some(why)),
    };
    json!({
        "matching": report.matching,
        "replayed": report.replayed,
        "came_back": report.came_back,
        "came_back_as": report.came_back_as,
        "refused": report.refused,
        "left": report.left(),
        "plan": report.plan,
        "ended": ended,
        "why": why,
        "seconds": report.took.as_secs_f64(),
    })
}
