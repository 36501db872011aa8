//! What event-pusher-sns makes of an event: the half that is pure. It knows no broker, no cloud, no network, no
//! clock and no log, and the compiler keeps it so: this crate does not depend on them.
//!
//! ```text
//! Envelope ──> event ──> route (plugin) ──> outcome
//!              decode    Notification, or why there is none
//! ```

pub mod arn;
pub mod causes;
pub mod event;
pub mod forecast;
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
