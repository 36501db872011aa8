//! Lines for whoever asked.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::text::printable_json;

/// Whether something that was to be told could not be written.
static FAILED: AtomicBool = AtomicBool::new(false);

/// A line of what was asked for.
pub(crate) fn say(line: &str) {
    note(writeln!(anstream::stdout(), "{line}"));
}

/// What was asked for, as it is.
pub(crate) fn say_plainly(text: &str) {
    note(io::stdout().write_all(text.as_bytes()));
}

/// Whether all that was said has reached standard output. To be asked at the end.
pub(crate) fn all_is_said() -> bool {
    note(io::stdout().flush());
    !FAILED.load(Ordering::Relaxed)
}

fn note(written: io::Result<()>) {
    // A reader that went away, as `| head` does, needs no more.
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
        && !FAILED.swap(true, Ordering::Relaxed)
    {
        complain(&format!("cannot write to standard output: {error}"));
    }
}

/// A line about what is not as it should be.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// A value as a line of JSON.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => say(&printable_json(&text)),
        Err(error) => complain(&format!("cannot write this as JSON: {error}")),
    }
}
