//! Functions of arrays that call a function of the script for each element. That function is charged for itself, and
//! each call has a small additional cost, since the engine sets up each call anew.

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, FuncRegistration, Module, NativeCallContext};

use super::super::Bounds;
use super::super::cost::{Charged, SCANNED, Size, charge, give, too_large};

/// What a call weighs by itself.
const CALL: usize = 20;

fn ask<const N: usize>(
    name: &str,
    context: &NativeCallContext<'_>,
    function: &FnPtr,
    given: [Dynamic; N],
    extra: Option<i64>,
) -> Charged<Dynamic> {
    let curried = Size::of_all(function.curry());
    charge(CALL + Size::of_all(&given).weight(SCANNED) + curried.weight(SCANNED))?;
    let said = match extra {
        Some(extra) => {
            function.call_raw_with_extra_args(name, context, None, given, [extra.into()], None)
        }
        None => function.call_raw_with_extra_args(name, context, None, given, [], None),
    }?;
    give(Size::of(&said))?;
    Ok(said)
}

fn says(
    name: &str,
    context: &NativeCallContext<'_>,
    function: &FnPtr,
    at: usize,
    item: &Dynamic,
) -> Charged<bool> {
    let said = ask(name, context, function, [item.clone()], i64::try_from(at).ok())?;
    Ok(said.as_bool().unwrap_or(false))
}

pub(super) fn register(module: &mut Module) {
    let named = |name: &str| FuncRegistration::new(name).in_global_namespace().with_purity(true);
    named("map").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr| {
            let mut made = Array::with_capacity(array.len());
            let mut size = Size::default();
            for (at, item) in array.iter().enumerate() {
                let said = ask("map", &context, &f, [item.clone()], i64::try_from(at).ok())?;
                let one = Size::of(&said);
                size.bytes += one.bytes;
                size.elements += one.elements + 1;
                size.entries += one.entries;
                size.fits()?;
                made.push(said);
            }
            Ok::<_, Box<EvalAltResult>>(made)
        },
    );
    named("filter").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr| {
            let mut kept = Array::new();
            for (at, item) in array.iter().enumerate() {
                if says("filter", &context, &f, at, item)? {
                    kept.push(item.clone());
                }
            }
            Ok::<_, Box<EvalAltResult>>(kept)
        },
    );
    searches(module);
    reduces(module);
    sorts(module);
}

fn first(
    name: &str,
    context: &NativeCallContext<'_>,
    array: &Array,
    f: &FnPtr,
    wanted: bool,
) -> Charged<Option<usize>> {
    for (at, item) in array.iter().enumerate() {
        if says(name, context, f, at, item)? == wanted {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn searches(module: &mut Module) {
    let named = |name: &str| FuncRegistration::new(name).in_global_namespace().with_purity(true);
    named("find").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr| {
            let found = first("find", &context, array, &f, true)?;
            Ok::<_, Box<EvalAltResult>>(found.map_or(Dynamic::UNIT, |at| array[at].clone()))
        },
    );
    named("index_of").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr| {
            let found = first("index_of", &context, array, &f, true)?;
            Ok::<_, Box<EvalAltResult>>(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))
        },
    );
    named("some").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr| {
            Ok::<_, Box<EvalAltResult>>(first("some", &context, array, &f, true)?.is_some())
        },
    );
    named("all").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr| {
            Ok::<_, Box<EvalAltResult>>(first("all", &context, array, &f, false)?.is_none())
        },
    );
}

fn reduced(
    context: &NativeCallContext<'_>,
    array: &Array,
    f: &FnPtr,
    from: Dynamic,
) -> Charged<Dynamic> {
    let mut sum = from;
    for (at, item) in array.iter().enumerate() {
        sum = ask("reduce", context, f, [sum, item.clone()], i64::try_from(at).ok())?;
    }
    Ok(sum)
}

fn reduces(module: &mut Module) {
    let named = |name: &str| FuncRegistration::new(name).in_global_namespace().with_purity(true);
    named("reduce").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr| {
            reduced(&context, array, &f, Dynamic::UNIT)
        },
    );
    named("reduce").set_into_module(
        module,
        |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr, from: Dynamic| {
            reduced(&context, array, &f, from)
        },
    );
}

/// Sorted by what the function says of two: less than 0, 0, or more. The first error ends it.
fn sorted(context: &NativeCallContext<'_>, array: &mut Array, f: &FnPtr) -> Charged {
    if array.len() > Bounds::ARRAY {
        return Err(too_large());
    }
    // Into its place among those before, by halves. Rust's own sorting panics where an order is none.
    for at in 1..array.len() {
        let (mut from, mut to) = (0, at);
        while from < to {
            let middle = usize::midpoint(from, to);
            let two = [array[middle].clone(), array[at].clone()];
            let said = ask("sort", context, f, two, None)?;
            if said.as_int().is_ok_and(|said| said > 0) { to = middle } else { from = middle + 1 }
        }
        array[from..=at].rotate_right(1);
    }
    Ok(())
}

fn sorts(module: &mut Module) {
    for name in ["sort", "sort_by"] {
        FuncRegistration::new(name).in_global_namespace().set_into_module(
            module,
            |context: NativeCallContext<'_>, array: &mut Array, f: FnPtr| {
                sorted(&context, array, &f)
            },
        );
    }
}
