//! Consumes chat events from RabbitMQ, publishes them to Amazon SNS, and acknowledges an event only when
//! SNS has accepted it.
//!
//! The path of an event:
//!
//! ```text
//! rabbitmq ──> event ──> route ──> publish ──> sns ──> outcome ──> settle
//! Envelope     Event     Notifi-   fault       request             ack, or dead letter and ack
//!                        cation    policy,
//!                                  retry, batch
//! ```
//!
//! The layers, from the top down; each knows only those below it:
//!
//! - [`app`]: start and wiring: environment, signals, logging, exit status.
//! - `cli`: the commands, a module each, and what they print.
//! - `admin`: health, metrics and the page, over HTTP.
//! - [`dead_letters`]: looking at dead letters, replaying, exporting, importing and discarding them.
//! - [`rabbitmq`]: all that speaks AMQP: connections, consuming, publishing, browsing, topology, headers.
//! - [`sns`]: one request to SNS, its signature, and what its answer means.
//! - [`pipeline`]: the way of a delivery, and the port that it comes by.
//! - [`publish`]: what waits before a request: holds, retries, batches, per-key queues; and the port to SNS.
//! - [`fleet`]: what the workers of a fleet know together: what is paused by hand.
//! - [`observe`]: counters, the state of each source, recent errors, traces.
//! - [`config`]: files and environment into one validated configuration.
//! - The crate `event_pusher_core`: [`event`], [`route`], [`plugin`], [`outcome`]; pure: they know neither broker nor
//!   cloud nor clock.
//! - The crate `event_pusher_import`: MongooseIM's configuration into ours; pure, too.

use event_pusher_core::{
    address, error_chain, headers, limits, nearest, panics, pause, priority, replay, signature,
    text, untrusted,
};
#[doc(inline)]
pub use event_pusher_core::{arn, dry_run, event, outcome, plugin, route, schema};

mod admin;
pub mod app;
mod cli;
pub mod config;
pub mod dead_letters;
pub mod fleet;
pub mod observe;
pub mod pipeline;
pub mod publish;
pub mod rabbitmq;
pub mod sns;
