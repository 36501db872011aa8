//! The limits of a call of a script.

use crate::limits;

/// The limits of one call of a function; the reasons are in `limits.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds;

impl Bounds {
    /// Steps of the script.
    pub const OPERATIONS: u64 = limits::SCRIPT_OPERATIONS;
    /// Units of weight: what its operations and its functions touch.
    pub const WEIGHT: u64 = limits::SCRIPT_WEIGHT;
    /// Bytes of a text that stands in the script itself.
    pub const LITERAL: usize = limits::SCRIPT_LITERAL;
    /// Functions within functions.
    pub const CALLS: usize = limits::SCRIPT_CALLS;
    /// Expressions and blocks within each other.
    pub const NESTING: usize = limits::SCRIPT_NESTING;
    /// Bytes of a text, or of all texts in an array or map.
    pub const TEXT: usize = limits::SCRIPT_TEXT;
    /// Elements of an array, those of arrays in it included.
    pub const ARRAY: usize = limits::SCRIPT_ARRAY;
    /// Entries of a map, those of maps in it included.
    pub const MAP: usize = limits::SCRIPT_MAP;
    /// Variables that a function has at one time.
    pub const VARIABLES: usize = limits::SCRIPT_VARIABLES;
    /// Functions of the script.
    pub const FUNCTIONS: usize = limits::SCRIPT_FUNCTIONS;
}
