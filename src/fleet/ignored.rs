//! Why a report is not believed.

/// Why a report is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ignored {
    /// It has too many bytes.
    TooLarge,
    /// It is no report.
    Malformed,
    /// Another user of the broker has published it.
    User,
    /// It is not signed by the key that this worker has.
    Signature,
    /// A later one of the same worker was heard before it, or it had left.
    Old,
    /// It is signed, and by its time it may be a copy.
    Clock,
    /// More workers are heard than are shown.
    TooMany,
}

impl Ignored {
    /// Its label in metrics and in JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::User => "user",
            Self::Signature => "signature",
            Self::Old => "old",
            Self::Clock => "clock",
            Self::TooMany => "too_many",
        }
    }
}
