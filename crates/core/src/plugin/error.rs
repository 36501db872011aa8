//! The error of a plugin that can't return a result.

use thiserror::Error;

use crate::untrusted::is_invisible;

/// How much of a plugin's explanation is kept, in characters: it becomes a header.
const LONGEST: usize = 512;

/// Why a plugin failed: one line for an operator, without any part of the event. The event's dead
/// letter contains it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct PluginError(String);

impl PluginError {
    /// Line breaks and the like become spaces; what is not seen is left out, and what is too long is cut.
    pub fn new(why: impl AsRef<str>) -> Self {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let visible = why.as_ref().chars().filter(|c| !is_invisible(*c));
        Self(visible.take(LONGEST).map(plain).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_line_of_bounded_length() {
        assert_eq!(PluginError::new("a\r\nb\tc\u{202e}").to_string(), "a  b c");
        assert_eq!(PluginError::new("ü".repeat(10_000)).to_string().chars().count(), LONGEST);
    }
}
