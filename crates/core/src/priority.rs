//! The priority that an event had before this program gave it another one, as the text of a header.

use std::fmt;
use std::str::FromStr;

/// A priority of AMQP, or that there was none: RabbitMQ does not treat these alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalPriority(pub Option<u8>);

/// The text of an event that had no priority.
const NONE: &str = "none";

/// The text is no priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPriority;

impl fmt::Display for OriginalPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(priority) => write!(f, "{priority}"),
            None => f.write_str(NONE),
        }
    }
}

impl FromStr for OriginalPriority {
    type Err = NotAPriority;

    fn from_str(text: &str) -> Result<Self, NotAPriority> {
        let read = match text {
            NONE => Self(None),
            number => Self(Some(number.parse().map_err(|_| NotAPriority)?)),
        };
        // One way to write each: no signs, no further zeros.
        Some(read).filter(|read| read.to_string() == text).ok_or(NotAPriority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_priority_has_one_text_and_nothing_else_is_one() {
        for priority in [None, Some(0), Some(7), Some(255)].map(OriginalPriority) {
            assert_eq!(priority.to_string().parse(), Ok(priority));
        }
        for other in ["", "None", "256", "-1", "+7", "07", " 7", "7.0", &"9".repeat(1000)] {
            assert_eq!(other.parse::<OriginalPriority>(), Err(NotAPriority), "{other:?}");
        }
    }
}
