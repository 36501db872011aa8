//! Sessions that end, and ones that don't begin: each trouble is said once, in words that tell what to
//! do, and the worker goes on by itself when it is over.

mod long;

use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{Door, Event, OwnBroker, Proxy, Stand, Worker, binary, wait_for};

fn chat(number: u32) -> Event {
    Event::chat("alice@localhost", "bob@localhost", &number.to_string())
}

/// The worker consumes for the so-many-th time.
async fn consumes(worker: &Worker, times: usize) {
    let consuming = async || (worker.count("consuming") >= times).then_some(());
    wait_for("the worker to consume", consuming).await;
}

/// Its troubles so far, in order.
fn troubles(worker: &Worker) -> Vec<String> {
    let lines = worker.all(NOT_CONSUMING).into_iter();
    lines.map(|line| line["error"].as_str().unwrap().to_owned()).collect()
}

const NOT_CONSUMING: &str = "not_consuming";

#[tokio::test]
async fn a_network_that_falls_silent_is_noticed_by_its_missing_heartbeats() {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = Stand::on("silent", &broker.uri(0)).await;
    let network = Proxy::start(&stand.amqp_uri, Door::Open).await;
    let uri =
        format!("{}?heartbeat=2&connection_timeout=2000", network.instead_of(&stand.amqp_uri));
    // The connections of the source alone are counted.
    let settings = [("AMQP__URI", &*uri), ("FLEET__VIEW", "false")];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish(chat(0)).await;
    worker.settles(1).await;
    broker.keeps(&stand.queue(), 0).await;
    network.set(Door::Silent);
    let line = worker.logged_times(NOT_CONSUMING, 2).await;
    assert!(line["error"].as_str().unwrap().contains("no answer within 2s"), "{line}");
    network.takes(3).await;
    network.set(Door::Open);
    consumes(&worker, 2).await;
    stand.publish(chat(1)).await;
    worker.settles(2).await;
    let said = troubles(&worker);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].contains("the broker has sent no heartbeat in time"), "{said:#?}");
    assert_eq!(worker.stop().await.status.code(), Some(0));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_channel_that_the_broker_closes_for_a_late_acknowledgement_is_opened_anew_on_3_10() {
    let (broker, _guard) = OwnBroker::alone().await;
    let (stand, sns) = (Stand::on("late-ack", &broker.uri(0)).await, FakeSns::start());
    sns.record();
    sns.fail_requests(next(1, RequestFault::Silence));
    let url = sns.url();
    let settings = [("SNS__SNS_HOST", &*url), ("SNS__ATTEMPT_TIMEOUT_MS", "60000")];
    let default =
        broker.eval(0, "{ok, T} = application:get_env(rabbit, consumer_timeout), T.").await;
    let set = "application:set_env(rabbit, consumer_timeout";
    broker.eval(0, &format!("{set}, 2000).")).await;
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish(chat(0)).await;
    sns.until(|counts| counts.in_flight == 1).await;
    worker.logged(NOT_CONSUMING).await;
    broker.eval(0, &format!("{set}, {default}).")).await;
    worker.settles(1).await;
    let said = troubles(&worker);
    assert_eq!(said.len(), 1, "{said:#?}");
    for part in [
        "delivery acknowledgement on channel 1 timed out",
        "a delivery was held for longer than the broker's consumer timeout",
        "set outage.hand_back_after_s below that",
    ] {
        assert!(said[0].contains(part), "{said:#?}");
    }
    // The first receipt was void: its delivery came again.
    let exit = worker.stop().await;
    assert_eq!(exit.totals().handed_back, 1, "{exit:?}");
    assert_eq!(sns.accepted().len(), 1);
    stand.leave_nothing().await;
}

/// From a user that does not exist to one that may do all: each refusal is another line.
#[tokio::test]
async fn a_user_that_is_refused_is_let_in_when_it_is_allowed() {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = Stand::on("refused", &broker.uri(0)).await;
    let name = &stand.id;
    let uri = format!("amqp://{name}:planted@127.0.0.1:{}/{name}", broker.port(0));
    let worker = Worker::spawn(&stand, binary(), &[("AMQP__URI", &*uri)]);
    let permit = |configure: &str| {
        format!(
            "rabbit_auth_backend_internal:set_permissions(<<\"{name}\">>, <<\"{name}\">>, \
             <<\"{configure}\">>, <<\".*\">>, <<\".*\">>, <<\"test\">>)."
        )
    };
    let steps = [
        (
            "ACCESS_REFUSED - Login was refused",
            "check user and password",
            format!(
                "rabbit_auth_backend_internal:add_user(<<\"{name}\">>, <<\"planted\">>, <<\"test\">>)."
            ),
        ),
        (
            "not found",
            "check the virtual host",
            format!("rabbit_vhost:add(<<\"{name}\">>, <<\"test\">>)."),
        ),
        ("access to vhost", "check the virtual host", permit("^$")),
        ("access to exchange", "the permission that is missing", permit(".*")),
    ];
    for (number, (refusal, remedy, allow)) in steps.iter().enumerate() {
        let next = async || (troubles(&worker).len() > number).then_some(());
        wait_for(refusal, next).await;
        let said = &troubles(&worker)[number];
        assert!(said.contains(refusal) && said.contains(remedy), "{number}: {said}");
        broker.eval(0, allow).await;
    }
    consumes(&worker, 1).await;
    assert_eq!(troubles(&worker).len(), steps.len(), "{:#?}", worker.log());
    assert!(!worker.shows("planted"), "{:#?}", worker.log());
    worker.stop().await;
}
