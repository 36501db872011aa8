//! How far a move is.

/// A step of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Declare,
    Divert,
    Drain,
    Switch,
    CleanUp,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) step: Step,
    /// Former partitions that are over.
    pub(crate) over: usize,
    /// Of so many; 0 but while they are drained.
    pub(crate) of: usize,
    /// Events in former partitions that no worker has taken.
    pub(crate) waiting: u64,
    pub(crate) workers: u32,
    /// Some of those that are not over.
    pub(crate) open: Vec<String>,
    /// New partitions that somebody has deleted since the last report, with what was in them.
    pub(crate) gone: Vec<String>,
    /// Nobody has said of one of them for long that its last message has come, though nothing waits in it.
    pub(crate) is_unheeded: bool,
}

impl Progress {
    pub(super) const fn at(step: Step) -> Self {
        Self {
            step,
            over: 0,
            of: 0,
            waiting: 0,
            workers: 0,
            open: Vec::new(),
            gone: Vec::new(),
            is_unheeded: false,
        }
    }
}
