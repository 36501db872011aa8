//! Runs a replay, and shows how far it is.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

use super::{Job, JobSender, OperatorContext, ReplayRequest};
use crate::dead_letters::{Replay, Report, Stop, report_as_json};

/// Between two reports of a replay's progress, unless it comes to its next step.
const REPORT_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(
    context: &OperatorContext,
    request: ReplayRequest,
    job: &JobSender,
    stop: Stop,
) {
    let ReplayRequest { filter, canary, rate, max_failures, by, peer } = request;
    let replay = Replay { canary, rate, max_failures, ..context.replay() };
    let update = |change: &dyn Fn(&mut Job)| job.send_modify(|job| job.iter_mut().for_each(change));
    let latest: RefCell<Option<Report>> = RefCell::default();
    let publish = || {
        let Some(report) = latest.take() else { return };
        context.now_has(letters_now(&report));
        let json = report_as_json(&report);
        update(&|job| (job.report, job.watching) = (Some(json.clone()), report.watching));
    };
    let mut shown = None;
    let show = |report: &Report| {
        let now = Some((report.watching, report.blocked, report.held.clone()));
        latest.replace(Some(report.clone()));
        if shown != now {
            shown = now;
            publish();
        }
    };
    let mut replaying = pin!(context.dead_letters.replay(&filter, &replay, &stop, show));
    let ended = loop {
        tokio::select! {
            ended = &mut replaying => break ended,
            () = sleep(REPORT_EVERY) => publish(),
        }
    };
    match ended {
        Ok(report) => {
            context.now_has(letters_now(&report));
            let json = report_as_json(&report);
            let (replayed, came_back) = (report.replayed, report.came_back);
            tracing::info!(event = "page_replay_ended", %peer, by, replayed, left = report.left(), came_back, ended = json["ended"].as_str(), "replay from the page ended");
            update(&|job| (job.report, job.running) = (Some(json.clone()), false));
        }
        Err(trouble) => {
            tracing::warn!(event = "page_replay_failed", %peer, by, error = %trouble, "replay from the page could not begin");
            update(&|job| (job.error, job.running) = (Some(trouble.to_string()), false));
        }
    }
    update(&|job| job.watching = false);
}

/// Letters in the queue by what a replay has seen and done.
const fn letters_now(report: &Report) -> u64 {
    (report.letters + report.came_back).saturating_sub(report.replayed)
}
