//! Whoever asks a worker how it is gets the truth, soon, and takes nothing from its work.

mod long;

use lapin::options::QueueDeleteOptions;

use crate::fake_sns::{EntryFault, FakeSns, RequestFault, next, share};
use crate::promtool::promtool;
use crate::support::{
    ADMIN, Admin, Door, Event, Program, Proxy, Scrape, Stand, Worker, binary, wait_for,
};

fn chat(number: usize) -> Event {
    Event::chat("ann@h", "bob@h", &number.to_string())
}

/// A worker on the fake, which is asked.
async fn worker_on(stand: &Stand, sns: &FakeSns, settings: &[(&str, &str)]) -> (Worker, Admin) {
    let url = sns.url();
    let base = [("SNS__SNS_HOST", &*url), ("OUTAGE__PROBE_MAX_MS", "300"), ADMIN];
    let worker = Worker::start_with(stand, &[&base, settings].concat()).await;
    let admin = Admin::of(&worker).await;
    (worker, admin)
}

#[tokio::test]
async fn every_delivery_is_counted_with_its_outcome_and_the_books_balance_at_rest() {
    let (stand, sns) = (Stand::new("books").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    let of_dead = ["outcome=\"dead_lettered\"", "reason=\"rejected\""];
    let from_the_start = admin.scrape().await.has("outcomes_total", &of_dead);
    assert!(from_the_start, "the first dead letter would be no increase");
    sns.fail_entries(|entry| {
        let bad = entry.body.contains("refuse me");
        bad.then_some(EntryFault::Failed { code: "InvalidParameter", sender_fault: true })
    });
    stand.publish_all((0..500).map(chat)).await;
    stand.publish_all((0..5).map(|_| Event::chat("ann@h", "bob@h", "refuse me"))).await;
    stand.publish_all((0..3).map(|_| Event::presence("ann@h", true))).await;
    stand.publish_all((0..4).map(|_| Event::new(r#"{"type":"poke"}"#))).await;
    stand.publish_all((0..2).map(|_| Event::groupchat("ann@h", "r@elsewhere", "hi"))).await;
    stand.publish_all((0..6).map(|_| Event::new("{"))).await;
    let scrape = admin.rests_after(520).await;
    for (labels, count) in [
        (&["kind=\"chat\"", "outcome=\"published\"", "reason=\"\""][..], 500),
        (&["kind=\"presence\"", "outcome=\"published\""], 3),
        (&["kind=\"chat\"", "outcome=\"dead_lettered\"", "reason=\"rejected\""], 5),
        (&["kind=\"unknown\"", "outcome=\"dead_lettered\"", "reason=\"undecodable\""], 6),
        (&["kind=\"unknown\"", "outcome=\"skipped\"", "reason=\"unsupported_type\""], 4),
        (&["kind=\"groupchat\"", "outcome=\"skipped\"", "reason=\"muc_host_unmatched\""], 2),
    ] {
        assert_eq!(scrape.sum("outcomes_total", labels), count, "{labels:?}");
    }
    assert_eq!(scrape.unaccounted(), 0, "{scrape:?}");
    assert_eq!(scrape.sum("deliveries_total", &["source=\"events\""]), 520);
    assert_eq!(scrape.sum("in_flight", &[]), 0);
    assert_eq!(scrape.sum("delivery_seconds_count", &[]), 520);
    assert_eq!(scrape.sum("published_total", &[]), 503);
    let requests = i64::try_from(sns.counts().requests).unwrap();
    assert_eq!(scrape.sum("publish_requests_total", &[]), requests, "{scrape:?}");
    assert_eq!(scrape.sum("publish_seconds_count", &[]), requests);
    assert_eq!(scrape.sum("batch_entries_count", &[]), requests);
    assert_eq!(scrape.sum("batch_entries_sum", &[]), 508);
    assert!(!scrape.labels("published_total").iter().any(|it| it.contains("arn:")), "{scrape:?}");
    assert!(!format!("{scrape:?}").contains("ann"), "no user in a label");
    promtool(&["check", "metrics"], &admin.get("/metrics").await.1);
    stand.take_dead_letters(11).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_comes_again_is_counted_as_handed_back_and_the_books_balance_after_a_lost_session() {
    let (stand, sns) = (Stand::new("again").await, FakeSns::start());
    sns.fail_requests(next(u64::MAX, RequestFault::Silence));
    let (worker, admin) = worker_on(&stand, &sns, &[("AMQP__QUEUE_TYPE", "classic")]).await;
    stand.publish_all((0..40).map(chat)).await;
    admin.shows("40 in flight", |it| it.sum("in_flight", &["source=\"events\""]) == 40).await;
    let queue = stand.queue();
    stand.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    let gone =
        |it: &Scrape| (it.sum("handed_back_total", &[]), it.sum("in_flight", &[])) == (40, 0);
    admin.shows("40 gone", gone).await;
    let scrape = admin.scrape().await;
    assert_eq!(scrape.unaccounted(), 0, "{scrape:?}");
    sns.heal();
    admin.is_ready().await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn without_the_broker_it_is_alive_and_not_ready_and_ready_again_with_it() {
    let stand = Stand::new("ready").await;
    let proxy = Proxy::start(&stand.amqp_uri, Door::Refusing).await;
    let uri = proxy.instead_of(&stand.amqp_uri);
    let worker = Worker::spawn(&stand, binary(), &[("AMQP__URI", &*uri), ADMIN]);
    let admin = Admin::of(&worker).await;
    let problem = admin.is_not_ready("disconnected").await;
    assert_eq!(problem["source"], "events", "{problem}");
    let error = problem["error"].as_str().unwrap();
    assert!(error.contains("cannot connect") && !error.contains("guest:guest"), "{problem}");
    assert!(problem["since"].is_string() && problem["what_to_do"].is_string(), "{problem}");
    assert_eq!(admin.get("/livez").await.0, 200);
    let scrape = admin.scrape().await;
    assert_eq!(scrape.sum("connected", &[]), 0);
    assert!(!scrape.has("queue_ready", &[]), "nobody knows how much waits");
    proxy.set(Door::Open);
    admin.is_ready().await;
    let knows = |it: &Scrape| it.has("queue_ready", &[]) && it.sum("queue_consumers", &[]) == 1;
    let scrape = admin.shows("the queue", knows).await;
    assert_eq!(scrape.sum("connected", &[]), 1);
    // It ends the session, and there is no way to another one.
    proxy.set(Door::Refusing);
    proxy.cut();
    admin.is_not_ready("disconnected").await;
    admin.shows("the loss", |it| it.sum("connected", &[]) == 0).await;
    proxy.set(Door::Open);
    admin.is_ready().await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_held_service_is_not_ready_and_says_what_to_do_until_it_is_back() {
    let (stand, sns) = (Stand::new("outage").await, FakeSns::start());
    sns.fail_requests(next(u64::MAX, RequestFault::INVALID_TOKEN));
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    admin.is_ready().await;
    stand.publish_all((0..3).map(chat)).await;
    let problem = admin.is_not_ready("service_held").await;
    assert!(problem["what_to_do"].as_str().unwrap().contains("sns.access_key_id"), "{problem}");
    assert!(problem["error"].as_str().unwrap().contains("InvalidClientTokenId"), "{problem}");
    assert_eq!(admin.get("/livez").await.0, 200);
    let held = ["scope=\"service\""];
    let all_wait = |it: &Scrape| (it.sum("held", &held), it.sum("in_flight", &[])) == (1, 3);
    let scrape = admin.shows("the hold", all_wait).await;
    assert_eq!(scrape.sum("held", &["scope=\"route\""]), 0);
    sns.heal();
    admin.is_ready().await;
    admin.shows("its end", |it| it.sum("held", &held) == 0).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_held_topic_is_named_and_the_worker_stays_ready() {
    let (stand, sns) = (Stand::new("topic").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    let arn = stand.topic_arn("pm");
    let gone = arn.clone();
    sns.fail_requests(move |it| (it.topic == gone).then_some(RequestFault::NOT_FOUND));
    stand.publish(chat(0)).await;
    let topic = format!("topic=\"{}\"", arn.rsplit(':').next().unwrap());
    let labels = ["scope=\"route\"", &*topic];
    let scrape = admin.shows("the hold", |it| it.sum("held", &labels) == 1).await;
    assert_eq!(scrape.sum("held", &[]), 1, "no other");
    let (status, body) = admin.ready().await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["held"][0]["topic"], &body["held"][0]["waiting"]), (&arn.into(), &1.into()));
    assert!(body["held"][0]["what_to_do"].as_str().unwrap().contains("topic"), "{body}");
    sns.heal();
    admin.shows("its end", |it| it.sum("held", &labels) == 0).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn the_limit_of_requests_shrinks_under_throttling_and_grows_again() {
    let (stand, sns) = (Stand::new("limit").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[("SNS__POOL_SIZE", "8")]).await;
    assert_eq!(admin.scrape().await.sum("request_limit", &[]), 8);
    sns.fail_requests(share(90, 7, RequestFault::THROTTLING));
    stand.publish_all((0..300).map(chat)).await;
    let shrunk = |it: &Scrape| it.sum("request_limit", &[]) <= 2;
    let scrape = admin.shows("a smaller limit", shrunk).await;
    let throttled = ["result=\"throttled\""];
    assert!(scrape.sum("publish_requests_total", &throttled) > 0, "{scrape:?}");
    let reason = ["reason=\"throttled\""];
    admin.shows("retries", |it| it.sum("retries_total", &reason) > 0).await;
    sns.heal();
    stand.publish_all((0..300).map(chat)).await;
    let scrape = admin.rests_after(600).await;
    assert!(scrape.sum("request_limit", &[]) > 2, "{scrape:?}");
    assert_eq!(scrape.unaccounted(), 0, "{scrape:?}");
    admin.shows("rest", |it| it.sum("requests_in_flight", &[]) == 0).await;
    worker.stop().await;
    // Those whose retries ran out before the first success, if any.
    while stand.dead_letter_now().await.is_some() {}
    stand.leave_nothing().await;
}

#[tokio::test]
async fn the_backlog_of_all_workers_is_what_is_ready_or_unacknowledged() {
    const EVENTS: usize = 50;
    let (stand, sns) = (Stand::new("backlog").await, FakeSns::start());
    sns.fail_requests(next(u64::MAX, RequestFault::INVALID_TOKEN));
    let prefetch = [("AMQP__PREFETCH", "10")];
    let (one, first) = worker_on(&stand, &sns, &prefetch).await;
    let (other, second) = worker_on(&stand, &sns, &prefetch).await;
    stand.publish_all((0..EVENTS).map(chat)).await;
    wait_for("the whole backlog", async || {
        let (first, second) = (first.scrape().await, second.scrape().await);
        let sum = |name| (first.sum(name, &[]), second.sum(name, &[]));
        let queue = (sum("queue_consumers"), sum("queue_ready")) == ((2, 2), (30, 30));
        (queue && (sum("in_flight"), sum("backlog")) == ((10, 10), (25, 25))).then_some(())
    })
    .await;
    sns.heal();
    first.shows("no backlog", |it| it.sum("backlog", &[]) == 0).await;
    second.shows("no backlog", |it| it.sum("backlog", &[]) == 0).await;
    one.stop().await;
    other.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_one_clear_error_with_status_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let topic = ("SNS__PM_MESSAGES_TOPIC", "arn:aws:sns:us-east-1:123456789012:pm");
    let program = Program::new(&["run"]).with(topic.0, topic.1);
    let ended = program.with("ADMIN__LISTEN", &address).run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let errors: Vec<_> = ended.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{ended:?}");
    for part in ["admin.listen", &address, "another worker"] {
        assert!(errors[0].contains(part), "{ended:?}");
    }
}

#[tokio::test]
async fn a_worker_that_is_open_to_the_network_says_so() {
    for (token, says) in
        [("", "unset"), ("a-token-that-is-long-enough", "set"), ("short", "too_short")]
    {
        let stand = Stand::new("open").await;
        let settings = [("ADMIN__LISTEN", "0.0.0.0:0"), ("ADMIN__TOKEN", token)];
        let worker = Worker::start_with(&stand, &settings).await;
        let line = worker.logged("open_to_network").await;
        assert_eq!(line["level"], "WARN", "{line}");
        assert_eq!(line["token"], says, "{line}");
        worker.stop().await;
        stand.leave_nothing().await;
    }
}
