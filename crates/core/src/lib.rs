//! What event-pusher-sns makes of an event: the half that is pure. It knows no broker, no cloud, no network, no
//! clock and no log. The compiler keeps libraries for them out, since this crate does not depend on any, and
//! `tests/layers.rs` of the program what the standard library has.
//!
//! ```text
//! Envelope ──> event ──> route (plugin) ──> outcome
//!              decode    Notification, or why there is none
//! ```

pub mod arn;
pub mod dry_run;
pub mod error_chain;
pub mod event;
pub mod headers;
pub mod limits;
pub mod outcome;
pub mod panics;
pub mod pause;
pub mod plugin;
pub mod route;
pub mod schema;
pub mod signature;
pub mod text;
pub mod untrusted;
