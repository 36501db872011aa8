//! What the program prints and asks for: a module for each command, and the arguments of all.

pub(crate) mod arguments;
pub(crate) mod check;
pub(crate) mod dead_letters;
pub(crate) mod feed;
pub(crate) mod import;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod try_events;

/// The exit status of what failed while it ran.
pub(crate) const FAILED: u8 = 1;

/// The exit status of wrong arguments, as clap's own.
pub(crate) const WRONG_ARGUMENTS: u8 = 2;

/// The exit status of an invalid configuration: `EX_CONFIG` of sysexits.h.
pub(crate) const INVALID_CONFIGURATION: u8 = 78;
