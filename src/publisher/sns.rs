//! Requests to Amazon SNS, and what their answers mean.

mod answer;
mod credentials;
mod endpoint;
mod exchange;
mod form;
#[cfg(test)]
mod tests;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use secrecy::ExposeSecret;

use self::answer::{Answer, Entry, Failure};
use self::endpoint::Endpoint;
use self::exchange::{Answered, Exchange};
use self::verdicts::{Misfits, Verdicts};
use super::Publish;
use super::classify::{code_of_status, one_line, scope_of, scope_of_entry};
use crate::arn::{self, TopicArn};
use crate::config;
use crate::outcome::{Fault, MessageId, Scope};
use crate::route::Notification;

/// Amazon SNS, or whatever speaks its protocol at `sns_host`.
#[derive(Debug, Clone)]
pub struct Sns {
    /// One for each access: endpoint and credentials.
    clients: BTreeMap<arn::Access, Client>,
    misfits: Rc<Misfits>,
}

/// What is reached by one access.
#[derive(Debug, Clone)]
struct Client {
    exchange: Rc<Exchange>,
    /// One for each region that a topic is in: an endpoint takes only its own region's ARNs.
    endpoints: BTreeMap<String, Result<Endpoint, String>>,
}

impl Sns {
    /// Gets ready for `topics`. Nothing is sent to SNS.
    pub async fn new(config: &config::Sns, topics: impl IntoIterator<Item = TopicArn>) -> Self {
        let mut by_access: BTreeMap<_, Vec<TopicArn>> = BTreeMap::new();
        for topic in topics {
            by_access.entry(topic.access()).or_default().push(topic);
        }
        let mut clients = BTreeMap::new();
        for (number, topics) in by_access {
            let access = config.access_to(&topics[0]);
            clients.insert(number, Client::new(config, access, &topics).await);
        }
        Self { clients, misfits: Rc::default() }
    }

    async fn ask(&self, topic: &TopicArn, form: String) -> Result<Answer, Fault> {
        let (exchange, endpoint) = self.way_to(topic)?;
        let Answered { status, body } = exchange.post(endpoint, form).await?;
        let answer = Answer::read(&body);
        if (200..300).contains(&status) {
            // One that can't be read tells nothing about whether SNS took the message.
            return answer.map_err(|_| Fault {
                scope: Scope::Transient,
                code: "response".to_owned(),
                detail: "SNS's answer is not the XML that it should be".to_owned(),
            });
        }
        let fault = refusal(status, answer.unwrap_or_default());
        if fault.scope == Scope::Service {
            exchange.forget_credentials();
        }
        Err(fault)
    }

    fn way_to(&self, topic: &TopicArn) -> Result<(&Exchange, &Endpoint), Fault> {
        let unknown = |detail| Fault { scope: Scope::Route, code: "region".to_owned(), detail };
        let client = self.clients.get(&topic.access());
        match client.and_then(|it| Some((it, it.endpoints.get(topic.region())?))) {
            Some((client, Ok(endpoint))) => Ok((&client.exchange, endpoint)),
            Some((_, Err(error))) => Err(unknown(one_line(error))),
            None => Err(unknown(format!("nothing was set up for the region of {topic}"))),
        }
    }
}

impl Client {
    async fn new(config: &config::Sns, access: &config::Access, topics: &[TopicArn]) -> Self {
        let shared = shared_config(config, access).await;
        let exchange = Rc::new(Exchange::new(config, shared.credentials_provider()));
        let regions: BTreeSet<_> = topics.iter().map(|topic| topic.region().to_owned()).collect();
        let mut endpoints = BTreeMap::new();
        for region in regions {
            let endpoint = Endpoint::resolve(&shared, &region, access.endpoint.as_ref()).await;
            endpoints.insert(region, endpoint);
        }
        Self { exchange, endpoints }
    }
}

impl Publish for Sns {
    async fn publish(&self, notification: &Notification) -> Result<MessageId, Fault> {
        let answer = self.ask(&notification.topic, form::publish(notification)).await?;
        verdicts::single(answer.message_id.unwrap_or_default(), &self.misfits)
    }

    async fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let answer = self.ask(&first.topic, form::publish_batch(&first.topic, batch)).await?;
        Ok(verdicts(answer.entries, batch.len()).in_order(&self.misfits))
    }

    /// Asks for the topic's attributes: it is there, and the credentials may see it.
    async fn find_topic(&self, topic: &TopicArn) -> Result<(), Fault> {
        self.ask(topic, form::get_topic_attributes(topic)).await.map(drop)
    }
}

/// HTTP 200 can carry failed entries.
fn verdicts(entries: Vec<Entry>, asked: usize) -> Verdicts {
    let mut verdicts = Verdicts::new(asked);
    for Entry { id, message_id, failure } in entries {
        match failure {
            None => verdicts.accepted(&id, message_id),
            Some(failure) => verdicts.failed(&id, fault_of_entry(failure)),
        }
    }
    verdicts
}

fn fault_of_entry(failure: Failure) -> Fault {
    Fault {
        scope: scope_of_entry(&failure.code, failure.sender_fault, &failure.message),
        detail: one_line(&failure.message),
        code: failure.code,
    }
}

fn refusal(status: u16, answer: Answer) -> Fault {
    let code = answer.code.unwrap_or_default();
    let detail = answer.message.unwrap_or_default();
    Fault {
        scope: scope_of(&code, status, &detail),
        detail: one_line(&detail),
        code: if code.is_empty() { code_of_status(status) } else { code },
    }
}

/// What the SDK finds in its environment, with our own keys in place of its credential chain
/// where the configuration has some.
async fn shared_config(config: &config::Sns, access: &config::Access) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let loader = match &access.credentials {
        Some(keys) => loader.credentials_provider(Credentials::new(
            keys.access_key_id.expose_secret(),
            keys.secret_access_key.expose_secret(),
            keys.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            None,
            "configuration",
        )),
        None => loader,
    };
    // Requests go to the region of their topic. Without one here the SDK would ask the instance's metadata.
    let region = config.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    loader.region(Region::new(region)).load().await
}
