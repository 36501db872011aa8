//! A FIFO topic of the emulator, read back through a FIFO queue.

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use super::sns::{clients, subscribe};
use super::{Stand, wait_for};

pub struct FifoTopic {
    pub arn: String,
    sqs: aws_sdk_sqs::Client,
    queue: String,
}

impl FifoTopic {
    pub async fn create(stand: &Stand) -> Self {
        let (sns, sqs) = clients(&stand.sns_url);
        let name = format!("{}.fifo", stand.id);
        let topic = sns.create_topic().name(&name).attributes("FifoTopic", "true");
        let arn = topic.send().await.unwrap().topic_arn.unwrap();
        let queue =
            sqs.create_queue().queue_name(&name).attributes(QueueAttributeName::FifoQueue, "true");
        let queue = queue.send().await.unwrap().queue_url.unwrap();
        subscribe(&sns, &arn, &name).await;
        Self { arn, sqs, queue }
    }

    /// Waits for `count` messages: group and body of each, in the queue's order.
    pub async fn receive(&self, count: usize) -> Vec<(String, String)> {
        let mut received = Vec::new();
        while received.len() < count {
            let what = format!("message {} of {count} in the FIFO queue", received.len() + 1);
            let more = async || {
                let batch = self.batch().await;
                (!batch.is_empty()).then_some(batch)
            };
            received.extend(wait_for(&what, more).await);
        }
        received
    }

    /// A group's next messages come only when those before them are deleted.
    async fn batch(&self) -> Vec<(String, String)> {
        let group = MessageSystemAttributeName::MessageGroupId;
        let request = self
            .sqs
            .receive_message()
            .queue_url(&self.queue)
            .max_number_of_messages(10)
            .message_system_attribute_names(group.clone());
        let mut batch = Vec::new();
        for message in request.send().await.unwrap().messages.unwrap_or_default() {
            let receipt = message.receipt_handle.unwrap();
            let delete = self.sqs.delete_message().queue_url(&self.queue).receipt_handle(receipt);
            delete.send().await.unwrap();
            let group = message.attributes.unwrap_or_default().remove(&group).unwrap();
            batch.push((group, message.body.unwrap()));
        }
        batch
    }
}
