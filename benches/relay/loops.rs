//! What the worker is compared with: the least that lapin needs, and the simplest relay
//! that a careful programmer would write with lapin and the SDK.

use aws_sdk_sns::Client;
use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sns::types::PublishBatchRequestEntry;
use clap::{Args, ValueEnum};
use futures_util::{StreamExt, TryStreamExt, stream};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};

use crate::{Result, broker};

/// As the worker's default.
const PREFETCH: u16 = 1500;
const IN_FLIGHT: usize = 100;
const BATCH: usize = 10;
const ACK_EVERY: u64 = 100;

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:bench";

/// A bare loop over a queue; the broker's URI comes from the environment.
#[derive(Debug, Args)]
pub(crate) struct Loop {
    kind: Kind,
    queue: String,
    events: u64,
    sns_url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Consumes and acknowledges in blocks
    Consume,
    /// Consumes, publishes full batches, acknowledges one by one
    Publish,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Consume => "consume",
            Self::Publish => "publish",
        }
    }
}

impl Loop {
    pub(crate) async fn run(&self) -> Result<()> {
        let (_connection, channel) =
            broker::connect(&std::env::var("EVENT_PUSHER_TEST_AMQP")?).await?;
        let client = client(&self.sns_url);
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let queue = self.queue.as_str();
        let options = BasicConsumeOptions::default();
        let consuming =
            channel.basic_consume(queue.into(), "bench".into(), options, FieldTable::default());
        let consumer = consuming.await?;
        eprintln!("consuming");
        match self.kind {
            Kind::Consume => self.consume(consumer, &channel).await?,
            Kind::Publish => self.publish(consumer, &client).await?,
        }
        // On the same channel, so that it is answered after the acknowledgements before it.
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        eprintln!("drained");
        // Until the harness has looked at this process.
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
            .await??;
        Ok(())
    }

    async fn consume(&self, mut consumer: Consumer, channel: &Channel) -> Result<()> {
        for number in 1..=self.events {
            let delivery = consumer.next().await.ok_or("cancelled")??;
            if number % ACK_EVERY == 0 || number == self.events {
                let options = BasicAckOptions { multiple: true };
                channel.basic_ack(delivery.delivery_tag, options).await?;
            }
        }
        Ok(())
    }

    async fn publish(&self, consumer: Consumer, client: &Client) -> Result<()> {
        let events = usize::try_from(self.events)?;
        let batches = consumer.take(events).chunks(BATCH).map(Ok);
        batches.try_for_each_concurrent(IN_FLIGHT, |batch| relay(client, batch)).await
    }
}

async fn relay(client: &Client, batch: Vec<lapin::Result<Delivery>>) -> Result<()> {
    let mut request = client.publish_batch().topic_arn(TOPIC);
    let mut ackers = Vec::with_capacity(BATCH);
    for (id, delivery) in batch.into_iter().enumerate() {
        let delivery = delivery?;
        let body = String::from_utf8(delivery.data)?;
        let entry = PublishBatchRequestEntry::builder().id(id.to_string()).message(body);
        request = request.publish_batch_request_entries(entry.build()?);
        ackers.push(delivery.acker);
    }
    let answer = request.send().await?;
    if !answer.failed().is_empty() {
        return Err("an entry failed".into());
    }
    let acks = stream::iter(ackers).map(Ok);
    acks.try_for_each(async |acker| {
        acker.ack(BasicAckOptions::default()).await.map(drop).map_err(Into::into)
    })
    .await
}

/// The SDK as it comes.
fn client(sns_url: &str) -> Client {
    Client::from_conf(
        aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
            .region(Region::new("us-east-1"))
            .endpoint_url(sns_url)
            .build(),
    )
}
