//! Inspects the broker for `check`: finds exchanges, queues and bindings, and leaves nothing behind.

use lapin::{BasicProperties, Channel};

use super::connection::Broker;
use super::topology;
use crate::config::{Amqp, AmqpUri, Parking, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::browse::limit;
use crate::rabbitmq::connection::tls;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::publish::error::PublishError;
use crate::rabbitmq::topology::queue_state::QueueState;

/// What is wrong with the files for TLS, where a node is to be reached by it.
pub(crate) fn tls_files(amqp: &Amqp) -> Option<Finding> {
    if !amqp.uris.iter().any(AmqpUri::is_tls) {
        return None;
    }
    tls::connector(&amqp.tls).err().map(|error| Finding::bad(error.to_string()))
}

/// Reports on the connection, then on each exchange and queue, then on the way of dead letters.
pub(crate) async fn inspect(broker: &Broker, report: &mut dyn FnMut(Finding)) {
    let amqp = broker.config();
    let connection = match broker.connect("check").await {
        Ok(connection) => connection,
        Err(error) => return report(Finding::bad(error.to_string())),
    };
    report(Finding::good("RabbitMQ: connected and logged in"));
    let inspector = Inspector { publisher: ConfirmedPublisher::new(connection), amqp };
    let exchange = &amqp.dead_letter_exchange;
    let queue = &amqp.dead_letter_queue;
    report(inspector.dead_letter_exchange().await);
    let arguments = topology::dead_letter_arguments(amqp);
    report(inspector.queue(queue, arguments).await);
    if let Some(finding) = inspector.looking(broker, queue).await {
        report(finding);
    }
    report(inspector.dead_letter_route(exchange, queue).await);
    report(Finding::good(format!(
        "dead letters: no limit of the length of `{queue}` is visible, and a full disk of the broker blocks all \
         publishers; set an alert on the length (docs/dead-letters.md)"
    )));
    for source in &amqp.sources {
        report(inspector.exchange(source).await);
        report(inspector.queue(&source.queue, topology::queue_arguments(amqp)).await);
        if let Some(parking) = &source.parking {
            report(inspector.parking(source, parking).await);
        }
    }
    // The process ends right after; a goodbye that fails changes no finding.
    inspector.publisher.close().await;
}

struct Inspector<'a> {
    publisher: ConfirmedPublisher,
    amqp: &'a Amqp,
}

impl Inspector<'_> {
    /// A refusal closes its channel, so every question gets a new one.
    async fn channel(&self) -> Result<Channel, SourceError> {
        self.publisher.connection().channel().await
    }

    async fn exchange(&self, source: &Source) -> Finding {
        let kind = source.exchange_type.into_str();
        let found = match self.channel().await {
            Ok(channel) => topology::find_exchange(&channel, &source.exchange).await,
            Err(error) => Err(error),
        };
        let wanted = format!("exchange `{}` ({kind})", source.exchange);
        self.judge(&wanted, found, async {
            topology::declare_exchange(&self.channel().await?, source).await
        })
        .await
    }

    async fn queue(&self, queue: &str, arguments: lapin::types::FieldTable) -> Finding {
        let found = match self.channel().await {
            Ok(channel) => topology::find_queue(&channel, queue).await,
            Err(error) => Err(error),
        };
        let wanted = format!("queue `{queue}` ({})", self.amqp.queue_type.into_str());
        self.judge(&wanted, found, async {
            topology::declare_queue(&self.channel().await?, queue, arguments).await
        })
        .await
    }

    /// What is wrong with looking at the dead letters, or not known, if anything is.
    async fn looking(&self, broker: &Broker, queue: &str) -> Option<Finding> {
        topology::find_queue(&self.channel().await.ok()?, queue).await.ok()?;
        match limit::inspect(broker, self.publisher.connection(), queue).await {
            Ok(None) => None,
            Ok(Some(why)) => Some(Finding::good(format!(
                "dead letters: it could not be measured whether a policy sets a delivery limit for `{queue}` ({why}). \
                 Each browse of the queue counts as a delivery; browsing ends after ten deliveries of its letters"
            ))),
            Err(error) => Some(Finding::bad(format!("dead letters: {error}"))),
        }
    }

    /// `run` can do without, but a held topic has consequences then.
    async fn parking(&self, source: &Source, parking: &Parking) -> Finding {
        let (queue, home) = (&parking.queue, &source.queue);
        let found = self.queue(queue, topology::parking_arguments(self.amqp, home)).await;
        if found.good || self.amqp.declare {
            return found;
        }
        Finding::good(format!(
            "queue `{queue}` (events of held topics): does not exist, so a held topic will keep the source's other \
             topics waiting; to avoid that, create the queue, durable, with x-dead-letter-exchange \"\" and \
             x-dead-letter-routing-key \"{home}\""
        ))
    }

    async fn dead_letter_exchange(&self) -> Finding {
        let exchange = &self.amqp.dead_letter_exchange;
        let found = match self.channel().await {
            Ok(channel) => topology::find_exchange(&channel, exchange).await,
            Err(error) => Err(error),
        };
        let wanted = format!("exchange `{exchange}` (dead letters)");
        self.judge(&wanted, found, async {
            topology::declare_dead_letter_exchange(&self.channel().await?, self.amqp).await
        })
        .await
    }

    /// What is there must be as configured, if `run` would declare it; declaring it again
    /// is how RabbitMQ compares, and creates nothing.
    async fn judge(
        &self,
        wanted: &str,
        found: Result<(), SourceError>,
        compare: impl Future<Output = Result<(), SourceError>>,
    ) -> Finding {
        match (found, self.amqp.declare) {
            (Ok(()), true) => match compare.await {
                Ok(()) => Finding::good(format!("{wanted}: exists, as configured")),
                Err(error) => Finding::bad(error.to_string()),
            },
            (Ok(()), false) => Finding::good(format!("{wanted}: exists, used as it is")),
            (Err(error), true) if error.is_not_found() => {
                Finding::good(format!("{wanted}: does not exist yet; `run` declares it"))
            }
            (Err(error), _) => Finding::bad(format!(
                "{error}; create it, or set amqp.declare = true to let `run` create it"
            )),
        }
    }

    /// Publishes a message that expires at once, mandatory, to see whether it is routed. Not
    /// where dead letters wait: behind those it would stay, since messages expire at a queue's head.
    async fn dead_letter_route(&self, exchange: &str, queue: &str) -> Finding {
        if let Ok(channel) = self.channel().await
            && let Ok(QueueState { ready: waiting @ 1.., .. }) =
                QueueState::confirmed(&channel, queue).await
        {
            return Finding::good(format!("dead letters: {waiting} wait in `{queue}`"));
        }
        match self.probe(exchange).await {
            Ok(true) => Finding::good(format!("dead letters: `{exchange}` reaches a queue")),
            unbound
                if self.amqp.declare
                    && unbound.as_ref().err().is_none_or(SourceError::is_not_found) =>
            {
                Finding::good(format!("dead letters: `run` binds `{queue}` to `{exchange}`"))
            }
            Ok(false) => Finding::bad(format!(
                "dead letters: no queue is bound to `{exchange}`; bind `{queue}` to it"
            )),
            Err(error) => Finding::bad(format!("dead letters: {error}")),
        }
    }

    async fn probe(&self, exchange: &str) -> Result<bool, SourceError> {
        let expired = BasicProperties::default().with_expiration("0".into());
        match self.publisher.publish_unless_blocked((exchange, ""), (b"", expired)).await {
            Ok(()) => Ok(true),
            Err(PublishError::Unroutable | PublishError::Refused) => Ok(false),
            Err(PublishError::Lost(error)) => {
                Err(error.reworded(|said| format!("publishing to `{exchange}`: {said}")))
            }
        }
    }
}

/// One line of a report on what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) good: bool,
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn good(text: impl Into<String>) -> Self {
        Self { good: true, text: text.into() }
    }

    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self { good: false, text: text.into() }
    }
}
