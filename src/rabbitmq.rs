//! RabbitMQ: the only room that speaks AMQP, and TLS with it.

pub mod browse;
pub mod connection;
pub mod consume;
pub mod headers;
pub mod inspect;
pub mod message;
pub mod publish;
pub mod topology;
