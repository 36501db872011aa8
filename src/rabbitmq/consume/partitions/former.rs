//! What was in a source's queue before it had partitions is published before what is in them.
//!
//! Nobody can ask whether all that a queue has delivered is settled. So when nothing is ready in it any more a last message is put
//! into the queue: the single active consumer that gets it has settled all before it, or will; then it declares the marker.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::ShortString;
use tokio::time::{Instant, sleep};

use crate::config::{Amqp, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::fleet::author;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::topology::partitions::marker::marker_of;
use crate::rabbitmq::topology::queue_state::QueueState;
use crate::signature::SigningKey;

/// The property `type` of the last message.
const BEGIN: &str = "event-pusher-partitions-begin";

/// For messages that were routed to the source's queue before, by whichever node.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Between two last messages.
const PUT_AGAIN: Duration = Duration::from_secs(5);

/// Between two looks for the marker.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Puts the last message into the source's queue. Each worker that waits for the marker does so; further ones are no harm.
async fn put_last(broker: &Broker, source: &Source) -> Result<(), SourceError> {
    let publisher = ConfirmedPublisher::open(broker, "begins partitions").await?;
    let marker = marker_of(&source.queue);
    let properties = BasicProperties::default().with_type(BEGIN.into()).with_delivery_mode(2);
    let sign = |it: &SigningKey| it.sign_for_fleet(&marker, BEGIN.as_bytes());
    let properties = author::vouched_on(broker, properties, sign);
    let message = (BEGIN.as_bytes(), properties);
    let sent = publisher.publish_unless_blocked(("", &source.queue), message).await;
    publisher.close().await;
    sent.map_err(|error| {
        let queue = &source.queue;
        let what = "cannot put the last message before the partitions";
        error.of_queue(queue).reworded(|said| format!("{what}: {said}"))
    })
}

/// Whether a delivery is a last message of a worker.
pub(in crate::rabbitmq::consume) fn is_begin(
    amqp: &Amqp,
    source: &Source,
    delivery: &lapin::message::Delivery,
) -> bool {
    let kind = delivery.properties.kind().as_ref().map(ShortString::as_str);
    kind == Some(BEGIN)
        && author::check(amqp, &delivery.properties, |key, signature| {
            key.verifies_for_fleet(signature, &marker_of(&source.queue), BEGIN.as_bytes())
        })
        .is_ok()
}

/// Puts last messages into the source's queue until a worker has declared the marker. One may get lost: a worker of a former version
/// makes a dead letter of it.
pub(in crate::rabbitmq::consume) async fn begin(
    broker: &Broker,
    connection: &BrokerConnection,
    source: &Source,
) -> Result<(), SourceError> {
    let marker = marker_of(&source.queue);
    // What was routed before the bindings were taken away is there by then.
    sleep(ON_ITS_WAY).await;
    loop {
        if QueueState::on(connection, &source.queue).await?.ready == 0 {
            put_last(broker, source).await?;
        }
        let until = Instant::now() + PUT_AGAIN;
        while Instant::now() < until {
            match QueueState::on(connection, &marker).await {
                Ok(_) => return Ok(()),
                Err(SourceError::NotFound(_)) => sleep(LOOK_AGAIN).await,
                Err(error) => return Err(error),
            }
        }
    }
}
