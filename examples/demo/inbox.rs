//! The subscribers' end: one SQS queue behind each topic of SNS.

use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::{DisplayErrorContext, SdkError};
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use aws_sdk_sqs::types::Message;
use aws_sdk_sqs::{Client, Config};
use tokio::time::{Instant, sleep};

use crate::samples::Sample;
use crate::settings::Settings;
use crate::trouble::{START, Trouble};
use crate::{LOOK_AGAIN, PATIENCE};

pub(crate) struct Inbox {
    sqs: Client,
    /// Name and URL.
    queues: Vec<(String, String)>,
}

/// What has arrived in one queue.
pub(crate) struct Arrived {
    pub queue: String,
    pub notifications: Vec<Notification>,
}

/// A notification as a subscriber sees it.
pub(crate) struct Notification {
    /// The event that it comes from, if any has led to such a body.
    pub id: Option<String>,
    pub body: String,
    /// Name and value.
    pub attributes: Vec<(String, String)>,
}

impl Inbox {
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Trouble> {
        let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            // The emulator takes any.
            .credentials_provider(Credentials::new("test", "test", None, None, "demo"))
            .region(settings.sns.account.region.clone().map(Region::new))
            .endpoint_url(settings.emulator())
            .timeout_config(timeouts)
            .build();
        let sqs = Client::from_conf(config);
        let mut queues = Vec::new();
        for topic in settings.topics() {
            let found = sqs.get_queue_url().queue_name(topic.name()).send().await;
            let found =
                found.map_err(|error| missing(&error, topic.name(), settings.emulator()))?;
            queues.push((topic.name().to_owned(), found.queue_url.unwrap_or_default()));
        }
        Ok(Self { sqs, queues })
    }

    /// Waits for `count` notifications, then looks once more for any that are too many.
    pub(crate) async fn receive(
        &self,
        samples: &[Sample],
        count: usize,
    ) -> Result<Vec<Arrived>, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        let mut arrived: Vec<_> =
            self.queues.iter().map(|(queue, _)| Arrived::new(queue)).collect();
        loop {
            let before = total(&arrived);
            for ((_, url), queue) in self.queues.iter().zip(&mut arrived) {
                let messages = self.batch(url).await?;
                queue.notifications.extend(messages.into_iter().map(|it| read(it, samples)));
            }
            let now = total(&arrived);
            if now == before {
                if now >= count {
                    break;
                }
                if Instant::now() > deadline {
                    let what = format!("{now} of {count} published events are in the SQS queues");
                    return Err(Trouble { what, remedy: None });
                }
                sleep(LOOK_AGAIN).await;
            }
        }
        for queue in &mut arrived {
            queue.notifications.sort_by(|one, other| one.id.cmp(&other.id));
        }
        Ok(arrived)
    }

    /// Empties the queues; they stay, as the topics do. Not by `PurgeQueue`, which SQS allows
    /// once a minute.
    pub(crate) async fn clear(&self) -> Result<(), Trouble> {
        for (_, url) in &self.queues {
            while !self.batch(url).await?.is_empty() {}
        }
        Ok(())
    }

    /// Takes what is there out of a queue. Until it is deleted it stays visible, so that an
    /// interruption in between leaves nothing that comes up later.
    async fn batch(&self, url: &str) -> Result<Vec<Message>, Trouble> {
        let request = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .visibility_timeout(0)
            .message_attribute_names("All");
        let answer = request.send().await.map_err(|error| sqs(&error))?;
        let messages = answer.messages.unwrap_or_default();
        for message in &messages {
            let deletion = self
                .sqs
                .delete_message()
                .queue_url(url)
                .set_receipt_handle(message.receipt_handle.clone());
            deletion.send().await.map_err(|error| sqs(&error))?;
        }
        Ok(messages)
    }
}

impl Arrived {
    fn new(queue: &str) -> Self {
        Self { queue: queue.to_owned(), notifications: Vec::new() }
    }
}

pub(crate) fn total(arrived: &[Arrived]) -> usize {
    arrived.iter().map(|queue| queue.notifications.len()).sum()
}

fn read(message: Message, samples: &[Sample]) -> Notification {
    let body = message.body.unwrap_or_default();
    let json = serde_json::from_str::<serde_json::Value>(&body).ok();
    let sample = json.and_then(|json| samples.iter().find(|sample| sample.body == json));
    let attributes =
        message.message_attributes.unwrap_or_default().into_iter().map(|(name, it)| {
            let bytes = it.binary_value.map(|blob| format!("{} bytes", blob.as_ref().len()));
            (name, it.string_value.or(bytes).unwrap_or_default())
        });
    Notification {
        id: sample.map(|sample| sample.id.clone()),
        body,
        attributes: attributes.collect(),
    }
}

fn missing(error: &SdkError<GetQueueUrlError>, queue: &str, emulator: &str) -> Trouble {
    let remedy = format!("`scripts/topics.py` makes topics and queues; {START}");
    match error {
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
            Trouble::with_remedy(format!("no SNS emulator answers at {emulator}"), START)
        }
        SdkError::ServiceError(it) if it.err().is_queue_does_not_exist() => {
            Trouble::with_remedy(format!("there is no SQS queue `{queue}` at {emulator}"), remedy)
        }
        other => Trouble::new(&format!("SQS at {emulator}"), DisplayErrorContext(other)),
    }
}

fn sqs<E: std::error::Error + Send + Sync + 'static>(error: &SdkError<E>) -> Trouble {
    Trouble::new("SQS", DisplayErrorContext(error))
}
