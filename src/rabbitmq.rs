//! RabbitMQ: connections, consuming, publishing, browsing and topology; the only module that uses AMQP and its TLS.

pub mod browse;
mod caveats;
pub mod connection;
pub mod consume;
pub(crate) mod fleet;
pub mod headers;
pub mod inspect;
pub mod message;
pub(crate) mod priorities;
pub mod publish;
pub(crate) mod repartition;
pub mod topology;
