//! The command line: the arguments, and a module for each command.

pub(crate) mod arguments;
pub(crate) mod check;
pub(crate) mod dead_letters;
pub(crate) mod feed;
pub(crate) mod fleet;
mod heard;
pub(crate) mod import;
pub(crate) mod output;
pub(crate) mod partitions;
pub(crate) mod progress;
pub(crate) mod try_events;

use std::process::ExitCode;

/// The exit status of what failed while it ran.
pub(crate) const FAILED: u8 = 1;

/// The exit status of wrong arguments, as clap's own.
pub(crate) const WRONG_ARGUMENTS: u8 = 2;

/// The exit status that a shell shows of a program that SIGPIPE has ended.
pub(crate) const BROKEN_PIPE: u8 = 141;

/// The exit status of an invalid configuration: `EX_CONFIG` of sysexits.h.
pub(crate) const INVALID_CONFIGURATION: u8 = 78;

/// The exit status of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    Done,
    /// Something failed, or is left.
    Failed,
    /// The arguments don't fit here.
    WrongArguments,
    /// The reader of standard output went away, as `| head` does, before all was looked at.
    BrokenPipe,
}

impl From<ExitStatus> for ExitCode {
    fn from(end: ExitStatus) -> Self {
        match end {
            ExitStatus::Done => Self::SUCCESS,
            ExitStatus::Failed => Self::from(FAILED),
            ExitStatus::WrongArguments => Self::from(WRONG_ARGUMENTS),
            ExitStatus::BrokenPipe => Self::from(BROKEN_PIPE),
        }
    }
}
