//! Who sends a request.

use std::fmt;

use crate::config::ADMIN;

/// The authenticated sender of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admin::page) enum Principal {
    Anyone,
    /// The operator whose token was sent along.
    Token(String),
    /// Somebody who logged in, by the beginning of the session's id, and the operator whose token it was.
    Session(String, String),
}

impl Principal {
    /// The name of the operator.
    pub(in crate::admin::page) fn operator(&self) -> &str {
        match self {
            Self::Anyone => "anyone",
            Self::Token(operator) | Self::Session(_, operator) => operator,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Token(operator) if operator == ADMIN => f.write_str("token"),
            Self::Session(id, operator) if operator == ADMIN => write!(f, "session {id}"),
            Self::Token(operator) => write!(f, "token of {operator}"),
            Self::Session(id, operator) => write!(f, "session {id} of {operator}"),
        }
    }
}
