//! Observability: counters, the state of each source, recent errors, traces.

pub mod metrics;
pub mod monitor;
pub mod recent;
pub mod trace;
