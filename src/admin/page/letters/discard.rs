//! Discards dead letters, if their number is the one that was typed in.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::super::dead_letter_jobs::JobError;
use super::super::parsed_request::{ParsedRequest, answer, failed};
use super::super::{LONG_ANSWER, Page};
use super::filter::FilterBody;
use super::json_response;
use crate::dead_letters::{BrowseCounts, Discarded};
use crate::text::grouped;

/// The body of a request to discard letters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscardBody {
    /// Required, so that a request that forgets it does not mean all letters.
    filter: FilterBody,
    /// How many are to be discarded; if the filter means another number, none is.
    count: u64,
}

pub(in super::super) async fn discard(
    State(page): State<Arc<Page>>,
    request: ParsedRequest,
    sent: Bytes,
) -> Response {
    let (who, DiscardBody { filter: asked, count }) = match page.writer(&request, &sent).await {
        Ok(it) => it,
        Err(response) => return *response,
    };
    let filter = match asked.parse() {
        Ok(filter) => filter,
        Err(wrong) => return failed(StatusCode::BAD_REQUEST, &wrong),
    };
    request.client.may_stay(LONG_ANSWER);
    let (peer, by, asked) = (request.peer(), who.to_string(), asked.as_options());
    let discarded = page.jobs.ask(async move |context, stop| {
        let may = async |found| found == count;
        // It may go on when whoever asked has left; so the log is written here.
        match context.dead_letters.discard(&filter, &stop, may).await {
            Ok(discarded) => {
                let Discarded { counts, done } = &discarded;
                let gone = if *done { counts.matching } else { 0 };
                context.now_has(counts.letters - gone);
                if *done {
                    tracing::warn!(event = "page_discarded", %peer, by, filter = asked, discarded = gone, "dead letters discarded from the page");
                }
                Ok(discarded)
            }
            Err(trouble) => {
                tracing::warn!(event = "page_discard_failed", %peer, by, filter = asked, error = %trouble, "dead letters could not be discarded from the page");
                Err(trouble)
            }
        }
    });
    response_of(discarded.await, count)
}

fn response_of(discarded: Result<Discarded, JobError>, count: u64) -> Response {
    match discarded {
        Ok(Discarded { counts, done: true }) => {
            answer(&json!({"discarded": counts.matching, "claimed": counts.claimed}))
        }
        Ok(Discarded { counts, done: false }) => {
            failed(StatusCode::CONFLICT, &why_not(&counts, count))
        }
        Err(not_done) => json_response::<()>(Err(not_done)),
    }
}

/// The number of letters is another one than that typed in.
fn why_not(counts: &BrowseCounts, count: u64) -> String {
    let claimed = match counts.claimed {
        0 => String::new(),
        claimed => format!(
            " (not counting {} whose time of dead-lettering is only claimed: choose those one by one or by other filters)",
            grouped(claimed)
        ),
    };
    let (found, typed) = (grouped(counts.matching), grouped(count));
    format!(
        "nothing was discarded: the number typed in is {typed}, and now the number of letters to discard is {found}{claimed}; \
         search again, and type the number that you want to discard"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_than_was_typed_in_discards_nothing_and_says_both() {
        let counts =
            BrowseCounts { letters: 9000, matching: 2000, claimed: 3, ..BrowseCounts::default() };
        let why = why_not(&counts, 2001);
        for part in ["nothing was discarded", "2,001", "2,000", "not counting 3"] {
            assert!(why.contains(part), "no {part:?} in {why}");
        }
        let response = response_of(Ok(Discarded { counts, done: false }), 2001);
        assert_eq!(response.status(), StatusCode::CONFLICT);
    }
}
