//! The brokers that a source was connected to: each is named in the log once, and the last one on the page. The nodes of a cluster may have several versions.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Amqp;
use crate::observe::monitor::{Monitor, SeenBroker};
use crate::rabbitmq::caveats::caveats;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;

/// Those of former sessions, by what they say that they are; and the last one.
#[derive(Debug, Default)]
pub(super) struct SeenBrokers(RefCell<(BTreeMap<String, Arc<SeenBroker>>, String)>);

/// So many are remembered. Each broker says what it is, and may say something else each time.
const MOST: usize = 16;

impl SeenBrokers {
    /// The source of this name is connected to it. Returns whether it is another broker, or version, than before. The first source
    /// logs for all what is weaker there.
    pub(super) fn note(
        &self,
        connection: &BrokerConnection,
        amqp: &Amqp,
        source: &str,
        monitor: Option<&Monitor>,
    ) -> bool {
        let name = connection.server().to_string();
        let (seen, last) = &mut *self.0.borrow_mut();
        let is_another = *last != name;
        if !seen.contains_key(&name) {
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
            if seen.len() == MOST {
                seen.clear();
            }
            seen.insert(name.clone(), Arc::new(SeenBroker { name: name.clone(), caveats }));
        }
        if let (Some(monitor), Some(broker)) = (monitor, seen.get(&name)) {
            monitor.is_on(Arc::clone(broker));
        }
        *last = name;
        is_another
    }
}
