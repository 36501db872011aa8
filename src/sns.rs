//! Requests to Amazon SNS, and what their answers mean.

mod confidential;
mod credentials;
mod endpoint;
mod entry_results;
mod form;
mod masked;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use secrecy::ExposeSecret;

use self::confidential::{Confidential, entry_results, refusal};
use self::credentials::DefaultChain;
use self::endpoint::Endpoint;
use self::entry_results::MismatchLog;
use self::request::{Answered, Requester};
use self::response::SnsResponse;
use crate::arn::TopicArn;
use crate::limits::LONGEST_SAID;
use crate::outcome::{Fault, MessageId, Scope};
use crate::publish::Publish;
use crate::route::Notification;
use crate::untrusted::one_line;
use crate::{arn, config};

/// Amazon SNS, or a compatible service at `sns_host`.
#[derive(Debug, Clone)]
pub struct Sns {
    /// One for each access: endpoint and credentials.
    clients: BTreeMap<arn::AccessId, Client>,
    mismatches: Rc<MismatchLog>,
}

/// What is reached by one access.
#[derive(Debug, Clone)]
struct Client {
    requester: Rc<Requester>,
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
        // Together they keep no more connections than may have a request.
        let ways: BTreeSet<_> = by_access
            .values()
            .flatten()
            .map(|topic| (topic.access(), topic.region().to_owned()))
            .collect();
        let idle = usize::from(config.pool_size).div_ceil(ways.len().max(1));
        let mut clients = BTreeMap::new();
        for (number, topics) in by_access {
            let access = config.access_to(&topics[0]);
            clients.insert(number, Client::new(config, access, &topics, idle).await);
        }
        Self { clients, mismatches: Rc::default() }
    }

    /// `events` are those of the form, which no fault shows.
    async fn ask<'a>(
        &self,
        topic: &TopicArn,
        form: String,
        events: &'a [&'a Notification],
    ) -> Result<(SnsResponse, Confidential<'a>), Fault> {
        let (requester, endpoint) = self.client_for(topic)?;
        let Answered { status, body, signed_with } = requester.post(endpoint, form).await?;
        let confidential = Confidential { events, signed_with };
        let answer = SnsResponse::read(&body);
        if (200..300).contains(&status) {
            // One that can't be read tells nothing about whether SNS took the message.
            return answer.map(|it| (it, confidential)).map_err(|_| Fault {
                scope: Scope::Transient,
                code: "response".to_owned(),
                detail: "SNS's answer is not the XML that it should be".to_owned(),
            });
        }
        let fault = refusal(status, answer.unwrap_or_default(), &confidential);
        if fault.scope == Scope::Service {
            requester.forget_credentials();
        }
        Err(fault)
    }

    fn client_for(&self, topic: &TopicArn) -> Result<(&Requester, &Endpoint), Fault> {
        let unknown = |detail| Fault { scope: Scope::Route, code: "region".to_owned(), detail };
        let client = self.clients.get(&topic.access());
        match client.and_then(|it| Some((it, it.endpoints.get(topic.region())?))) {
            Some((client, Ok(endpoint))) => Ok((&client.requester, endpoint)),
            Some((_, Err(error))) => Err(unknown(one_line(error, LONGEST_SAID))),
            None => Err(unknown(format!("nothing was set up for the region of {topic}"))),
        }
    }
}

impl Client {
    async fn new(
        config: &config::Sns,
        access: &config::Access,
        topics: &[TopicArn],
        idle: usize,
    ) -> Self {
        let shared = shared_config(config, access).await;
        let requester = Rc::new(Requester::new(config, shared.credentials_provider(), idle));
        let regions: BTreeSet<_> = topics.iter().map(|topic| topic.region().to_owned()).collect();
        let mut endpoints = BTreeMap::new();
        for region in regions {
            let endpoint = Endpoint::resolve(&shared, &region, access.endpoint.as_ref()).await;
            endpoints.insert(region, endpoint);
        }
        Self { requester, endpoints }
    }
}

impl Publish for Sns {
    async fn publish(&self, notification: &Notification) -> Result<MessageId, Fault> {
        let form = form::publish(notification);
        let (answer, _) = self.ask(&notification.topic, form, &[notification]).await?;
        entry_results::single(answer.message_id.unwrap_or_default(), &self.mismatches)
    }

    async fn publish_batch(
        &self,
        batch: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let form = form::publish_batch(&first.topic, batch);
        let (answer, confidential) = self.ask(&first.topic, form, batch).await?;
        Ok(entry_results(answer.entries, batch.len(), &confidential).in_order(&self.mismatches))
    }

    /// Asks for the topic's attributes: it is there, and the credentials may see it.
    async fn find_topic(&self, topic: &TopicArn) -> Result<(), Fault> {
        self.ask(topic, form::get_topic_attributes(topic), &[]).await.map(drop)
    }
}

/// What the SDK finds in its environment, with our own keys in place of its credential chain
/// where the configuration has some.
async fn shared_config(config: &config::Sns, access: &config::Access) -> SdkConfig {
    // Requests go to the region of their topic. Without one here the SDK would ask the instance's metadata.
    let region = config.account.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    let region = Region::new(region);
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let loader = match &access.credentials {
        Some(keys) => loader.credentials_provider(Credentials::new(
            keys.access_key_id.expose_secret(),
            keys.secret_access_key.expose_secret(),
            keys.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            None,
            "configuration",
        )),
        None => loader.credentials_provider(DefaultChain::new(region.clone()).await),
    };
    loader.region(region).load().await
}
