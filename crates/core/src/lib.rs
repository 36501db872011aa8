//! The pure half of event-pusher-sns: decodes, routes and renders an event, without broker, cloud, network,
//! clock and log. The crate depends on no library for these, and `tests/layers.rs` of the program forbids those parts of
//! the standard library.
//!
//! ```text
//! Envelope ──> event ──> route (plugin) ──> outcome
//!              decode    Notification, or why there is none
//! ```

pub mod address;
pub mod arn;
pub mod dry_run;
pub mod error_chain;
pub mod event;
pub mod headers;
pub mod limits;
pub mod nearest;
pub mod outcome;
pub mod panics;
pub mod pause;
pub mod plugin;
pub mod priority;
pub mod replay;
pub mod route;
pub mod schema;
pub mod signature;
pub mod text;
pub mod untrusted;
