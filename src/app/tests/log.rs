//! What the worker logs while it is simulated, by the events' names.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;

/// Keeps lines, on the thread that began it.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Value>>>);

impl Log {
    /// Keeps what is logged from now on, until the guard goes.
    pub(super) fn begin(&self) -> DefaultGuard {
        let writer = self.clone();
        let lines = tracing_subscriber::fmt().json().flatten_event(true);
        let ours = EnvFilter::new("event_pusher_sns=info");
        let lines = lines.with_env_filter(ours).with_writer(move || writer.clone());
        tracing::subscriber::set_default(lines.finish())
    }

    /// All lines of an event.
    pub(super) fn all(&self, event: &str) -> Vec<Value> {
        self.0.lock().unwrap().iter().filter(|line| line["event"] == event).cloned().collect()
    }

    /// How many lines an event has.
    pub(super) fn count(&self, event: &str) -> usize {
        self.all(event).len()
    }
}

/// A line comes in one piece.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push(serde_json::from_slice(line)?);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
