//! Batches that are refused as a whole: one bad event never takes nine others down.

use event_pusher_sns::outcome::Scope;
use futures_util::future::join_all;
use tokio::task::LocalSet;

use super::rig::{RETRIES, Rig};
use crate::fake_sns::{Request, RequestFault};

/// Bodies that begin with it get every request refused that they are in.
const BAD: &str = "bad";

/// Ways to say it, and what it means for the one event: without SNS's own code it is not held
/// against it.
const REFUSALS: [(u16, &str, Scope); 9] = [
    (400, "InvalidParameter", Scope::Message),
    (400, "InvalidParameterValue", Scope::Message),
    (400, "ParameterValueInvalid", Scope::Message),
    (400, "ValidationException", Scope::Message),
    (400, "BatchRequestTooLong", Scope::Message),
    (413, "RequestEntityTooLarge", Scope::Message),
    (400, "", Scope::Transient),
    (403, "", Scope::Transient),
    (413, "", Scope::Transient),
];

fn has_a_bad_one(request: &Request) -> bool {
    request.entries.iter().any(|entry| entry.body.starts_with(BAD))
}

/// Each body once, and its answer's scope and attempts, or how often it was accepted.
async fn try_batches(rig: &Rig, batches: &[Vec<String>], scope: Scope) {
    let answers = join_all(batches.iter().map(|bodies| rig.publish_together(bodies))).await;
    let accepted = rig.accepted();
    for (body, answer) in batches.iter().flatten().zip(answers.iter().flatten()) {
        let count = accepted.iter().filter(|it| *it == body).count();
        match answer {
            Ok(answer) => {
                assert!(!body.starts_with(BAD), "{body} got through");
                assert_eq!((count, answer.attempts), (1, 1), "{body}");
            }
            Err(failure) => {
                let attempts = if scope == Scope::Message { 1 } else { RETRIES + 1 };
                assert!(body.starts_with(BAD), "{body} was taken down: {failure:?}");
                assert_eq!((failure.fault.scope, failure.attempts), (scope, attempts), "{body}");
            }
        }
    }
}

#[tokio::test]
async fn one_bad_event_takes_no_other_down_wherever_it_is_and_however_it_is_refused() {
    let try_all = async {
        let rig = Rig::new().await;
        for (status, code, scope) in REFUSALS {
            let refused = RequestFault::Refused { status, code };
            rig.fake.fail_requests(move |request| has_a_bad_one(request).then_some(refused));
            let body = |bad: usize, entry: usize| {
                let kind = if entry == bad { BAD } else { "good" };
                format!("{kind} {status}{code} {bad}-{entry}")
            };
            let batches: Vec<Vec<_>> =
                (0..10).map(|bad| (0..10).map(|entry| body(bad, entry)).collect()).collect();
            try_batches(&rig, &batches, scope).await;
        }
    };
    LocalSet::new().run_until(try_all).await;
}

#[tokio::test]
async fn any_number_of_bad_events_takes_no_other_down() {
    let try_all = async {
        let rig = Rig::new().await;
        let refused = RequestFault::Refused { status: 400, code: "InvalidParameter" };
        rig.fake.fail_requests(move |request| has_a_bad_one(request).then_some(refused));
        let body = |subset: usize, entry: usize| {
            let kind = if subset >> entry & 1 == 1 { BAD } else { "good" };
            format!("{kind} {subset}-{entry}")
        };
        let every_subset: Vec<Vec<_>> =
            (0..64).map(|subset| (0..6).map(|entry| body(subset, entry)).collect()).collect();
        try_batches(&rig, &every_subset, Scope::Message).await;
    };
    LocalSet::new().run_until(try_all).await;
}

#[tokio::test]
async fn a_batch_that_is_too_long_for_sns_or_for_a_proxy_gets_through_in_parts() {
    let try_both = async {
        let rig = Rig::new().await;
        let bodies = |kind: &str| -> Vec<_> {
            (0..10).map(|entry| format!("{kind}{entry}{}", "x".repeat(20_000))).collect()
        };
        let of_batches = |topics_limit: &str| vec![bodies(topics_limit)];
        rig.fake.set_max_bytes(101_000);
        try_batches(&rig, &of_batches("sns"), Scope::Message).await;
        assert_eq!(rig.fake.counts().requests, 3, "the whole, and two halves");

        let too_large = RequestFault::Refused { status: 413, code: "" };
        rig.fake.fail_requests(move |request| {
            let bytes: usize = request.entries.iter().map(|entry| entry.body.len()).sum();
            (bytes > 61_000).then_some(too_large)
        });
        try_batches(&rig, &of_batches("proxy"), Scope::Transient).await;
        assert_eq!(rig.accepted().len(), 20);
    };
    LocalSet::new().run_until(try_both).await;
}
