//! The engine: what a script may do, and how much of it.

use rhai::Engine;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicBlobPackage, BasicFnPackage, BasicIteratorPackage,
    BasicMapPackage, BasicMathPackage, BasicStringPackage, BitFieldPackage, LogicPackage,
    MoreStringPackage, Package,
};

use super::values;

/// What one call of a function may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds;

impl Bounds {
    /// Steps of the script; one takes some 50 ns, more where it goes through a long text.
    pub const OPERATIONS: u64 = 10_000;
    /// Functions within functions.
    pub const CALLS: usize = 8;
    /// Expressions and blocks within each other.
    pub const NESTING: usize = 32;
    /// Bytes of a text, or of all texts in an array or map; as much as SNS takes by default.
    pub const TEXT: usize = 256 * 1024;
    /// Elements of an array, those of arrays in it included.
    pub const ARRAY: usize = 1_000;
    /// Entries of a map, those of maps in it included.
    pub const MAP: usize = 250;
    /// Variables that a function has at one time.
    pub const VARIABLES: usize = 32;
    /// Functions of the script.
    pub const FUNCTIONS: usize = 100;
}

/// Words that would reach beyond the event.
const FORBIDDEN: [&str; 3] = ["eval", "print", "debug"];

/// Knows values and texts, and what of an event is to be seen. There are no modules in it (`no_module`), and no
/// clock (`no_time`). Of the standard packages that of the language's core is left out: it has `sleep`,
/// which would stop the worker's only thread.
pub(super) fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    for package in [
        ArithmeticPackage::new().as_shared_module(),
        BasicArrayPackage::new().as_shared_module(),
        BasicBlobPackage::new().as_shared_module(),
        BasicFnPackage::new().as_shared_module(),
        BasicIteratorPackage::new().as_shared_module(),
        BasicMapPackage::new().as_shared_module(),
        BasicMathPackage::new().as_shared_module(),
        BasicStringPackage::new().as_shared_module(),
        BitFieldPackage::new().as_shared_module(),
        LogicPackage::new().as_shared_module(),
        MoreStringPackage::new().as_shared_module(),
    ] {
        engine.register_global_module(package);
    }
    for word in FORBIDDEN {
        engine.disable_symbol(word);
    }
    engine
        .set_max_operations(Bounds::OPERATIONS)
        .set_max_call_levels(Bounds::CALLS)
        .set_max_expr_depths(Bounds::NESTING, Bounds::NESTING)
        .set_max_string_size(Bounds::TEXT)
        .set_max_array_size(Bounds::ARRAY)
        .set_max_map_size(Bounds::MAP)
        .set_max_variables(Bounds::VARIABLES)
        .set_max_functions(Bounds::FUNCTIONS);
    values::register(&mut engine);
    engine
}
