//! What can be seen from outside: counters, the state of each source, recent errors, traces. It knows nobody who counts.

pub mod metrics;
pub mod monitor;
pub mod recent;
pub mod trace;
