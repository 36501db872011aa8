//! A worker on a queue with a single active consumer, which another worker is, waits in silence and takes over.

use lapin::types::AMQPValue;

use crate::fake_sns::{FakeSns, RequestFault};
use crate::support::{ADMIN, Admin, Event, Stand, Worker, on_both_own_brokers, quorum, wait_for};

const EVENTS: usize = 12;

/// Two workers. The first one holds a few events, for SNS does not answer it, and others wait in the queue.
async fn two(stand: &Stand, sns: &FakeSns, uri: &str) -> (Worker, Worker) {
    stand.declare_dead_letters_by_hand().await;
    stand.bind_dead_letter_queue().await;
    let mut arguments = quorum();
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    stand.declare_events_with(arguments).await;
    sns.fail_requests(|_| Some(RequestFault::Silence));
    let url = sns.url();
    let as_it_is = ("AMQP__DECLARE", "false");
    let settings =
        [as_it_is, ("SNS__SNS_HOST", &*url), ("AMQP__PREFETCH", "5"), ("AMQP__URI", uri)];
    let active = Worker::start_with(stand, &settings).await;
    for number in 0..EVENTS {
        stand.publish(Event::chat("ann@h", "bob@h", &number.to_string())).await;
    }
    wait_for("a full worker", async || {
        (stand.ready(&stand.queue()).await + 5 == u32::try_from(EVENTS).unwrap()).then_some(())
    })
    .await;
    let waiting = Worker::start_with(stand, &[as_it_is, ADMIN, ("AMQP__URI", uri)]).await;
    (active, waiting)
}

/// The state is told a moment after the metric.
async fn is_ready_and(admin: &Admin, state: &str) {
    wait_for(state, async || {
        let (status, body) = admin.ready().await;
        assert_eq!(status, 200, "{body}");
        (body["sources"][0]["state"] == state).then_some(())
    })
    .await;
}

/// `event` is what the standby logs, once, at this level.
async fn takes_over(stand: &Stand, active: Worker, waiting: Worker, event: &str, level: &str) {
    let said = waiting.logged(event).await;
    assert_eq!(said["level"], level, "{said}");
    assert_eq!(said["queue"], stand.queue(), "{said}");
    let admin = Admin::of(&waiting).await;
    let standby = |count: i64| {
        move |it: &crate::support::Scrape| {
            (
                it.sum("source_state", &["state=\"standby\""]),
                it.sum("connected", &[]),
                it.sum("backlog", &[]),
            ) == (count, 1, 0)
        }
    };
    admin.shows("a standby that is connected", standby(1)).await;
    is_ready_and(&admin, "standby").await;
    active.crash().await;
    waiting.logged("standby_over").await;
    stand.receive("pm", EVENTS).await;
    admin.shows("no standby", standby(0)).await;
    is_ready_and(&admin, "consuming").await;
    assert_eq!((waiting.count("not_consuming"), waiting.count(event)), (0, 1));
    waiting.stop().await;
}

on_both_own_brokers! {
    /// In seconds, whatever the heartbeat is: the worker asks for the queue's arguments when it starts.
    async fn a_standby_is_quiet_and_takes_over_when_the_first_worker_dies(broker: &OwnBroker, stand: Stand) {
        let sns = FakeSns::start();
        let (active, waiting) = two(&stand, &sns, &broker.uri(0)).await;
        takes_over(&stand, active, waiting, "standby", "INFO").await;
        stand.leave_nothing().await;
    }

    async fn a_standby_that_may_not_ask_for_arguments_says_so_once_and_takes_over(broker: &OwnBroker, stand: Stand) {
        let sns = FakeSns::start();
        broker.permit(&stand.id, "^$", ".*").await;
        let uri = format!("amqp://{}:planted@127.0.0.1:{}/%2f?heartbeat=1", stand.id, broker.port(0));
        let (active, waiting) = two(&stand, &sns, &uri).await;
        takes_over(&stand, active, waiting, "standby_assumed", "WARN").await;
        stand.leave_nothing().await;
    }
}
