//! What can go wrong, and when.

use std::time::Duration;

/// What goes wrong with a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFault {
    /// Nothing is accepted, and the answer has this HTTP status. Without a code it has no
    /// error document either, as from a proxy in between.
    Refused { status: u16, code: &'static str },
    /// Nothing is accepted, and no answer ever comes.
    Silence,
    /// All is accepted, but the connection is reset in the middle of the answer.
    Reset,
    /// Nothing is accepted, and the answer is a success that makes no sense.
    Garbage,
    /// All is accepted, and the answer comes byte by byte with such a pause after each.
    Drip { pause: Duration },
}

impl RequestFault {
    pub const INTERNAL_ERROR: Self = Self::Refused { status: 500, code: "InternalError" };
    pub const THROTTLING: Self = Self::Refused { status: 400, code: "Throttling" };
    pub const TOO_MANY_REQUESTS: Self = Self::Refused { status: 429, code: "" };
    pub const UNAVAILABLE: Self = Self::Refused { status: 503, code: "" };
    pub const NOT_AUTHORISED: Self = Self::Refused { status: 403, code: "AuthorizationError" };
    pub const EXPIRED_TOKEN: Self = Self::Refused { status: 403, code: "ExpiredToken" };
    pub const INVALID_TOKEN: Self = Self::Refused { status: 403, code: "InvalidClientTokenId" };
    pub const NOT_FOUND: Self = Self::Refused { status: 404, code: "NotFound" };
}

/// What goes wrong with one entry of a batch. Where nothing else is said it is not accepted, so
/// that whoever takes such an answer for a success has lost a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFault {
    /// Named among the failed. A single publish is refused, with 400 for the sender's fault
    /// and 500 otherwise.
    Failed { code: &'static str, sender_fault: bool },
    /// Not named at all. A single publish gets an answer without a message id.
    Omitted,
    /// Instead of its id the answer has one that nobody sent. For a single publish as above.
    Renamed,
    /// Named among the successful, with an empty message id; also of a single publish.
    WithoutMessageId,
    /// Accepted, and named twice among the successful. A single publish is well.
    Doubled,
    /// Accepted, and named among the failed as well. For a single publish the answer to what was
    /// accepted has no message id.
    Contradicted,
}

pub(super) type Rule<T, F> = Box<dyn FnMut(&T) -> Option<F> + Send>;

/// A rule for the next `count` requests or entries; the ones after them are well.
pub fn next<T, F>(count: u64, fault: F) -> impl FnMut(&T) -> Option<F> + Send + 'static
where
    F: Copy + Send + 'static,
{
    let mut left = count;
    move |_| {
        left = left.checked_sub(1)?;
        Some(fault)
    }
}

/// A rule for so many in a hundred, drawn from `seed`: the same seed gives the same faults.
pub fn share<T, F>(percent: u8, seed: u64, fault: F) -> impl FnMut(&T) -> Option<F> + Send + 'static
where
    F: Copy + Send + 'static,
{
    let mut random = fastrand::Rng::with_seed(seed);
    move |_| (random.u8(..100) < percent).then_some(fault)
}
