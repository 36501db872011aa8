//! Takes chat events from RabbitMQ, publishes them to Amazon SNS, and acknowledges only
//! what SNS has accepted.
//!
//! One event, one way:
//!
//! ```text
//! source ──> event ──> route ──> publisher ──> outcome ──> settle
//! Envelope   Event     Notification  policy · retry · batch · sns    ack, or dead letter and ack
//! ```
//!
//! [`worker`] takes deliveries and drains, [`relay`] is that way in one function. `event`,
//! `route`, `plugin` and `outcome` are pure: they know neither broker nor cloud nor clock.

#[doc(inline)]
pub use event_pusher_core::{arn, event, forecast, outcome, plugin, route, schema};
use event_pusher_core::{limits, panics, untrusted};

mod admin;
pub mod app;
mod causes;
mod check;
mod cli;
pub mod config;
pub mod dead_letters;
mod descriptors;
mod feed;
pub mod hold;
mod import;
pub mod metrics;
pub mod monitor;
mod operator;
mod pace;
mod pause;
mod progress;
pub mod publisher;
pub mod recent;
pub mod relay;
mod say;
pub mod settle;
pub mod signature;
pub mod source;
pub mod trace;
mod trial;
mod words;
pub mod worker;
