//! The functions of texts, arrays, maps and blobs. Each is charged for its arguments before it runs, and returns
//! nothing over the limits. Functions that are not in [`TABLE`] or in [`own`] do not exist.

mod callbacks;
mod own;
mod table;

use std::any::TypeId;
use std::fmt::{self, Write};
use std::sync::Arc;

use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, ImmutableString, Map,
    Module, NativeCallContext, RhaiFunc,
};

use self::table::{LibraryFunction, OPERATORS, Price};
use super::bounds::Bounds;
use super::cost::{Charged, READ, REBUILT, SCANNED, Size, charge, give, too_large};

/// The result of a library function.
type CallResult = Result<Dynamic, Box<EvalAltResult>>;

/// Gives the engine all of it. `original` has the functions themselves.
pub(super) fn register(engine: &mut Engine, original: &Arc<Engine>) {
    let mut module = Module::new();
    for entry in table::TABLE {
        for &parameters in entry.parameters {
            let types = vec![TypeId::of::<Dynamic>(); parameters];
            set(&mut module, entry, &types, original);
        }
    }
    let types = [
        TypeId::of::<Dynamic>(),
        TypeId::of::<ImmutableString>(),
        TypeId::of::<Array>(),
        TypeId::of::<Map>(),
        TypeId::of::<Blob>(),
        TypeId::of::<char>(),
    ];
    for (entry, pairs) in OPERATORS {
        for (left, right) in *pairs {
            set(&mut module, entry, &[types[*left], types[*right]], original);
        }
    }
    for (entry, second) in table::NUMBERS {
        let mut types = vec![TypeId::of::<ImmutableString>()];
        types.extend(second.then(TypeId::of::<i64>));
        set(&mut module, entry, &types, original);
    }
    iterators(&mut module);
    own::register(&mut module);
    callbacks::register(&mut module);
    engine.register_global_module(module.into());
}

/// The letters of a text, one after the other: the engine would take it apart first.
fn iterators(module: &mut Module) {
    module.set_iter(TypeId::of::<ImmutableString>(), |text| {
        let text = text.into_immutable_string().unwrap_or_default();
        let mut at = 0;
        Box::new(std::iter::from_fn(move || {
            let letter = text[at..].chars().next()?;
            at += letter.len_utf8();
            Some(Dynamic::from(letter))
        }))
    });
}

fn set(
    module: &mut Module,
    entry: &'static LibraryFunction,
    types: &[TypeId],
    original: &Arc<Engine>,
) {
    let original = Arc::clone(original);
    let func = move |context: Option<NativeCallContext<'_>>, arguments: &mut [&mut Dynamic]| {
        let context = context.ok_or_else(too_large)?;
        call(&original, entry, &context, arguments)
    };
    let func = RhaiFunc::Method {
        func: Arc::new(func),
        has_context: true,
        is_pure: !entry.changes,
        is_volatile: false,
    };
    FuncRegistration::new(entry.name)
        .in_global_namespace()
        .set_into_module_raw(module, types, func);
}

fn call(
    original: &Engine,
    entry: &LibraryFunction,
    context: &NativeCallContext<'_>,
    arguments: &mut [&mut Dynamic],
) -> CallResult {
    if arguments.iter().skip(1).any(|it| it.is::<FnPtr>()) {
        let signature = format!("{} with a function", entry.name);
        return Err(EvalAltResult::ErrorFunctionNotFound(signature, context.call_position()).into());
    }
    pay(entry, arguments)?;
    let global = context.global_runtime_state();
    let position = context.call_position();
    let context: NativeCallContext<'_> = (original, entry.name, None, global, position).into();
    let said = context.call_native_fn_raw(entry.name, true, arguments)?;
    give(Size::of(&said))?;
    Ok(said)
}

/// Pays for the call, and refuses it if it would make more than the bounds.
fn pay(entry: &LibraryFunction, arguments: &[&mut Dynamic]) -> Charged {
    let size = Size::of_all(arguments.iter().map(|it| &**it));
    match entry.price {
        Price::Fixed => Ok(()),
        Price::Scan => charge(size.weight(SCANNED)),
        Price::Read => charge(size.weight(READ)),
        Price::Rebuild => charge(size.weight(REBUILT)),
        // A function of the engine's for each element, found anew each time.
        Price::Compare => charge(size.weight(READ * 2) + (size.elements + size.entries) * 10),
        Price::Sort => charge(size.weight(READ) + size.elements * 4),
        Price::Join => {
            charge(size.weight(SCANNED))?;
            if arguments.iter().all(|it| it.is_map()) { joined(arguments) } else { size.fits() }
        }
        Price::Show => {
            charge(size.weight(REBUILT) + (size.elements + size.entries) * 8)?;
            shown(arguments)
        }
        Price::Pad => pad(size, arguments),
        Price::Pieces => {
            charge(size.weight(READ))?;
            pieces(arguments)
        }
        Price::Elements => {
            charge(size.weight(REBUILT))?;
            let text = arguments.first().and_then(|it| it.read_lock::<ImmutableString>());
            let fits = text.is_none_or(|text| {
                let elements =
                    if entry.name == "to_chars" { text.chars().count() } else { text.len() };
                elements <= Bounds::ARRAY
            });
            if fits { Ok(()) } else { Err(too_large()) }
        }
        Price::Case => {
            charge(size.weight(READ))?;
            // No letter becomes more than three times as long.
            if size.bytes > Bounds::TEXT / 3 {
                let upper = entry.name.ends_with("upper");
                cased(arguments, upper)?;
            }
            Ok(())
        }
    }
}

/// How long the text becomes in upper or lower case.
fn cased(arguments: &[&mut Dynamic], upper: bool) -> Charged {
    let Some(text) = arguments.first().and_then(|it| it.read_lock::<ImmutableString>()) else {
        return Ok(());
    };
    if text.is_ascii() {
        return Ok(());
    }
    charge(text.len() / READ)?;
    let bytes: usize = if upper {
        text.chars().flat_map(char::to_uppercase).map(char::len_utf8).sum()
    } else {
        text.chars().flat_map(char::to_lowercase).map(char::len_utf8).sum()
    };
    Size { bytes, ..Size::default() }.fits()
}

/// Two maps have as many entries as they have different names.
fn joined(arguments: &[&mut Dynamic]) -> Charged {
    let [first, second] = arguments else { return Ok(()) };
    let (Some(one), Some(other)) = (first.read_lock::<Map>(), second.read_lock::<Map>()) else {
        return Ok(());
    };
    let new = other.keys().filter(|name| !one.contains_key(*name)).count();
    if one.len() + new <= Bounds::MAP { Ok(()) } else { Err(too_large()) }
}

/// Counts what would be written, and refuses what is over the bounds.
struct Counted(usize);

impl Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        if self.0 > Bounds::TEXT { Err(fmt::Error) } else { Ok(()) }
    }
}

fn shown(arguments: &[&mut Dynamic]) -> Charged {
    let mut counted = Counted(0);
    let Some(value) = arguments.first().filter(|it| it.is_string() || it.is_array() || it.is_map())
    else {
        return Ok(());
    };
    write!(counted, "{value:?}").map_err(|_| too_large())
}

/// `pad(length, what)`: the length that it asks for counts, in letters or in elements.
fn pad(size: Size, arguments: &[&mut Dynamic]) -> Charged {
    charge(size.weight(SCANNED))?;
    let [padded, length, with] = arguments else { return Ok(()) };
    let Ok(length) = usize::try_from(length.as_int().unwrap_or(0)) else { return Ok(()) };
    let Some(text) = padded.read_lock::<ImmutableString>() else {
        let many = Size::of(with);
        if length > Bounds::ARRAY || many.elements.max(many.entries) > 0 && length > 1 {
            return Err(too_large());
        }
        return charge(length);
    };
    let missing = length.saturating_sub(text.chars().count());
    // What is padded with may be cut, but not before it is there.
    let bytes = with.read_lock::<ImmutableString>().map_or(char::MAX.len_utf8(), |it| it.len());
    let bytes = text.len().saturating_add(missing.saturating_mul(bytes));
    Size { bytes, ..Size::default() }.fits()?;
    charge(bytes / READ)
}

/// Into how many pieces a text is split.
fn pieces(arguments: &[&mut Dynamic]) -> Charged {
    let Some(text) = arguments.first().and_then(|it| it.read_lock::<ImmutableString>()) else {
        return Ok(());
    };
    let most = Bounds::ARRAY + 1;
    let (with, segments) = (arguments.get(1), arguments.get(2).and_then(|it| it.as_int().ok()));
    let found = match with {
        None => text.split_whitespace().take(most).count(),
        Some(with) if with.is_int() => return charge(text.len() / REBUILT),
        Some(with) => match (with.as_char(), with.read_lock::<ImmutableString>()) {
            (Ok(letter), _) => text.split(letter).take(most).count(),
            (_, Some(with)) => text.split(with.as_str()).take(most).count(),
            _ => return Ok(()),
        },
    };
    let found = segments.and_then(|it| usize::try_from(it).ok()).map_or(found, |it| found.min(it));
    if found > Bounds::ARRAY {
        return Err(too_large());
    }
    charge(found * 2)
}
