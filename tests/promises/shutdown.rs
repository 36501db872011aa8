//! A stop takes nothing more, finishes what it has, hands back the rest and says so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lapin::options::QueuePurgeOptions;
use nix::sys::signal::Signal;

use crate::fake_sns::FakeSns;
use crate::support::{
    Door, Event, GENTLY, Program, Proxy, Received, Stand, Worker, binary, wait_for,
};

const ALICE: &str = "alice@localhost/phone";
const BOB: &str = "bob@localhost/home";

/// Nothing listens there: it is a privileged port that no service uses.
const CLOSED: &str = "127.0.0.1:1";

fn chat(number: u32) -> Event {
    Event::chat(ALICE, BOB, &number.to_string())
}

/// To a user, or to a room.
fn message(number: u32) -> Event {
    if number.is_multiple_of(2) {
        return chat(number);
    }
    Event::groupchat(ALICE, "room@conference.localhost", &number.to_string())
}

async fn stops_in_order(signal: Signal) {
    let stand = Stand::new("stop").await;
    let sns = Proxy::start(&stand.sns_url, Door::Silent).await;
    let address = sns.address().to_string();
    let settings = [
        ("SNS__SNS_HOST", &*address),
        ("SNS__BATCH_MAX_ENTRIES", "1"),
        ("LOG__FILTER", "info,event_pusher_sns=debug"),
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish_all((0..5).map(chat)).await;
    // A request for each, so all five are in flight.
    sns.takes(5).await;
    worker.signal(signal);
    worker.logged("deliveries_ended").await;
    stand.publish_all((5..8).map(chat)).await;
    stand.has_ready(&stand.queue(), 3).await;
    sns.set(Door::Open);

    let exit = worker.wait().await;
    assert_eq!(exit.status.code(), Some(0));
    let report = exit.totals();
    assert_eq!((report.received, report.published), (5, 5));
    let texts = count_texts(stand.received_now("pm").await);
    assert_eq!(texts, (0..5).map(|n| (n.to_string(), 1)).collect());
    assert_eq!(stand.ready(&stand.queue()).await, 3);
    empty_and_leave(stand, 3).await;
}

#[tokio::test]
async fn sigterm_takes_nothing_more_and_finishes_what_is_in_flight() {
    stops_in_order(Signal::SIGTERM).await;
}

#[tokio::test]
async fn ctrl_c_takes_nothing_more_and_finishes_what_is_in_flight() {
    stops_in_order(Signal::SIGINT).await;
}

/// As a terminal sends it that is closed.
#[tokio::test]
async fn sighup_takes_nothing_more_and_finishes_what_is_in_flight() {
    stops_in_order(Signal::SIGHUP).await;
}

#[tokio::test]
async fn under_nohup_sighup_is_not_heard() {
    let stand = Stand::new("stop-nohup").await;
    let script = "trap '' HUP; exec \"$@\"";
    let binary = binary();
    let worker = [binary.to_str().unwrap(), "run", "--config", "stand.toml"];
    let arguments = [&["-c", script, "sh"][..], &worker].concat();
    let program = Program::of("/bin/sh".into(), &arguments);
    let running = program.with_file("stand.toml", &stand.configuration()).start();
    let catches =
        async |signal| wait_for("signals", async || running.catches(signal).then_some(())).await;
    catches(Signal::SIGTERM).await;
    assert!(!running.catches(Signal::SIGHUP));
    running.signal(Signal::SIGHUP);
    running.signal(Signal::SIGTERM);
    let ended = running.wait().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    stand.leave_nothing().await;
}

/// While events flow: what keeps the worker busy must not keep it from hearing the signal.
#[tokio::test]
async fn under_load_a_stop_takes_nothing_more_after_a_tenth_of_a_second() {
    const EVENTS: u32 = 6000;
    let (stand, sns) = (Stand::new("stop-soon").await, FakeSns::start());
    sns.set_latency(Duration::from_millis(5));
    let url = sns.url();
    let settings = [("SNS__SNS_HOST", &*url), ("LOG__FILTER", "info"), ("AMQP__PREFETCH", "100")];
    Worker::create_queue(&stand, &[]).await;
    stand.publish_all((0..EVENTS).map(chat)).await;
    let worker = Worker::start_with(&stand, &settings).await;
    sns.until(|counts| counts.messages > 500).await;
    let starved = worker.starved();
    worker.signal(Signal::SIGTERM);
    let asked = Timestamp::now();
    let line = worker.logged("stopping").await;
    let heard: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    let took = Duration::try_from(heard.duration_since(asked)).unwrap_or_default();
    // Less what the machine had no processor for.
    let starved = worker.starved().checked_sub(starved).unwrap();
    assert!(took < Duration::from_millis(100) + starved, "{took:?}, of which starved {starved:?}");

    let report = worker.wait().await.totals();
    assert!(report.published < u64::from(EVENTS), "there was no load any more");
    assert_eq!(report.published, sns.counts().messages);
    let left = EVENTS - u32::try_from(report.published).unwrap();
    let options = QueuePurgeOptions::default();
    let purged = stand.channel.queue_purge(stand.queue().into(), options).await.unwrap();
    assert_eq!(purged, left);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn stops_under_load_publish_nothing_twice() {
    const EVENTS: u32 = 900;
    let stand = Stand::new("stop-load").await;
    let settings = [&GENTLY[..], &[("AMQP__PREFETCH", "300")]].concat();
    let mut worker = Worker::start_with(&stand, &settings).await;
    let arriving = stand.collect();
    stand.publish_all((0..EVENTS).map(message)).await;
    let mut published = 0;
    for mark in [600, 300, 0] {
        let reached = async || (stand.ready(&stand.queue()).await <= mark).then_some(());
        wait_for(&format!("{mark} events left"), reached).await;
        let exit = worker.stop().await;
        assert_eq!(exit.status.code(), Some(0));
        let report = exit.totals();
        assert_eq!((report.skipped, report.dead_lettered), (0, 0), "{exit:?}");
        assert_eq!(report.handed_back, 0, "what had come was not published: {exit:?}");
        published += report.published;
        worker = Worker::start_with(&stand, &settings).await;
    }
    // RabbitMQ may have sent back what it was about to deliver.
    arriving.has(EVENTS as usize).await;
    published += worker.stop().await.totals().published;
    assert_eq!(published, u64::from(EVENTS));
    let texts = count_texts(arriving.finish().await.into_iter().map(|(_, message)| message));
    assert_eq!(texts.len(), EVENTS as usize);
    let twice: Vec<_> = texts.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    stand.leave_nothing().await;
}

/// A worker whose drain has begun and doesn't end by itself within an hour.
async fn draining_for_ever(stand: &Stand, sns: &Proxy) -> Worker {
    let address = sns.address().to_string();
    let hour = "3600000";
    let settings = [("SNS__SNS_HOST", &*address), ("SHUTDOWN__GRACE_MS", hour)];
    let worker = Worker::start_with(stand, &settings).await;
    stand.publish(chat(0)).await;
    sns.takes(1).await;
    worker.signal(Signal::SIGTERM);
    worker.logged("stopping").await;
    worker
}

#[tokio::test]
async fn another_signal_ends_it_at_once_with_status_1() {
    let stand = Stand::new("stop-twice").await;
    let sns = Proxy::start(&stand.sns_url, Door::Silent).await;
    let worker = draining_for_ever(&stand, &sns).await;
    worker.signal(Signal::SIGINT);
    let exit = worker.wait().await;
    assert_eq!(exit.status.code(), Some(1));
    assert_eq!(exit.last["event"], "stopping_at_once", "{exit:?}");
    empty_and_leave(stand, 1).await;
}

#[tokio::test]
async fn the_same_signal_again_and_again_ends_it_at_once_with_status_1() {
    let stand = Stand::new("stop-again").await;
    let sns = Proxy::start(&stand.sns_url, Door::Silent).await;
    let worker = draining_for_ever(&stand, &sns).await;
    // The first ones may be taken for parts of the first request.
    let heard = async || {
        worker.signal(Signal::SIGTERM);
        (worker.count("stopping_at_once") > 0).then_some(())
    };
    wait_for("a worker that ends at once", heard).await;
    assert_eq!(worker.wait().await.status.code(), Some(1));
    empty_and_leave(stand, 1).await;
}

/// As `timeout` sends it: to the process and to its group.
#[tokio::test]
async fn two_signals_at_once_are_one_request_and_events_in_flight_are_finished() {
    let stand = Stand::new("stop-both").await;
    let sns = Proxy::start(&stand.sns_url, Door::Silent).await;
    let address = sns.address().to_string();
    let worker = Worker::start_with(&stand, &[("SNS__SNS_HOST", &*address)]).await;
    stand.publish(chat(0)).await;
    sns.takes(1).await;
    worker.signal(Signal::SIGTERM);
    worker.signal(Signal::SIGTERM);
    worker.logged("stopping").await;
    sns.set(Door::Open);
    let exit = worker.wait().await;
    assert_eq!((exit.status.code(), exit.totals().published), (Some(0), 1), "{exit:?}");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn without_a_broker_it_says_so_and_stops_when_told() {
    let stand = Stand::new("stop-closed").await;
    let uri = format!("amqp://guest:planted@{CLOSED}/%2f");
    let worker = Worker::spawn(&stand, binary(), &[("AMQP__URI", &uri)]);
    let line = worker.logged("not_consuming").await;
    let masked = format!("cannot connect to RabbitMQ at amqp://guest:***@{CLOSED}/%2f: ");
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with(&masked), "{error}");
    assert!(error.contains("Connection refused"), "{error}");
    assert!(error.contains("check that RabbitMQ is running"), "{error}");
    assert_eq!((line["level"].as_str(), line["source"].as_str()), (Some("ERROR"), Some("events")));
    let exit = worker.stop().await;
    assert_eq!(exit.status.code(), Some(0));
    assert_eq!(exit.totals().received, 0);
}

#[tokio::test]
async fn it_stops_at_once_while_a_broker_says_nothing() {
    let stand = Stand::new("stop-silent").await;
    let broker = Proxy::start(&stand.amqp_uri, Door::Silent).await;
    let uri = format!("amqp://{}/%2f", broker.address());
    let worker = Worker::spawn(&stand, binary(), &[("AMQP__URI", &uri)]);
    broker.takes(1).await;
    let asked = Instant::now();
    assert_eq!(worker.stop().await.status.code(), Some(0));
    // Connecting alone would be given up after ten seconds.
    assert!(asked.elapsed() < Duration::from_secs(8), "took {:?}", asked.elapsed());
}

#[tokio::test]
async fn it_begins_by_itself_when_the_broker_comes() {
    let stand = Stand::new("late-broker").await;
    let broker = Proxy::start(&stand.amqp_uri, Door::Refusing).await;
    let uri = format!("amqp://guest:guest@{}/%2f", broker.address());
    // The connections of the source alone are counted.
    let settings = [("AMQP__URI", &*uri), ("FLEET__VIEW", "false")];
    let worker = Worker::spawn(&stand, binary(), &settings);
    broker.takes(2).await;
    assert_eq!(worker.count("not_consuming"), 1, "{:#?}", worker.log());
    broker.set(Door::Open);
    worker.logged("consuming").await;
    stand.publish(chat(0)).await;
    worker.settles(1).await;
    worker.stop().await;
    empty_and_leave(stand, 0).await;
}

/// How often each text arrived.
fn count_texts(messages: impl IntoIterator<Item = Received>) -> BTreeMap<String, u32> {
    let mut texts = BTreeMap::new();
    for message in messages {
        let text = message.json()["message"].as_str().unwrap().to_owned();
        *texts.entry(text).or_default() += 1;
    }
    texts
}

/// Lets another worker take the `rest`, which must be ready again.
async fn empty_and_leave(stand: Stand, rest: usize) {
    let worker = Worker::start(&stand).await;
    worker.settles(rest).await;
    assert_eq!(worker.stop().await.totals().received, rest as u64);
    stand.leave_nothing().await;
}
