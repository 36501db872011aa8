//! Topics of the emulator, read back through SQS queues that are subscribed to them.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::Message;

use super::wait_for;

/// A notification as a subscriber sees it.
#[derive(Debug, Clone)]
pub struct Received {
    pub body: String,
    /// Name → (type, value); binary values as lossy text.
    pub attributes: BTreeMap<String, (String, String)>,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub struct Topics {
    sqs: aws_sdk_sqs::Client,
    queues: HashMap<&'static str, String>,
}

impl Topics {
    pub async fn create(url: &str, id: &str) -> Result<Self, String> {
        let keys = Credentials::new("test", "test", None, None, "test");
        let region = Region::new("us-east-1");
        let sns = aws_sdk_sns::Client::from_conf(
            aws_sdk_sns::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider(keys.clone())
                .region(region.clone())
                .endpoint_url(url)
                .build(),
        );
        let sqs = aws_sdk_sqs::Client::from_conf(
            aws_sdk_sqs::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider(keys)
                .region(region)
                .endpoint_url(url)
                .build(),
        );
        let mut queues = HashMap::new();
        for topic in ["presence", "pm", "muc"] {
            let name = format!("{id}-{topic}");
            let arn = sns.create_topic().name(&name).send().await.map_err(|e| format!("{e:?}"))?;
            let queue = sqs.create_queue().queue_name(&name).send().await.unwrap();
            sns.subscribe()
                .topic_arn(arn.topic_arn().unwrap())
                .protocol("sqs")
                .endpoint(format!("arn:aws:sqs:us-east-1:123456789012:{name}"))
                .attributes("RawMessageDelivery", "true")
                .send()
                .await
                .unwrap();
            queues.insert(topic, queue.queue_url.unwrap());
        }
        Ok(Self { sqs, queues })
    }

    pub async fn receive(&self, topic: &str, count: usize) -> Vec<Received> {
        let mut received = Vec::new();
        while received.len() < count {
            let what = format!("message {} of {count} behind {topic}", received.len() + 1);
            let more = async || {
                let batch = self.batch(topic).await;
                (!batch.is_empty()).then_some(batch)
            };
            received.extend(wait_for(&what, more).await);
        }
        received
    }

    pub async fn receive_now(&self, topic: &str) -> Vec<Received> {
        let mut received = Vec::new();
        loop {
            let batch = self.batch(topic).await;
            if batch.is_empty() {
                return received;
            }
            received.extend(batch);
        }
    }

    /// What is received stays invisible for longer than any test lasts: deleting it would
    /// only double the requests.
    async fn batch(&self, topic: &str) -> Vec<Received> {
        let request = self
            .sqs
            .receive_message()
            .queue_url(&self.queues[topic])
            .max_number_of_messages(10)
            .visibility_timeout(3600)
            .message_attribute_names("All");
        request.send().await.unwrap().messages.unwrap_or_default().into_iter().map(read).collect()
    }
}

fn read(message: Message) -> Received {
    let attributes =
        message.message_attributes.unwrap_or_default().into_iter().map(|(name, it)| {
            let value = it.string_value.unwrap_or_else(|| {
                let bytes = it.binary_value.map(Blob::into_inner).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            });
            (name, (it.data_type, value))
        });
    Received { body: message.body.unwrap_or_default(), attributes: attributes.collect() }
}
