//! What is seen only by looking for as long as the worker pauses between two looks.

use std::time::{Duration, Instant};

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use super::{chat, worker_on};
use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{OwnBroker, Scrape, Stand};

/// RabbitMQ says it of a quorum queue that does not answer at once.
#[tokio::test]
async fn a_queue_that_is_too_busy_to_answer_is_not_called_empty() {
    let (broker, _guard) = OwnBroker::shared().await;
    let (stand, sns) = (Stand::on("mute", &broker.uri(0)).await, FakeSns::start());
    sns.fail_requests(next(u64::MAX, RequestFault::INVALID_TOKEN));
    let (worker, admin) = worker_on(&stand, &sns, &[("AMQP__PREFETCH", "10")]).await;
    stand.publish_all((0..50).map(chat)).await;
    let knows = |it: &Scrape| (it.sum("queue_ready", &[]), it.sum("backlog", &[])) == (40, 50);
    admin.shows("the whole backlog", knows).await;

    let (queue, leader) = (stand.queue(), "amqqueue:get_pid(Q)");
    broker.eval_of(0, &queue, &format!("sys:suspend({leader}).")).await;
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let asked = stand.channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
    assert_eq!(asked.await.unwrap().message_count(), 0, "this RabbitMQ says how it is");
    // The worker asks at least once meanwhile.
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        let scrape = admin.scrape().await;
        assert!(knows(&scrape), "{scrape:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    broker.eval_of(0, &queue, &format!("sys:resume({leader}).")).await;
    sns.heal();
    admin.rests_after(50).await;
    worker.stop().await;
    stand.leave_nothing().await;
}
