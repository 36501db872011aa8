//! The broker's consumer timeout: it ends no hold and no replay where a consumer may say how long it holds deliveries, and where it
//! ends one, it is called by its name.

use lapin::types::{AMQPValue, FieldTable};

use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{
    Event, OwnBroker, Poser, Stand, Totals, Worker, dlq_program, quorum, wait_for,
};

/// Of the broker, in milliseconds.
const TIMEOUT: &str = "1000";

/// SNS does not answer the first request, which is given up after this time and tried again.
const HELD: [(&str, &str); 2] =
    [("SNS__ATTEMPT_TIMEOUT_MS", "4000"), ("SNS__PUBLISH_RETRY_COUNT", "2")];

const NAMED: [&str; 2] = [
    "a delivery was held for longer than the broker's consumer timeout",
    "set outage.hand_back_after_s below that, or raise consumer_timeout",
];

/// Sets the broker's timeout, and returns the former one.
async fn set_timeout(broker: &OwnBroker, millis: &str) -> String {
    let get = "{ok, T} = application:get_env(rabbit, consumer_timeout), T.";
    let former = broker.eval(0, get).await;
    broker.eval(0, &format!("application:set_env(rabbit, consumer_timeout, {millis}).")).await;
    former
}

fn chat() -> Event {
    Event::chat("ann@h", "bob@h", "hello")
}

/// A worker whose only event is held for longer than the broker's timeout publishes it in its first session.
async fn holds(stand: Stand, settings: &[(&str, &str)]) {
    let sns = FakeSns::start();
    sns.fail_requests(next(1, RequestFault::Silence));
    let url = sns.url();
    let settings = [&[("SNS__SNS_HOST", &*url)], &HELD[..], settings].concat();
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish(chat()).await;
    worker.settles(1).await;
    assert_eq!(worker.count("not_consuming"), 0, "{:#?}", worker.log());
    let exit = worker.stop().await;
    assert_eq!(exit.totals(), Totals::published(1), "{exit:?}");
    stand.leave_nothing().await;
}

/// Queues that somebody else has declared; a classic queue has no such timeout, and refuses a consumer that asks for one.
async fn as_it_is(name: &str, broker: &OwnBroker, arguments: FieldTable) -> Stand {
    let stand = Stand::on(name, &broker.uri(0)).await;
    stand.declare_dead_letters_by_hand().await;
    stand.bind_dead_letter_queue().await;
    stand.declare_events_with(arguments).await;
    stand
}

fn classic() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    arguments
}

#[tokio::test]
async fn a_hold_outlasts_the_brokers_own_timeout_on_4_3() {
    let (broker, _guard) = OwnBroker::newest_alone().await;
    let former = set_timeout(broker, TIMEOUT).await;
    let declared = Stand::on("timeout-quorum", &broker.uri(0)).await;
    let declared_classic = Stand::on("timeout-classic", &broker.uri(0)).await;
    let known = as_it_is("timeout-known", broker, quorum()).await;
    let hidden = as_it_is("timeout-hidden", broker, quorum()).await;
    let hidden_classic = as_it_is("timeout-hidden-classic", broker, classic()).await;
    let user =
        |stand: &Stand| format!("amqp://{}:planted@127.0.0.1:{}/%2f", stand.id, broker.port(0));
    for stand in [&hidden, &hidden_classic] {
        broker.permit_only(&stand.id, ["^$", ".*", ".*"]).await;
    }
    let (as_one, as_other) = (user(&hidden), user(&hidden_classic));
    let own = ("AMQP__DECLARE", "false");
    let (is_own, is_classic) = ([own], [("AMQP__QUEUE_TYPE", "classic")]);
    let (as_hidden, as_classic) =
        ([own, ("AMQP__URI", &*as_one)], [own, ("AMQP__URI", &*as_other)]);
    tokio::join!(
        holds(declared, &[]),
        holds(declared_classic, &is_classic),
        holds(known, &is_own),
        holds(hidden, &as_hidden),
        holds(hidden_classic, &as_classic),
    );
    set_timeout(broker, &former).await;
}

/// Ten letters in two seconds and more.
async fn replay(stand: &Stand, code: i32) -> String {
    stand.declare_all("quorum").await;
    stand.bury_numbers(0..10).await;
    let ended = dlq_program(stand, &["replay", "--rate", "4", "--watch", "0s"]).run().await;
    assert_eq!(ended.code, Some(code), "{}", ended.all());
    ended.all()
}

#[tokio::test]
async fn a_replay_outlasts_the_brokers_own_timeout_on_4_3() {
    let (broker, _guard) = OwnBroker::newest_alone().await;
    let former = set_timeout(broker, TIMEOUT).await;
    let stand = Stand::on("timeout-replay", &broker.uri(0)).await;
    replay(&stand, 0).await;
    set_timeout(broker, &former).await;
    assert_eq!(stand.drain(&stand.queue(), 10).await.len(), 10);
    stand.leave_nothing().await;
}

/// RabbitMQ 3.10 goes by its own timeout alone, and closes the channel.
#[tokio::test]
async fn a_replay_that_the_timeout_ends_says_so_on_3_10() {
    let (broker, _guard) = OwnBroker::alone().await;
    let former = set_timeout(broker, TIMEOUT).await;
    let stand = Stand::on("timeout-replay", &broker.uri(0)).await;
    let said = replay(&stand, 1).await;
    set_timeout(broker, &former).await;
    assert!(NAMED.iter().all(|words| said.contains(words)), "{said}");
    // None is lost: what was not replayed is there still.
    wait_for("ten letters in both queues", async || {
        let (dead, back) =
            (stand.ready(&stand.dead_letter_queue()).await, stand.ready(&stand.queue()).await);
        (dead > 0 && dead + back == 10).then_some(())
    })
    .await;
}

/// The consumer that a worker begins does not say how long it holds, as that of a former version.
#[tokio::test]
async fn a_timeout_that_cancels_the_consumer_is_called_by_its_name_on_4_3() {
    let (broker, _guard) = OwnBroker::newest_alone().await;
    let former = set_timeout(broker, TIMEOUT).await;
    let stand = Stand::on("timeout-cancels", &broker.uri(0)).await;
    let (silent, sns) =
        (Poser::hiding(&stand.amqp_uri, "x-consumer-timeout").await, FakeSns::start());
    sns.record();
    sns.fail_requests(next(1, RequestFault::Silence));
    let (uri, url) = (silent.instead_of(&stand.amqp_uri), sns.url());
    let settings =
        [("AMQP__URI", &*uri), ("SNS__SNS_HOST", &*url), ("SNS__ATTEMPT_TIMEOUT_MS", "60000")];
    let worker = Worker::start_with(&stand, &settings).await;
    stand.publish(chat()).await;
    let line = worker.logged("not_consuming").await;
    set_timeout(broker, &former).await;
    let error = line["error"].as_str().unwrap();
    // For less time than it asked for, which the broker has not heard, so that something else can be the cause.
    let named = format!("the consumer of `{}` was cancelled: ", stand.queue());
    assert!(error.starts_with(&named), "{error}");
    assert!(NAMED.iter().all(|it| error.contains(it)), "{error}");
    worker.settles(1).await;
    let exit = worker.stop().await;
    assert_eq!(exit.totals().handed_back, 1, "{exit:?}");
    assert_eq!(sns.accepted().len(), 1);
    stand.leave_nothing().await;
}
