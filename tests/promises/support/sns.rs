//! Topics of the emulator, read back through SQS queues that are subscribed to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use tokio::task::JoinSet;

use super::wait_for;

/// Messages in one answer of SQS.
const FULL: usize = 10;

/// Looking more often would take the emulator's time from what is to come.
const LET_COME: Duration = Duration::from_millis(200);

/// A notification as a subscriber sees it.
#[derive(Debug, Clone)]
pub struct Received {
    /// SQS's id for it.
    id: String,
    pub body: String,
    /// Name → (type, value); binary values as lossy text.
    pub attributes: BTreeMap<String, (String, String)>,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Subscribes a queue to a topic, so that it gets the bare notifications.
pub(super) async fn subscribe(sns: &aws_sdk_sns::Client, topic: &str, queue: &str) {
    sns.subscribe()
        .topic_arn(topic)
        .protocol("sqs")
        .endpoint(format!("arn:aws:sqs:us-east-1:123456789012:{queue}"))
        .attributes("RawMessageDelivery", "true")
        .send()
        .await
        .unwrap();
}

#[derive(Clone)]
pub struct Topics {
    sqs: aws_sdk_sqs::Client,
    queues: HashMap<&'static str, String>,
}

/// Clients of the emulator.
pub(super) fn clients(url: &str) -> (aws_sdk_sns::Client, aws_sdk_sqs::Client) {
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
    (sns, sqs)
}

impl Topics {
    pub async fn create(url: &str, id: &str) -> Result<Self, String> {
        let (sns, sqs) = clients(url);
        let mut queues = HashMap::new();
        for topic in ["presence", "pm", "muc"] {
            let name = format!("{id}-{topic}");
            let arn = sns.create_topic().name(&name).send().await.map_err(|e| format!("{e:?}"))?;
            let queue = sqs.create_queue().queue_name(&name).send().await.unwrap();
            subscribe(&sns, arn.topic_arn().unwrap(), &name).await;
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
        self.messages(topic).await.into_iter().map(read).collect()
    }

    /// Receives and deletes.
    async fn take(&self, topic: &str) -> Vec<Received> {
        let messages = self.messages(topic).await;
        if !messages.is_empty() {
            let entries = messages.iter().enumerate().map(|(index, message)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.set_receipt_handle(message.receipt_handle.clone()).build().unwrap()
            });
            let delete = self.sqs.delete_message_batch().queue_url(&self.queues[topic]);
            delete.set_entries(Some(entries.collect())).send().await.unwrap();
        }
        messages.into_iter().map(read).collect()
    }

    async fn messages(&self, topic: &str) -> Vec<Message> {
        let request = self
            .sqs
            .receive_message()
            .queue_url(&self.queues[topic])
            .max_number_of_messages(FULL.try_into().unwrap())
            .visibility_timeout(3600)
            .message_attribute_names("All");
        request.send().await.unwrap().messages.unwrap_or_default()
    }
}

/// Settings that leave the emulator time for its readers: it gives every request the same
/// share. And what is slow there must not look like what is lost: a retry is a repetition.
pub const GENTLY: [(&str, &str); 3] =
    [("LOG__FILTER", "info"), ("SNS__POOL_SIZE", "2"), ("SNS__ATTEMPT_TIMEOUT_MS", "60000")];

type Found = HashMap<String, (&'static str, Received)>;

/// Reads away what comes, from all topics at once. The emulator takes ever longer to put
/// something into a long queue, so where many events pass they must not pile up. Use
/// [`GENTLY`] with it.
pub struct Collector {
    /// By SQS's id, since the emulator may hand one message to two readers.
    found: Arc<Mutex<Found>>,
    ending: Arc<AtomicBool>,
    readers: JoinSet<()>,
}

impl Collector {
    pub fn start(topics: &Topics) -> Self {
        let mut collector =
            Self { found: Arc::default(), ending: Arc::default(), readers: JoinSet::new() };
        for topic in topics.queues.keys().flat_map(|topic| [*topic; 3]) {
            let (found, ending) = (Arc::clone(&collector.found), Arc::clone(&collector.ending));
            let topics = topics.clone();
            collector.readers.spawn(async move {
                loop {
                    let last = ending.load(Ordering::SeqCst);
                    let batch = topics.take(topic).await;
                    if batch.is_empty() && last {
                        break;
                    }
                    if batch.len() < FULL && !last {
                        tokio::time::sleep(LET_COME).await;
                    }
                    found
                        .lock()
                        .unwrap()
                        .extend(batch.into_iter().map(|it| (it.id.clone(), (topic, it))));
                }
            });
        }
        collector
    }

    /// Waits until so many have come.
    pub async fn has(&self, count: usize) {
        let come = async || (self.found.lock().unwrap().len() >= count).then_some(());
        wait_for(&format!("{count} messages behind the topics"), come).await;
    }

    /// All that has come until now, with the topics.
    pub async fn finish(mut self) -> Vec<(&'static str, Received)> {
        self.ending.store(true, Ordering::SeqCst);
        while let Some(reader) = self.readers.join_next().await {
            reader.unwrap();
        }
        std::mem::take(&mut *self.found.lock().unwrap()).into_values().collect()
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
    Received {
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attributes: attributes.collect(),
    }
}
