//! The error chain of a library as one line.

use std::error::Error;

use crate::limits::LONGEST_SAID;
use crate::untrusted::one_line;

/// The error and its causes, without the request and the answer that `Debug` would show. The texts are
/// untrusted, so they are sanitized: one visible line, truncated.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    one_line(&text, LONGEST_SAID)
}
