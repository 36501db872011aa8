//! A replay job, as the page shows it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

/// The replay that is under way, or the last one.
#[derive(Debug, Clone, Serialize)]
pub(in super::super) struct Job {
    pub(super) by: String,
    pub(super) began: Timestamp,
    /// Letters that are replayed first.
    pub(super) canary: Option<u64>,
    pub(in super::super) running: bool,
    pub(super) stopping: bool,
    pub(super) report: Option<Json>,
    pub(super) watching: bool,
    pub(super) error: Option<String>,
}

/// Replaces a text that is shown only after a login.
const ASK_THE_LOG: &str = "the log says why";

impl Job {
    /// What is shown without a login: no text that may quote a letter.
    pub(in super::super) fn for_anyone(&self) -> Self {
        let mut job = Self { by: "somebody who is logged in".to_owned(), ..self.clone() };
        job.error = job.error.map(|_| ASK_THE_LOG.to_owned());
        if let Some(Json::Object(report)) = &mut job.report {
            report.retain(|name, _| !matches!(name.as_str(), "came_back_as" | "refused"));
            if let Some(why) = report.get_mut("why").filter(|it| !it.is_null()) {
                *why = ASK_THE_LOG.into();
            }
        }
        job
    }

    /// Whether it waits until RabbitMQ takes messages again.
    pub(in super::super) fn is_blocked(&self) -> bool {
        self.running && self.report.as_ref().is_some_and(|report| !report["blocked"].is_null())
    }
}
