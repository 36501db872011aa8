//! Errors of other people's libraries, for ours.

use std::error::Error;

/// What happened, and why, without the request and the answer that `Debug` would show.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
