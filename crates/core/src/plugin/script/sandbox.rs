//! The script engine with its sandbox and limits.

use std::sync::Arc;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicBlobPackage, BasicFnPackage, BasicIteratorPackage,
    BasicMapPackage, BasicMathPackage, BasicStringPackage, BitFieldPackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{Dynamic, Engine, OptimizationLevel};

use super::bounds::Bounds;
use super::{cost, library, values};

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
