//! What SNS does not take for a reason that is not the event's own is held: end to end, on a real broker. What becomes
//! of it in all other respects is tried in memory (`src/app/tests/holds.rs`, `handing_back.rs`).

mod handing_back;
mod parking;

use std::collections::BTreeSet;

use crate::fake_sns::{FakeSns, RequestFault};
use crate::support::{Event, Stand, Worker, wait_for};

fn chat(number: usize) -> Event {
    Event::chat("ann@h", "bob@h", &number.to_string())
}

fn room(number: usize) -> Event {
    Event::groupchat("ann@h", "room@conference.h", &number.to_string())
}

/// A worker on the fake. Without it, half a minute would pass between probes.
async fn worker_on(stand: &Stand, sns: &FakeSns, settings: &[(&str, &str)]) -> Worker {
    let url = sns.url();
    let base = [("SNS__SNS_HOST", &*url), ("OUTAGE__PROBE_MAX_MS", "300"), ("LOG__FILTER", "info")];
    Worker::start_with(stand, &[&base, settings].concat()).await
}

/// From now on a topic is not there.
fn delete_topic(stand: &Stand, sns: &FakeSns, topic: &str) {
    let arn = stand.topic_arn(topic);
    sns.fail_requests(move |request| (request.topic == arn).then_some(RequestFault::NOT_FOUND));
}

/// How many different messages of a topic the fake has accepted.
fn distinct(stand: &Stand, sns: &FakeSns, topic: &str) -> usize {
    let arn = stand.topic_arn(topic);
    let bodies = sns.accepted().into_iter().filter(|it| it.topic == arn).map(|it| it.body);
    bodies.collect::<BTreeSet<_>>().len()
}

async fn accepts(stand: &Stand, sns: &FakeSns, topic: &str, count: usize) {
    let all = async || (distinct(stand, sns, topic) == count).then_some(());
    wait_for(&format!("{count} messages behind {topic}"), all).await;
}

/// Every event was accepted once, and nothing is left anywhere.
async fn leave_after(stand: Stand, sns: &FakeSns, worker: Worker, topic: &str, count: usize) {
    accepts(&stand, sns, topic, count).await;
    let exit = worker.stop().await;
    assert!(exit.status.success(), "{exit:?}");
    let arn = stand.topic_arn(topic);
    let accepted = sns.accepted().iter().filter(|it| it.topic == arn).count();
    assert_eq!((accepted, distinct(&stand, sns, topic)), (count, count));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_endpoint_out_of_reach_is_an_outage_from_the_first_event_on() {
    let stand = Stand::new("unreachable").await;
    // A port where nobody listens, until somebody does.
    let port = FakeSns::start().port();
    let url = format!("http://127.0.0.1:{port}");
    let settings = [("SNS__SNS_HOST", &*url), ("OUTAGE__PROBE_MAX_MS", "300")];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish(chat(0)).await;
    let line = worker.logged("held").await;
    assert_eq!(line["held"], "service", "{line}");
    assert!(line["error"].as_str().unwrap().starts_with("unreachable: "), "{line}");
    assert!(line["advice"].as_str().unwrap().contains("sns.sns_host"), "{line}");
    assert!(stand.dead_letter_now().await.is_none());
    let sns = FakeSns::start_on(port);
    sns.record();
    leave_after(stand, &sns, worker, "pm", 1).await;
}
