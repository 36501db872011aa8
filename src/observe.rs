//! Observability: counters, incidents, the state of each source, recent errors, traces.

pub mod incidents;
pub mod metrics;
pub mod monitor;
pub mod recent;
pub mod trace;
