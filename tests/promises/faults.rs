//! What SNS can answer, from a fake that answers it on demand.

mod entries;
mod rig;
mod whole;

use std::collections::BTreeSet;

use crate::fake_sns::{EntryFault, FakeSns, RequestFault, share};
use crate::support::{Event, Stand, Totals, Worker};

const EVENTS: usize = 300;

fn messages() -> Vec<Event> {
    (0..EVENTS).map(|number| Event::chat("ann@h", "bob@h", &number.to_string())).collect()
}

/// A worker on the fake; few probes would make the tests long.
async fn worker_on(stand: &Stand, sns: &FakeSns) -> Worker {
    let url = sns.url();
    let settings = [
        ("SNS__SNS_HOST", &*url),
        ("SNS__PUBLISH_RETRY_COUNT", "8"),
        ("SNS__PUBLISH_RETRY_TIME_MS", "5"),
        ("OUTAGE__PROBE_MAX_MS", "100"),
    ];
    Worker::start_with(stand, &settings).await
}

/// Everything has come exactly once, and nothing is dead or left.
async fn all_came_once(stand: Stand, sns: &FakeSns, worker: Worker) {
    worker.settles(EVENTS).await;
    let accepted = sns.accepted();
    let distinct: BTreeSet<_> = accepted.iter().map(|message| message.body.clone()).collect();
    assert_eq!((accepted.len(), distinct.len()), (EVENTS, EVENTS));
    let exit = worker.stop().await;
    assert_eq!(exit.totals(), Totals::published(EVENTS as u64), "{exit:?}");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn throttled_requests_are_retried_however_they_say_it() {
    let (stand, sns) = (Stand::new("throttled").await, FakeSns::start());
    sns.record();
    let worker = worker_on(&stand, &sns).await;
    let mut faults =
        [RequestFault::THROTTLING, RequestFault::TOO_MANY_REQUESTS].into_iter().cycle();
    let mut throttled = share(30, 1, ());
    sns.fail_requests(move |request| throttled(request).and_then(|()| faults.next()));
    stand.publish_all(messages()).await;
    all_came_once(stand, &sns, worker).await;
}

#[tokio::test]
async fn an_answer_that_lacks_entries_counts_as_not_published_and_is_told_of_once() {
    let (stand, sns) = (Stand::new("omitted").await, FakeSns::start());
    sns.record();
    let mut omitted = true;
    sns.fail_entries(move |_| {
        omitted = !omitted;
        omitted.then_some(EntryFault::Omitted)
    });
    let worker = worker_on(&stand, &sns).await;
    stand.publish_all(messages()).await;
    worker.logged("answer_mismatch_again").await;
    sns.heal();
    worker.settles(EVENTS).await;
    assert_eq!(worker.count("answer_mismatch"), 1);
    all_came_once(stand, &sns, worker).await;
}
