//! Queues that somebody else made (`declare = false`): what would lose events is said by `check` and `run`, and is not relied on.

use std::collections::BTreeSet;

use lapin::ExchangeKind;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

use crate::fake_sns::{FakeSns, RequestFault};
use crate::support::{
    ADMIN, Admin, Ended, Event, Program, Scrape, Stand, Worker, binary, dlq, on_both_brokers,
    quorum, wait_for,
};

const AS_IT_IS: (&str, &str) = ("AMQP__DECLARE", "false");
const EVENTS: usize = 12;

fn with(arguments: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = quorum();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    table
}

fn exchange(name: &str) -> (&'static str, AMQPValue) {
    ("x-dead-letter-exchange", AMQPValue::LongString(name.into()))
}

fn key(name: &str) -> (&'static str, AMQPValue) {
    ("x-dead-letter-routing-key", AMQPValue::LongString(name.into()))
}

fn limit(limit: i64) -> (&'static str, AMQPValue) {
    ("x-delivery-limit", limit.into())
}

async fn check(stand: &Stand) -> Ended {
    Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration())
        .with(AS_IT_IS.0, AS_IT_IS.1)
        .run()
        .await
}

/// The line about a queue, which is a problem, or else is none.
async fn checked(stand: &Stand, queue: &str, is_problem: bool) -> String {
    let ended = check(stand).await;
    assert_eq!(ended.code, Some(is_problem.into()), "{}", ended.all());
    let line = ended.line(&format!("queue `{queue}` ("));
    assert_eq!(line.starts_with("✗ "), is_problem, "{line}");
    line.to_owned()
}

/// A worker whose rooms' topic is not there, with so small a prefetch that most of its events would be parked.
async fn held(stand: &Stand, sns: &FakeSns) -> Worker {
    let (arn, url) = (stand.topic_arn("muc"), sns.url());
    sns.fail_requests(move |request| (request.topic == arn).then_some(RequestFault::NOT_FOUND));
    let settings = [
        AS_IT_IS,
        ("SNS__SNS_HOST", &*url),
        ("OUTAGE__PROBE_MAX_MS", "300"),
        ("AMQP__PREFETCH", "4"),
    ];
    let worker = Worker::start_with(stand, &settings).await;
    let room = |number: usize| Event::groupchat("ann@h", "room@conference.h", &number.to_string());
    stand.publish_all((0..EVENTS).map(room)).await;
    worker
}

/// All events are published in the end.
async fn loses_nothing(stand: &Stand, sns: &FakeSns, worker: Worker) {
    sns.heal();
    let arn = stand.topic_arn("muc");
    wait_for("all events", async || {
        let accepted = sns.accepted().into_iter().filter(|it| it.topic == arn);
        let bodies: BTreeSet<_> = accepted.map(|it| it.body).collect();
        (bodies.len() == EVENTS).then_some(())
    })
    .await;
    assert!(worker.stop().await.status.success());
}

on_both_brokers! {
    async fn nothing_is_parked_where_it_would_not_come_back(stand: Stand) {
        let (queue, parking, sns) = (stand.queue(), stand.held_queue(), FakeSns::start());
        sns.record();
        stand.declare_all("quorum").await;
        let no_key = format!("x-dead-letter-routing-key is not set and must be \"{queue}\"");
        let other = format!("x-dead-letter-routing-key is \"other\" and must be \"{queue}\"");
        for (arguments, words) in [
            (vec![], "x-dead-letter-exchange is not set and must be \"\""),
            (vec![exchange("amq.direct"), key(&queue)], "x-dead-letter-exchange is \"amq.direct\" and must be \"\""),
            (vec![exchange(""), key("other")], &*other),
            (vec![exchange("")], &*no_key),
        ] {
            stand.delete(&parking).await;
            stand.declare_queue(&parking, with(&arguments)).await;
            let line = checked(&stand, &parking, true).await;
            assert!(line.contains(words) && line.contains("`run` parks none"), "{line}");
        }
        let worker = held(&stand, &sns).await;
        let said = worker.logged("queue_unfit").await;
        assert_eq!((&said["queue"], &said["level"]), (&parking.as_str().into(), &"WARN".into()), "{said}");
        assert!(said["problem"].as_str().unwrap().contains(&no_key), "{said}");
        let said = worker.logged("cannot_park").await;
        assert!(said["error"].as_str().unwrap().contains(&no_key), "{said}");
        assert_eq!(stand.ready(&parking).await, 0);
        assert_eq!((worker.count("queue_unfit"), worker.count("cannot_park")), (1, 1));
        loses_nothing(&stand, &sns, worker).await;
        assert_eq!(stand.ready(&parking).await, 0, "an event was parked");
        stand.leave_nothing().await;
    }

    async fn events_are_parked_where_they_come_back(stand: Stand) {
        let (queue, parking, sns) = (stand.queue(), stand.held_queue(), FakeSns::start());
        sns.record();
        stand.declare_all("quorum").await;
        stand.declare_queue(&parking, with(&[exchange(""), key(&queue), limit(7)])).await;
        let line = checked(&stand, &parking, false).await;
        assert!(line.contains("x-dead-letter-strategy = at-least-once"), "{line}");
        let worker = held(&stand, &sns).await;
        worker.logged("parking").await;
        wait_for("parked events", async || (stand.ready(&parking).await > 0).then_some(())).await;
        assert_eq!((worker.count("queue_unfit"), worker.count("cannot_park")), (0, 0), "{:#?}", worker.log());
        loses_nothing(&stand, &sns, worker).await;
        stand.leave_nothing().await;
    }

    async fn a_delivery_limit_beyond_which_events_are_dropped_is_a_problem(stand: Stand) {
        let (queue, dead) = (stand.queue(), stand.dead_letter_queue());
        stand.declare_all("quorum").await;
        let mut unfit = vec![
            (vec![limit(4)], "x-delivery-limit = 4, and x-dead-letter-exchange is not set"),
            (vec![limit(4), exchange("no.such")], "leads to exchange `no.such`, which does not exist"),
            (vec![limit(4), exchange("")], "x-dead-letter-routing-key is not set"),
            (vec![limit(4), exchange(""), key("no.such")], "leads to queue `no.such`, which does not exist"),
        ];
        let mut fit = vec![
            (vec![limit(4), exchange(&dead)], "used as it is"),
            (vec![limit(4), exchange(""), key(&dead)], "used as it is"),
            (vec![limit(4), exchange("amq.fanout")], "can't tell whether an event that is delivered more often is kept"),
            (vec![limit(1_000_000_000)], "used as it is"),
        ];
        let unset = "delivery limit of 20, and x-dead-letter-exchange is not set";
        if stand.is_newest() { unfit.push((vec![], unset)) } else { fit.push((vec![], "used as it is")) }
        for (is_problem, cases) in [(true, unfit), (false, fit)] {
            for (arguments, words) in cases {
                stand.delete(&queue).await;
                stand.declare_queue(&queue, with(&arguments)).await;
                let line = checked(&stand, &queue, is_problem).await;
                assert!(line.contains(words), "{words}: {line}");
                assert_eq!(line.contains(&format!("x-dead-letter-exchange = \"{dead}\"")), is_problem || line.contains("can't tell"), "{line}");
            }
        }
        stand.delete(&queue).await;
        stand.declare_queue(&queue, with(&[limit(4)])).await;
        stand.bind(&queue, &stand.exchange(), "#").await;
        let worker = Worker::start_with(&stand, &[AS_IT_IS]).await;
        let said = worker.logged("queue_unfit").await;
        assert_eq!((&said["queue"], &said["level"]), (&queue.as_str().into(), &"WARN".into()), "{said}");
        assert!(said["problem"].as_str().unwrap().contains("x-delivery-limit = 4"), "{said}");
        stand.publish(Event::chat("ann@h", "bob@h", "consumed all the same")).await;
        stand.receive("pm", 1).await;
        assert_eq!(worker.count("queue_unfit"), 1);
        worker.stop().await;
        stand.leave_nothing().await;
    }

    async fn a_queue_that_is_created_anew_is_judged_again_and_the_same_one_is_not_told_twice(stand: Stand) {
        let (queue, dead) = (stand.queue(), stand.dead_letter_queue());
        stand.declare_all("quorum").await;
        let worker = Worker::start_with(&stand, &[AS_IT_IS, ADMIN]).await;
        let admin = Admin::of(&worker).await;
        let ttl = ("x-message-ttl", AMQPValue::LongInt(60_000));
        let (wrong, right) = ([limit(4)], [limit(4), exchange(&dead)]);
        let unfit = |times: usize| worker.logged_times("queue_unfit", times);
        // As each session begins; the dead-letter queue ends none.
        let recreated = async |arguments: &[_], sessions: usize| {
            admin.shows("a session", |it: &Scrape| it.sum("connected", &[]) == 1).await;
            stand.delete(&queue).await;
            // RabbitMQ 3.10 tells nobody of a queue that is there again at once.
            admin.shows("no session", |it: &Scrape| it.sum("connected", &[]) == 0).await;
            stand.declare_queue(&queue, with(arguments)).await;
            stand.bind(&queue, &stand.exchange(), "#").await;
            worker.logged_times("consuming", sessions).await;
        };
        recreated(&wrong, 2).await;
        let said = unfit(1).await;
        assert_eq!(said["queue"], queue.as_str(), "{said}");
        stand.delete(&dead).await;
        stand.declare_queue(&dead, with(&[ttl])).await;
        stand.bind_dead_letter_queue().await;
        recreated(&wrong, 3).await;
        let said = unfit(2).await;
        assert!(said["queue"] == dead && said["problem"].to_string().contains("x-message-ttl"), "{said}");
        recreated(&right, 4).await;
        recreated(&wrong, 5).await;
        let said = unfit(3).await;
        assert_eq!(said["queue"], queue.as_str(), "{said}");
        stand.publish(Event::chat("ann@h", "bob@h", "consumed all the same")).await;
        stand.receive("pm", 1).await;
        assert_eq!(worker.count("queue_unfit"), 3, "{:#?}", worker.log());
        worker.stop().await;
        stand.leave_nothing().await;
    }

    async fn an_exclusive_queue_is_said_to_be_one(stand: Stand) {
        stand.declare_exchange(&stand.exchange(), ExchangeKind::Topic, true).await;
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        for queue in [stand.queue(), stand.dead_letter_queue()] {
            let declared =
                stand.channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
            declared.await.unwrap();
        }
        let words = "another connection has this queue for itself alone";
        let listed = dlq(&stand, &["list"]).await;
        assert_eq!(listed.code, Some(1), "{}", listed.all());
        assert!(listed.all().contains(words), "{}", listed.all());
        stand.delete(&stand.dead_letter_queue()).await;
        stand.declare_dead_letters_by_hand().await;
        let worker = Worker::spawn(&stand, binary(), &[AS_IT_IS]);
        let error = worker.logged("not_consuming").await["error"].to_string();
        for part in [words, &stand.queue(), "RESOURCE_LOCKED"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        worker.stop().await;
        stand.leave_nothing().await;
    }
}

on_both_brokers! {
async fn a_dead_letter_queue_that_drops_letters_is_a_problem_and_is_warned_of(stand: Stand) {
    let dropping: [&[(&str, AMQPValue)]; 3] = [
        &[limit(1_000_000_000), ("x-max-length", 5_i64.into())],
        &[limit(1_000_000_000), ("x-message-ttl", 60_000_i64.into())],
        &[limit(1_000_000_000), ("x-max-length-bytes", 5_i64.into()), overflow("drop-head")],
    ];
    stand.declare_all("quorum").await;
    for arguments in dropping {
        stand.delete(&stand.dead_letter_queue()).await;
        stand.declare_queue(&stand.dead_letter_queue(), with(arguments)).await;
        stand.bind_dead_letter_queue().await;
        let line = checked(&stand, &stand.dead_letter_queue(), true).await;
        assert!(line.contains("RabbitMQ removes dead letters"), "{line}");
    }
    let worker = Worker::start_with(&stand, &[AS_IT_IS]).await;
    assert_eq!(worker.logged("queue_unfit").await["queue"], stand.dead_letter_queue());
    worker.stop().await;
    stand.delete(&stand.dead_letter_queue()).await;
    let refusing =
        with(&[limit(1_000_000_000), ("x-max-length", 5_i64.into()), overflow("reject-publish")]);
    stand.declare_queue(&stand.dead_letter_queue(), refusing).await;
    stand.bind_dead_letter_queue().await;
    checked(&stand, &stand.dead_letter_queue(), false).await;
    stand.leave_nothing().await;
}
}

fn overflow(how: &str) -> (&'static str, AMQPValue) {
    ("x-overflow", AMQPValue::LongString(how.into()))
}

mod long {
    use super::*;

    /// Nobody waits ten minutes for it.
    #[tokio::test]
    async fn a_parking_queue_that_is_mended_during_a_hold_is_used_in_it() {
        let stand = Stand::new("park-mended").await;
        let (queue, parking, sns) = (stand.queue(), stand.held_queue(), FakeSns::start());
        sns.record();
        stand.declare_all("quorum").await;
        stand.declare_queue(&parking, with(&[exchange("")])).await;
        let worker = held(&stand, &sns).await;
        worker.logged("cannot_park").await;
        stand.delete(&parking).await;
        stand.declare_queue(&parking, with(&[exchange(""), key(&queue)])).await;
        wait_for("parked events", async || (stand.ready(&parking).await > 0).then_some(())).await;
        loses_nothing(&stand, &sns, worker).await;
        stand.leave_nothing().await;
    }
}
