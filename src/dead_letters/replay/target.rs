//! Where a replay sends dead letters.

use std::fmt;

/// Where dead letters are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Straight to the queue that each came from: no other consumer sees it again.
    SourceQueue,
    /// Straight to this queue.
    Queue(String),
    /// To the exchange that each was published to, under its routing key.
    SourceExchange,
    /// To this exchange, each under its routing key.
    Exchange(String),
}

/// An exchange and a routing key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The default exchange has no name: it leads to the queue that the routing key names.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
}

impl Address {
    /// The queue that it leads to, where that is known.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        self.exchange.is_empty().then_some(&self.routing_key)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exchange.is_empty() {
            write!(f, "queue `{}`", self.routing_key)
        } else {
            write!(f, "exchange `{}`", self.exchange)
        }
    }
}
