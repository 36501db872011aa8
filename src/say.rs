//! Lines for whoever asked.

use std::io::Write;

use crate::dead_letters::text::printable_json;

/// A line of what was asked for.
pub(crate) fn say(line: &str) {
    // A reader that went away, as `| head` does, needs no more.
    let _ = writeln!(anstream::stdout(), "{line}");
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
