//! Connections to RabbitMQ, and its refusals as texts for operators.

pub mod broker_connection;
pub(crate) mod bytes;
pub(crate) mod refusal;
pub(crate) mod tls;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::uri::AMQPUri;
use lapin::{Channel, ConnectionProperties};
use tokio::time::{sleep, timeout};

use self::broker_connection::BrokerConnection;
use self::refusal::{explain_connecting, refused};
pub(crate) use self::wire::Server;
use crate::config::{Amqp, AmqpUri};
use crate::outcome::SourceError;

/// For one try of one node: TCP, TLS, and AMQP's handshake. A URI may ask for another
/// (`connection_timeout`, in milliseconds).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A node that has not answered by then is not alone any more: the next one is tried beside it. One that is switched off says nothing,
/// while a handshake of one that runs rarely takes as long.
const NEXT_NODE_AFTER: Duration = Duration::from_secs(2);

/// For one answer of the broker. A channel that publishes right after its queue's leader
/// has died may get neither ack nor nack, so nothing is awaited without a bound.
pub(in crate::rabbitmq) const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// What a connection is told that publishes while the broker has no room.
pub(in crate::rabbitmq) const BLOCKED: &str =
    "RabbitMQ has a memory or disk alarm and blocks who publishes; make room there";

/// Seconds between heartbeats, where the URI asks for no other: a silent network is
/// noticed after two.
pub(in crate::rabbitmq) const HEARTBEAT: u16 = 15;

/// A broker: one node, or several of a cluster.
#[derive(Debug, Clone)]
pub struct Broker {
    amqp: Amqp,
    name: String,
    /// The place of the node that took the last connection.
    last: Arc<AtomicUsize>,
}

impl Broker {
    /// `name` is how the connections show on RabbitMQ's side.
    #[must_use]
    pub fn new(amqp: Amqp, name: String) -> Self {
        Self { amqp, name, last: Arc::default() }
    }

    /// The configuration that it was made from.
    #[must_use]
    pub fn config(&self) -> &Amqp {
        &self.amqp
    }

    /// How this worker calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of the node that took the last connection.
    pub(in crate::rabbitmq) fn last_uri(&self) -> Option<&AmqpUri> {
        self.amqp.uris.get(self.last.load(Ordering::Relaxed))
    }

    /// Connects to the first node that answers, beginning with the one that did last; one that is silent is soon not waited for
    /// alone. Recovery is off: lapin's own can hang for ever after a kill of the broker, and it would keep receipts that are void.
    ///
    /// # Errors
    ///
    /// What each node said, if none took the connection.
    pub async fn connect(&self, purpose: &str) -> Result<BrokerConnection, SourceError> {
        let uris = &self.amqp.uris;
        let last = self.last.load(Ordering::Relaxed);
        let mut steps = 0..uris.len();
        let mut refusals = BTreeMap::new();
        let mut tries = FuturesUnordered::new();
        loop {
            if let Some(step) = steps.next() {
                let index = (last + step) % uris.len();
                tries.push(
                    async move { (step, index, self.connect_to(&uris[index], purpose).await) },
                );
            }
            tokio::select! {
                answer = tries.next() => match answer {
                    Some((_, index, Ok(connection))) => {
                        self.last.store(index, Ordering::Relaxed);
                        return Ok(connection);
                    }
                    Some((step, index, Err(refusal))) => {
                        refusals.insert(step, format!("{}: {refusal}", uris[index]));
                    }
                    None => break,
                },
                () = sleep(NEXT_NODE_AFTER), if !steps.is_empty() => {}
            }
        }
        let refusals: Vec<_> = refusals.into_values().collect();
        Err(SourceError::Failed(format!("cannot connect to RabbitMQ at {}", refusals.join("; "))))
    }

    async fn connect_to(&self, uri: &AmqpUri, purpose: &str) -> Result<BrokerConnection, String> {
        let mut parsed: AMQPUri = uri.expose().parse()?;
        parsed.query.heartbeat.get_or_insert(HEARTBEAT);
        let tls = uri.is_tls().then(|| tls::connector(&self.amqp.tls)).transpose();
        let tls = tls.map_err(|error| error.to_string())?;
        let patience =
            parsed.query.connection_timeout.map_or(CONNECT_TIMEOUT, Duration::from_millis);
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("{} {purpose}", self.name).into());
        let opening = BrokerConnection::open(parsed, uri.host(), properties, tls.as_ref());
        match timeout(patience, opening).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(explain_connecting(&error, &self.amqp.tls, tls.is_some())),
            Err(_) => Err(format!("no answer within {patience:?}")),
        }
    }
}

/// Bounds one call to the broker and puts its failure into words.
pub(in crate::rabbitmq) async fn bounded<T>(
    what: &str,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, SourceError> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(refused(&error, |said| format!("{what}: {said}"))),
        Err(_) => {
            let seconds = CALL_TIMEOUT.as_secs();
            Err(SourceError::Failed(format!(
                "{what}: the broker did not answer within {seconds} s"
            )))
        }
    }
}

/// Does something on a channel of its own, which a refusal closes.
pub(in crate::rabbitmq) async fn on_channel(
    connection: &BrokerConnection,
    what: impl AsyncFnOnce(&Channel) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let channel = connection.channel().await?;
    what(&channel).await?;
    bounded("closing a channel", channel.close(200, "bye".into())).await
}
