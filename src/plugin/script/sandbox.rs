//! The engine: what a script may do, and how much of it.

use std::sync::Arc;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicBlobPackage, BasicFnPackage, BasicIteratorPackage,
    BasicMapPackage, BasicMathPackage, BasicStringPackage, BitFieldPackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{Dynamic, Engine, OptimizationLevel};

use super::{cost, library, values};

/// What one call of a function may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds;

impl Bounds {
    /// Steps of the script; one takes some 50 to 130 ns, more where it goes through a long text.
    pub const OPERATIONS: u64 = 10_000;
    /// What its operations and its functions touch: a unit is some 50 ns at most. 128 bytes of a text that is gone through are
    /// one, and so are 8 bytes that are read letter by letter, 2 that are built anew, 4 elements that are copied.
    pub const WEIGHT: u64 = 40_000;
    /// Bytes of a text that stands in the script itself.
    pub const LITERAL: usize = 8 * 1024;
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

/// Words that would reach beyond the event, and `this`: what it stands for is named nowhere, and would not be paid for.
const FORBIDDEN: [&str; 4] = ["eval", "print", "debug", "this"];

/// Knows values and texts, and what of an event is to be seen. There are no modules in it (`no_module`), and no
/// clock (`no_time`). Of the standard packages that of the language's core is left out: it has `sleep`,
/// which would stop the worker's only thread. What costs the same whatever it is given is there as it is; all else
/// is in the [`library`], weighed. `weight`: what each operation weighs.
pub(super) fn engine(weight: u64) -> Engine {
    let mut engine = Engine::new_raw();
    for package in [
        ArithmeticPackage::new().as_shared_module(),
        BasicFnPackage::new().as_shared_module(),
        BasicIteratorPackage::new().as_shared_module(),
        BasicMathPackage::new().as_shared_module(),
        BitFieldPackage::new().as_shared_module(),
        LogicPackage::new().as_shared_module(),
    ] {
        engine.register_global_module(package);
    }
    for word in FORBIDDEN {
        engine.disable_symbol(word);
    }
    bound(&mut engine);
    values::register(&mut engine);
    library::register(&mut engine, &Arc::new(original()));
    engine.on_progress(move |_| (!cost::operation(weight)).then_some(Dynamic::UNIT));
    engine
}

/// Where the functions come from that the library weighs.
fn original() -> Engine {
    let mut engine = Engine::new_raw();
    for package in [
        BasicArrayPackage::new().as_shared_module(),
        BasicBlobPackage::new().as_shared_module(),
        BasicMapPackage::new().as_shared_module(),
        BasicMathPackage::new().as_shared_module(),
        BasicStringPackage::new().as_shared_module(),
        LogicPackage::new().as_shared_module(),
        MoreStringPackage::new().as_shared_module(),
    ] {
        engine.register_global_module(package);
    }
    bound(&mut engine);
    values::register(&mut engine);
    engine
}

fn bound(engine: &mut Engine) {
    engine
        // A literal that was made one value would be copied as one operation, however long it is.
        .set_optimization_level(OptimizationLevel::None)
        .set_max_operations(Bounds::OPERATIONS)
        .set_max_call_levels(Bounds::CALLS)
        .set_max_expr_depths(Bounds::NESTING, Bounds::NESTING)
        .set_max_string_size(Bounds::TEXT)
        .set_max_array_size(Bounds::ARRAY)
        .set_max_map_size(Bounds::MAP)
        .set_max_variables(Bounds::VARIABLES)
        .set_max_functions(Bounds::FUNCTIONS);
}
