//! Errors of other people's libraries, for ours.

use std::error::Error;

use crate::limits::LONGEST_SAID;
use crate::untrusted::one_line;

/// What happened, and why, without the request and the answer that `Debug` would show. Whoever is at the other
/// end may have chosen the words: they are one visible line, cut.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    one_line(&text, LONGEST_SAID)
}
