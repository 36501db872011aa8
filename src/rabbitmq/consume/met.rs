//! The broker that a source has met: said in the log and on the page, once until it is another one.

use std::cell::RefCell;
use std::sync::Arc;

use crate::config::Amqp;
use crate::observe::monitor::{Monitor, SeenBroker};
use crate::rabbitmq::caveats::caveats;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// The broker of the last session.
#[derive(Debug, Default)]
pub(super) struct Met(RefCell<Option<Arc<SeenBroker>>>);

impl Met {
    /// The source of this name is connected to it. Returns whether it is another broker, or version, than before. The first source
    /// logs for all what is weaker there.
    pub(super) fn meet(
        &self,
        connection: &BrokerConnection,
        amqp: &Amqp,
        source: &str,
        monitor: Option<&Monitor>,
    ) -> bool {
        let name = connection.server().to_string();
        let mut met = self.0.borrow_mut();
        let is_another = met.as_ref().is_none_or(|it| it.name != name);
        if is_another {
            let caveats = caveats(connection.server(), amqp);
            let is_first = amqp.sources.first().is_some_and(|it| it.name == source);
            for caveat in caveats.iter().filter(|_| is_first) {
                tracing::warn!(
                    event = "broker_caveat",
                    broker = name,
                    caveat,
                    "a promise of this program is weaker on this broker"
                );
            }
            *met = Some(Arc::new(SeenBroker { name, caveats }));
        }
        if let (Some(monitor), Some(met)) = (monitor, &*met) {
            monitor.is_on(Arc::clone(met));
        }
        is_another
    }
}
