//! Observability: counters, incidents, the state of each source, recent errors, the last warnings of the log, traces.

pub mod incidents;
pub mod metrics;
pub mod monitor;
pub mod recent;
pub mod recent_log;
pub mod trace;
