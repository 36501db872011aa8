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

mod admin;
pub mod app;
pub mod arn;
mod causes;
mod check;
mod cli;
pub mod config;
pub mod dead_letters;
mod descriptors;
pub mod event;
mod feed;
pub mod forecast;
pub mod hold;
mod import;
mod limits;
pub mod metrics;
pub mod monitor;
mod operator;
pub mod outcome;
mod pace;
mod panics;
mod pause;
pub mod plugin;
mod progress;
pub mod publisher;
pub mod recent;
pub mod relay;
pub mod route;
mod say;
pub mod schema;
pub mod settle;
pub mod signature;
pub mod source;
pub mod trace;
mod trial;
mod untrusted;
mod words;
pub mod worker;
