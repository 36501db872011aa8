//! A consumer that is lost in silence, which is noticed by looks some heartbeats apart.

use lapin::ExchangeKind;
use lapin::options::QueueDeleteOptions;

use super::{PATIENTLY, chat};
use crate::fake_sns::{FakeSns, RequestFault};
use crate::support::{Event, OwnBroker, Stand, Worker, wait_for};

/// What a quorum queue does when it believes that a consumer is gone; nobody tells the channel.
async fn forget_consumers(broker: &OwnBroker, queue: &str) {
    let forget = "[{ok, _, _} = ra:process_command(amqqueue:get_pid(Q), \
         rabbit_fifo:make_checkout({element(2, C), element(1, C)}, cancel, #{})) \
         || C <- rabbit_amqqueue:consumers(Q)].";
    broker.eval_of(0, queue, forget).await;
}

#[tokio::test]
async fn a_consumer_that_the_broker_has_forgotten_is_noticed_and_a_full_one_is_not_suspected() {
    let (broker, _guard) = OwnBroker::shared().await;
    let (stand, sns) = (Stand::on("forgotten", &broker.uri(0)).await, FakeSns::start());
    let full = format!("{}.full", stand.id);
    stand.declare_exchange(&full, ExchangeKind::Topic, true).await;
    // The queue is looked at half as often as heartbeats come.
    let (url, uri) = (sns.url(), format!("{}?heartbeat=2", stand.amqp_uri));
    let settings = [
        ("SNS__SNS_HOST", &*url),
        ("AMQP__URI", &*uri),
        ("AMQP__PREFETCH", "5"),
        ("SHUTDOWN__GRACE_MS", "100"),
        PATIENTLY,
        ("AMQP__SOURCES__FULL__EXCHANGE", &*full),
        ("AMQP__SOURCES__FULL__QUEUE", &*full),
    ];
    sns.fail_requests(|request| request.topic.ends_with("muc").then_some(RequestFault::Silence));
    let worker = Worker::start_with(&stand, &settings).await;
    wait_for("both sources", async || (worker.count("consuming") == 2).then_some(())).await;
    let group = |text: &str| Event::groupchat("ann@localhost", "room@conference.localhost", text);
    for number in 0..9 {
        stand.publish_to(&full, group(&number.to_string())).await;
    }
    stand.publish(chat(0)).await;
    worker.settles(1).await;
    forget_consumers(broker, &stand.queue()).await;
    stand.publish(chat(1)).await;
    worker.settles(2).await;
    let line = worker.logged("not_consuming").await["error"].to_string();
    let forgotten = "where 1 messages wait; it seems to have forgotten the consumer";
    assert!(line.contains(&stand.queue()) && line.contains(forgotten), "{line}");
    let all = worker.all("not_consuming");
    let of_it = all.iter().filter(|it| it["error"].as_str().unwrap().contains(forgotten));
    assert_eq!(of_it.count(), 1, "{all:#?}");
    assert_eq!((worker.shows(&full), stand.ready(&full).await), (false, 4), "{:#?}", worker.log());
    // In order, so that what it has published is acknowledged.
    worker.stop().await;
    stand.channel.queue_delete(full.into(), QueueDeleteOptions::default()).await.unwrap();
    stand.leave_nothing().await;
}
