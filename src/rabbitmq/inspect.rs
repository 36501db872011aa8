//! Inspects the broker for `check`: finds exchanges, queues and bindings, tries the user's permissions, and leaves nothing behind.

mod dead_letter_route;
mod needs;
mod partitions;
mod pausing;
mod queue;
mod rights;
mod set_permissions;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use lapin::Channel;

use self::needs::Resource;
use self::queue::Wanted;
use super::caveats::caveats;
use super::connection::Broker;
use super::topology;
use crate::config::{Amqp, AmqpUri, BROWSE_LOCK, Draft, Fleet, Key, Source, Tls};
use crate::outcome::SourceError;
use crate::rabbitmq::browse::limit::{self, Browsing};
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::tls;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::topology::arguments::QueueArguments;

/// What is wrong with the files for TLS, where a node is to be reached by it, or may be.
pub(crate) fn tls_files(draft: &Draft) -> Vec<Finding> {
    let amqp = &draft.config().amqp;
    let is_known = ["amqp.uri", "amqp.uris"].iter().all(|key| draft.is_sound(&Key::from(*key)));
    let may_be_tls = !is_known && amqp.tls != Tls::default();
    if !may_be_tls && !amqp.uris.iter().any(AmqpUri::is_tls) {
        return Vec::new();
    }
    tls::faults(&amqp.tls).into_iter().map(|error| Finding::bad(error.to_string())).collect()
}

/// Reports whether one can log in.
pub(crate) async fn login(broker: &Broker, report: &mut dyn FnMut(Finding)) {
    if let Some(connection) = connect(broker, report).await {
        // The process ends right after; a goodbye that fails changes no finding.
        ConfirmedPublisher::new(connection).close().await;
    }
}

async fn connect(broker: &Broker, report: &mut dyn FnMut(Finding)) -> Option<BrokerConnection> {
    match broker.connect("check").await {
        Ok(connection) => {
            let server = connection.server();
            report(Finding::good(format!("broker: connected and logged in to {server}")));
            for caveat in caveats(server, broker.config()) {
                report(Finding::good(format!("warning: {caveat}")));
            }
            Some(connection)
        }
        Err(error) => {
            report(Finding::bad(error.to_string()));
            None
        }
    }
}

/// Reports on the connection, then on each exchange and queue, on the way of dead letters, and on the user's permissions, also those for
/// the view of the `fleet` and for pausing, if it is known; these are not needed to run.
pub(crate) async fn inspect(
    broker: &Broker,
    fleet: Option<&Fleet>,
    report: &mut dyn FnMut(Finding),
) {
    let amqp = broker.config();
    let Some(connection) = connect(broker, report).await else { return };
    let inspector = Inspector {
        is_strict: connection.server().refuses_wrong_arguments(),
        publisher: ConfirmedPublisher::new(connection),
        amqp,
        broker,
        fleet,
        seen: RefCell::default(),
    };
    inspector.dead_letters(report).await;
    for source in &amqp.sources {
        report(inspector.exchange(source).await);
        report(inspector.queue(&Wanted::events(amqp, source)).await);
        match source.partitioning() {
            Some(partitioning) => inspector.partitions(source, partitioning, report).await,
            None if source.single_active && amqp.declare => {
                inspector.no_partitions(source).await.into_iter().for_each(&mut *report);
            }
            None => {}
        }
        if let Some(parking) = &source.parking {
            report(inspector.parking(source, parking).await);
            inspector.parked_priority(source, parking).into_iter().for_each(&mut *report);
        }
    }
    rights::inspect(&inspector, report).await;
    // The process ends right after; a goodbye that fails changes no finding.
    inspector.publisher.close().await;
}

struct Inspector<'a> {
    publisher: ConfirmedPublisher,
    amqp: &'a Amqp,
    broker: &'a Broker,
    fleet: Option<&'a Fleet>,
    /// The broker refuses wrong arguments, so that it can be asked by them.
    is_strict: bool,
    seen: RefCell<Seen>,
}

/// What was seen on the way.
#[derive(Debug, Default)]
struct Seen {
    /// Queues that are not there.
    missing: BTreeSet<String>,
    /// What the user may not look at.
    hidden: BTreeSet<Resource>,
    streams: BTreeSet<String>,
    /// Type and arguments of queues that are not as `run` would declare them, as far as they can be told.
    known: BTreeMap<String, QueueArguments>,
    /// Queues whose arguments limit their length.
    limited: BTreeSet<String>,
}

impl Inspector<'_> {
    /// A refusal closes its channel, so every question gets a new one.
    async fn channel(&self) -> Result<Channel, SourceError> {
        self.publisher.connection().channel().await
    }

    async fn dead_letters(&self, report: &mut dyn FnMut(Finding)) {
        let Amqp { dead_letter_exchange: exchange, dead_letter_queue: queue, .. } = self.amqp;
        report(self.dead_letter_exchange().await);
        report(self.queue(&Wanted::dead_letters(self.amqp)).await);
        if !self.is_stream(queue) {
            if let Some(finding) = self.looking(queue).await {
                report(finding);
            }
            report(self.dead_letter_route(exchange, queue).await);
        }
        if self.seen.borrow().limited.contains(queue) {
            return;
        }
        report(Finding::good(format!(
            "dead letters: no limit of the length of `{queue}` is visible, and a full disk of the broker blocks all \
             publishers; set an alert on the length (docs/dead-letters.md)"
        )));
    }

    fn is_stream(&self, queue: &str) -> bool {
        self.seen.borrow().streams.contains(queue)
    }

    async fn find_exchange(&self, exchange: &str) -> Result<(), SourceError> {
        topology::find_exchange(&self.channel().await?, exchange).await
    }

    async fn exchange(&self, source: &Source) -> Finding {
        let kind = source.exchange_type.into_str();
        let wanted = format!("exchange `{}` ({kind})", source.exchange);
        let found = self.find_exchange(&source.exchange).await;
        self.judge(&Resource::Exchange(source.exchange.clone()), &wanted, found, async {
            topology::declare_exchange(&self.channel().await?, source).await
        })
        .await
    }

    /// What is wrong with looking at the dead letters, or not known, if anything is.
    async fn looking(&self, queue: &str) -> Option<Finding> {
        topology::find_queue(&self.channel().await.ok()?, queue).await.ok()?;
        match limit::inspect(self.broker, self.publisher.connection(), queue).await {
            Ok(Browsing::Safe) => None,
            Ok(Browsing::Hidden) => Some(Finding::good(format!(
                "dead letters: can't tell whether `{queue}` can be browsed without loss: RabbitMQ shows its delivery limit only to a \
                 user with the configure permission on it. `run` does not need that; the `dead-letters` commands and the \
                 page's letters do, on `{queue}` and `{queue}{BROWSE_LOCK}`, and refuse to browse without it"
            ))),
            Ok(Browsing::Unmeasured(why)) => Some(Finding::good(format!(
                "dead letters: it could not be measured whether a policy sets a delivery limit for `{queue}` ({why}). \
                 Each browse of the queue counts as a delivery; browsing ends after ten deliveries of its letters"
            ))),
            Err(error) => Some(Finding::bad(format!("dead letters: {error}"))),
        }
    }

    async fn dead_letter_exchange(&self) -> Finding {
        let exchange = &self.amqp.dead_letter_exchange;
        let wanted = format!("exchange `{exchange}` (dead letters)");
        let found = self.find_exchange(exchange).await;
        self.judge(&Resource::Exchange(exchange.clone()), &wanted, found, async {
            topology::declare_dead_letter_exchange(&self.channel().await?, self.amqp).await
        })
        .await
    }

    /// What is there must be as configured, if `run` would declare it; declaring it again
    /// is how RabbitMQ compares, and creates nothing.
    async fn judge(
        &self,
        resource: &Resource,
        wanted: &str,
        found: Result<(), SourceError>,
        compare: impl Future<Output = Result<(), SourceError>>,
    ) -> Finding {
        match (found, self.amqp.declare) {
            (Ok(()), true) => match compare.await {
                Ok(()) => Finding::good(format!("{wanted}: exists, as configured")),
                Err(SourceError::AccessRefused(_)) => Finding::good(format!(
                    "{wanted}: exists; RabbitMQ compares it only for a user with the configure permission on it"
                )),
                Err(error) => Finding::bad(error.to_string()),
            },
            (Ok(()), false) => Finding::good(format!("{wanted}: exists, used as it is")),
            (Err(error), _) => self.absent(resource, wanted, error),
        }
    }

    /// What can't be looked at is not what isn't there.
    fn absent(&self, resource: &Resource, wanted: &str, error: SourceError) -> Finding {
        match error {
            SourceError::NotFound(said) => {
                if let Resource::Queue(queue) = resource {
                    self.seen.borrow_mut().missing.insert(queue.clone());
                }
                if let Resource::Exchange(exchange) = resource
                    && exchange.starts_with("amq.")
                {
                    return Finding::bad(format!(
                        "{said}; names that begin with `amq.` are RabbitMQ's own, and it creates no further ones: set the source's \
                         exchange to an existing one, or to another name"
                    ));
                }
                if self.amqp.declare {
                    return Finding::good(format!(
                        "{wanted}: does not exist yet; `run` declares it"
                    ));
                }
                Finding::bad(format!(
                    "{said}; create it, or set amqp.declare = true to let `run` create it"
                ))
            }
            SourceError::AccessRefused(_) => {
                self.seen.borrow_mut().hidden.insert(resource.clone());
                Finding::good(format!(
                    "{wanted}: can't tell whether it exists: the user may not look at it"
                ))
            }
            SourceError::ResourceLocked(said) => Finding::bad(said),
            other => Finding::bad(format!("{wanted}: can't tell whether it exists: {other}")),
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
