//! What SNS does not take for a reason that is not the event's own is held: nothing is dead-lettered,
//! nobody else is kept waiting, the log says what to do, and all goes on by itself.

mod handing_back;
mod parking;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{Event, Stand, Worker, number_from, wait_for};

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

async fn dead_letters(stand: &Stand) -> usize {
    let mut dead = 0;
    while stand.dead_letter_now().await.is_some() {
        dead += 1;
    }
    dead
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
async fn with_sns_refusing_everything_from_the_start_few_are_dead_and_the_rest_is_published_later()
{
    let asked = number_from("EVENT_PUSHER_OUTAGE_EVENTS");
    let events = asked.map_or(3000, |count| usize::try_from(count).unwrap());
    let (stand, sns) = (Stand::new("refusing").await, FakeSns::start());
    sns.record();
    let single = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&single);
    sns.fail_requests(move |request| {
        counting.fetch_add(usize::from(request.entries.len() == 1), Ordering::Relaxed);
        Some(RequestFault::INTERNAL_ERROR)
    });
    Worker::create_queue(&stand, &[]).await;
    stand.publish_all((0..events).map(chat)).await;
    let worker = worker_on(&stand, &sns, &[]).await;
    let line = worker.logged("held").await;
    assert_eq!((&line["held"], &line["scope"]), (&"service".into(), &"service".into()), "{line}");
    // All that was in flight has run out of retries, and single events probe.
    wait_for("probes", async || (single.load(Ordering::Relaxed) > 10).then_some(())).await;
    sns.heal();
    let mut dead = 0;
    wait_for("the end of all events", async || {
        dead += dead_letters(&stand).await;
        (distinct(&stand, &sns, "pm") + dead == events).then_some(())
    })
    .await;
    assert!(dead < 10, "{dead} dead letters in an outage, with a threshold of 10");
    leave_after(stand, &sns, worker, "pm", events - dead).await;
}

#[tokio::test]
async fn bad_credentials_hold_everything_at_once_and_say_so() {
    for fault in [RequestFault::INVALID_TOKEN, RequestFault::EXPIRED_TOKEN] {
        let (stand, sns) = (Stand::new("credentials").await, FakeSns::start());
        sns.record();
        sns.fail_requests(next(u64::MAX, fault));
        let worker = worker_on(&stand, &sns, &[]).await;
        stand.publish_all((0..5).map(chat)).await;
        let line = worker.logged("held").await;
        assert_eq!(line["held"], "service", "{line}");
        assert!(line["advice"].as_str().unwrap().contains("sns.access_key_id"), "{line}");
        sns.until(|counts| counts.requests > 5).await;
        sns.heal();
        worker.logged("hold_over").await;
        leave_after(stand, &sns, worker, "pm", 5).await;
    }
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
    assert_eq!(dead_letters(&stand).await, 0);
    let sns = FakeSns::start_on(port);
    sns.record();
    leave_after(stand, &sns, worker, "pm", 1).await;
}

#[tokio::test]
async fn a_hold_is_explained_when_it_begins_from_time_to_time_and_when_it_ends() {
    let (stand, sns) = (Stand::new("explained").await, FakeSns::start());
    sns.record();
    delete_topic(&stand, &sns, "muc");
    let worker = worker_on(&stand, &sns, &[]).await;
    stand.publish_all((0..25).map(room)).await;
    let begin = worker.logged("held").await;
    let reminder = worker.logged("still_held").await;
    for line in [&begin, &reminder] {
        assert_eq!(line["held"], stand.topic_arn("muc"), "{line}");
        assert_eq!(line["scope"], "route", "{line}");
        assert!(line["error"].as_str().unwrap().starts_with("NotFound"), "{line}");
        for field in ["since", "next_probe", "advice"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
    }
    assert_eq!(reminder["waiting"], 25, "the one that has probed included: {reminder}");
    sns.heal();
    let end = worker.logged("hold_over").await;
    assert!(end["lasted"].is_string(), "{end}");
    for event in ["held", "still_held", "hold_over"] {
        assert_eq!(worker.count(event), 1, "{event}: {:#?}", worker.log());
    }
    leave_after(stand, &sns, worker, "muc", 25).await;
}
