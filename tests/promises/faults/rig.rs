//! The publisher alone on a fake SNS, over HTTP. Without a broker hundreds of mixes are quick.

use std::rc::Rc;
use std::time::Duration;

use event_pusher_sns::arn::TopicArn;
use event_pusher_sns::config::{Config, Inputs};
use event_pusher_sns::plugin::{Attributes, DefaultPlugin};
use event_pusher_sns::publish;
use event_pusher_sns::publish::hold::WaitBudget;
use event_pusher_sns::publish::{Accepted, Failure, Publisher, Unpublished};
use event_pusher_sns::route::Notification;
use event_pusher_sns::sns::Sns;
use futures_util::future::join_all;

use crate::fake_sns::FakeSns;

/// Retries of a publish; their pauses are short.
pub const RETRIES: u32 = 3;

pub struct Rig {
    pub fake: FakeSns,
    config: Config,
    sns: Sns,
    topic: TopicArn,
}

pub type Answer = Result<Accepted, Failure>;

impl Rig {
    pub async fn new() -> Self {
        let fake = FakeSns::start();
        fake.record();
        // The linger is longer than a busy machine keeps a thread from running: full batches need none.
        let text = format!(
            r#"
            [sns]
            sns_host = "{}"
            region = "us-east-1"
            account_id = "123456789012"
            access_key_id = "test"
            secret_access_key = "test"
            pm_messages_topic = "pm"
            publish_retry_count = {RETRIES}
            publish_retry_time_ms = 1
            batch_linger_ms = 50

            [outage]
            threshold = 1000
            probe_max_ms = 1
            "#,
            fake.url()
        );
        let inputs = Inputs { files: vec![("rig.toml".to_owned(), text)], ..Inputs::default() };
        let config = Config::load(&inputs, &[DefaultPlugin::NAME]).unwrap();
        let topic = config.sns.routing.pm_messages_topic.clone().unwrap();
        let sns = Box::pin(Sns::new(&config.sns, [topic.clone()])).await;
        Self { fake, config, sns, topic }
    }

    /// Publishes all bodies at once, so that they share a batch of just that size, through a
    /// publisher that holds nothing yet. Needs a `LocalSet`.
    pub async fn publish_together(&self, bodies: &[String]) -> Vec<Answer> {
        let publisher = self.publisher(bodies.len());
        let notifications: Vec<_> = bodies.iter().map(|body| self.notification(body)).collect();
        let budget =
            WaitBudget::new(&self.config.amqp.sources[0], u16::MAX, Duration::from_hours(1));
        let deadline = budget.deadline();
        let answers = notifications.iter().map(async |it| {
            publisher.publish(it, &deadline).await.map_err(|unpublished| match unpublished {
                Unpublished::Failed(failure) => failure,
                Unpublished::Overdue(overdue) => panic!("{overdue:?}"),
            })
        });
        join_all(answers).await
    }

    /// One whose batches leave at once when they have so many entries.
    pub fn publisher(&self, max_entries: usize) -> Publisher<Sns> {
        let mut sns = self.config.sns.clone();
        sns.batch_max_entries = max_entries.try_into().unwrap();
        publish::stack(&sns, &self.config.outage, self.sns.clone())
    }

    fn notification(&self, body: &str) -> Rc<Notification> {
        Rc::new(Notification {
            topic: self.topic.clone(),
            body: body.to_owned(),
            attributes: Attributes::default(),
            order: None,
            group: None,
            dedup_id: None,
        })
    }

    /// The bodies that were accepted, each as often as it was.
    pub fn accepted(&self) -> Vec<String> {
        self.fake.accepted().into_iter().map(|message| message.body).collect()
    }
}
