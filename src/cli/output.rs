//! Prints to standard output and standard error, and remembers failed writes.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

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

/// For a reader of standard error to take what is printed last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Lines about why the program does not even start, after which it ends. A reader that stands still, as a log driver may,
/// keeps that waiting for a second at most: whoever starts the program again waits for its end.
pub(crate) fn print_refusal(lines: &str) {
    let (done, printed) = mpsc::channel();
    let owned = lines.to_owned();
    let printing = move || {
        print_error(&owned);
        let _ = done.send(());
    };
    match std::thread::Builder::new().name("refusal".to_owned()).spawn(printing) {
        Ok(_) => drop(printed.recv_timeout(LAST_WORDS)),
        Err(_) => print_error(lines),
    }
}

/// A value as a line of JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => print_line(&printable_json(&text)),
        Err(error) => print_error(&format!("cannot write this as JSON: {error}")),
    }
}
