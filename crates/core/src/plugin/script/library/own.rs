//! Functions of texts that replace the engine's, which are too slow or may exceed the limits.

use std::ops::{Range, RangeInclusive};

use rhai::{FuncRegistration, ImmutableString, Module};

use super::super::cost::{Charged, READ, SCANNED, Size, charge, give};

pub(super) fn register(module: &mut Module) {
    sub_string(module);
    crop(module);
    replace(module);
    chars(module);
    FuncRegistration::new("contains").in_global_namespace().set_into_module(
        module,
        |text: ImmutableString, part: ImmutableString| -> Charged<bool> {
            charge((text.len() + part.len()) / (READ * 4))?;
            Ok(text.contains(part.as_str()))
        },
    );
}

/// The slice of so many letters from there on; from the end, if `start` is negative.
fn slice(text: &str, start: i64, letters: i64) -> &str {
    let Ok(letters) = usize::try_from(letters) else { return "" };
    let from_start = |text: &str, letters: usize| {
        let mut rest = text.chars();
        if letters > 0 && rest.nth(letters - 1).is_none() {
            return text.len();
        }
        text.len() - rest.as_str().len()
    };
    let start = if let Ok(start) = usize::try_from(start) {
        from_start(text, start)
    } else {
        let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
        let count = text.chars().count();
        from_start(text, count.saturating_sub(back))
    };
    let text = &text[start..];
    &text[..from_start(text, letters)]
}

/// Start and number of letters of a range.
const fn bounds(start: i64, end: i64) -> (i64, i64) {
    let start = if start < 0 { 0 } else { start };
    (start, end.saturating_sub(start))
}

fn taken(text: &str, start: i64, letters: i64) -> Charged<ImmutableString> {
    let part = slice(text, start, letters);
    charge(text.len() / SCANNED)?;
    give(Size { bytes: part.len(), ..Size::default() })?;
    Ok(part.into())
}

fn sub_string(module: &mut Module) {
    let named = || FuncRegistration::new("sub_string").in_global_namespace();
    named().set_into_module(module, |text: ImmutableString, start: i64, letters: i64| {
        taken(&text, start, letters)
    });
    named()
        .set_into_module(module, |text: ImmutableString, start: i64| taken(&text, start, i64::MAX));
    named().set_into_module(module, |text: ImmutableString, range: Range<i64>| {
        let (start, letters) = bounds(range.start, range.end);
        taken(&text, start, letters)
    });
    named().set_into_module(module, |text: ImmutableString, range: RangeInclusive<i64>| {
        let (start, letters) = bounds(*range.start(), range.end().saturating_add(1));
        taken(&text, start, letters)
    });
}

/// A text is its letters, where a loop goes through it.
fn chars(module: &mut Module) {
    let named = || FuncRegistration::new("chars").in_global_namespace();
    named().set_into_module(module, |text: ImmutableString| text);
    FuncRegistration::new_getter("chars")
        .in_global_namespace()
        .set_into_module(module, |text: &mut ImmutableString| text.clone());
    named()
        .set_into_module(module, |text: ImmutableString, start: i64| taken(&text, start, i64::MAX));
    named().set_into_module(module, |text: ImmutableString, start: i64, letters: i64| {
        taken(&text, start, letters)
    });
    named().set_into_module(module, |text: ImmutableString, range: Range<i64>| {
        let (start, letters) = bounds(range.start, range.end);
        taken(&text, start, letters)
    });
    named().set_into_module(module, |text: ImmutableString, range: RangeInclusive<i64>| {
        let (start, letters) = bounds(*range.start(), range.end().saturating_add(1));
        taken(&text, start, letters)
    });
}

fn keep(text: &mut ImmutableString, start: i64, letters: i64) -> Charged {
    *text = taken(text, start, letters)?;
    Ok(())
}

fn crop(module: &mut Module) {
    let named = || FuncRegistration::new("crop").in_global_namespace();
    named().set_into_module(module, |text: &mut ImmutableString, start: i64, letters: i64| {
        keep(text, start, letters)
    });
    named().set_into_module(module, |text: &mut ImmutableString, start: i64| {
        keep(text, start, i64::MAX)
    });
    named().set_into_module(module, |text: &mut ImmutableString, range: Range<i64>| {
        let (start, letters) = bounds(range.start, range.end);
        keep(text, start, letters)
    });
    named().set_into_module(module, |text: &mut ImmutableString, range: RangeInclusive<i64>| {
        let (start, letters) = bounds(*range.start(), range.end().saturating_add(1));
        keep(text, start, letters)
    });
}

/// Counts first, so that what it makes is known before it is made.
fn replaced(text: &mut ImmutableString, old: &str, new: &str) -> Charged {
    charge(text.len() / READ)?;
    let found = text.matches(old).count();
    let removed = found.saturating_mul(old.len());
    let bytes = found.saturating_mul(new.len()).saturating_add(text.len() - removed);
    Size { bytes, ..Size::default() }.fits()?;
    charge(found.saturating_add(bytes / SCANNED))?;
    *text = text.replace(old, new).into();
    Ok(())
}

fn replace(module: &mut Module) {
    let named = || FuncRegistration::new("replace").in_global_namespace();
    named().set_into_module(
        module,
        |text: &mut ImmutableString, old: ImmutableString, new: ImmutableString| {
            replaced(text, &old, &new)
        },
    );
    named().set_into_module(
        module,
        |text: &mut ImmutableString, old: ImmutableString, new: char| {
            replaced(text, &old, new.encode_utf8(&mut [0; 4]))
        },
    );
    named().set_into_module(
        module,
        |text: &mut ImmutableString, old: char, new: ImmutableString| {
            replaced(text, old.encode_utf8(&mut [0; 4]), &new)
        },
    );
    named().set_into_module(module, |text: &mut ImmutableString, old: char, new: char| {
        replaced(text, old.encode_utf8(&mut [0; 4]), new.encode_utf8(&mut [0; 4]))
    });
}
