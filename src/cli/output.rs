//! Prints to standard output and standard error, and remembers failed writes.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::text::printable_json;

/// Whether something that was to be told could not be written.
static FAILED: AtomicBool = AtomicBool::new(false);

/// A line of what was asked for.
pub(crate) fn print_line(line: &str) {
    note(writeln!(anstream::stdout(), "{line}"));
}

/// What was asked for, as it is.
pub(crate) fn print_raw(text: &str) {
    note(io::stdout().write_all(text.as_bytes()));
}

/// Whether all that was said has reached standard output. To be asked at the end.
pub(crate) fn everything_is_printed() -> bool {
    note(io::stdout().flush());
    !FAILED.load(Ordering::Relaxed)
}

fn note(written: io::Result<()>) {
    // A reader that went away, as `| head` does, needs no more.
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
        && !FAILED.swap(true, Ordering::Relaxed)
    {
        print_error(&format!("cannot write to standard output: {error}"));
    }
}

/// A line about what is not as it should be.
pub(crate) fn print_error(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// A value as a line of JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => print_line(&printable_json(&text)),
        Err(error) => print_error(&format!("cannot write this as JSON: {error}")),
    }
}
