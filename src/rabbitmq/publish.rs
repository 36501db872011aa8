//! Publishes to RabbitMQ: mandatory and confirmed.

pub(crate) mod alarm;
pub(in crate::rabbitmq) mod byte_budget;
pub(crate) mod confirm_channel;
pub(crate) mod confirmed_publisher;
pub mod dead_letter_publisher;
pub(crate) mod error;
pub(in crate::rabbitmq) mod outcome_reports;
mod parking;
pub(in crate::rabbitmq) mod pending_confirms;
mod trouble;
