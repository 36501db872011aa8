//! The cost of a call: counted, not timed, so that an event has the same outcome on every machine.
//!
//! The engine counts operations, however long their texts are. So each operation also costs units by the length of
//! its values: each use of a value, and each function of the library.

use std::cell::Cell;

use rhai::{Array, Blob, Dynamic, EvalAltResult, FnPtr, ImmutableString, Map, Position};

use super::bounds::Bounds;

pub(super) type Charged<T = ()> = Result<T, Box<EvalAltResult>>;

/// Bytes of a text that one unit of weight goes through: to find, to compare, to copy.
pub(super) const SCANNED: usize = 128;
/// Bytes that one unit of weight looks at one letter at a time.
pub(super) const READ: usize = 8;
/// Bytes that one unit of weight builds anew, one letter at a time.
pub(super) const REBUILT: usize = 2;
/// Elements of an array that one unit of weight copies.
pub(super) const COPIED: usize = 4;
/// Bytes of a text in the script that one unit of weight finds a letter in, from its end.
pub(super) const SOUGHT: usize = 512;
/// Ranges of a `switch` that one unit of weight tries.
pub(super) const TRIED: usize = 256;
/// Elements of an array in the script that one unit of weight makes, and four times as many as entries of a map.
pub(super) const MADE: usize = 16;

thread_local! {
    /// Operations and weight of the call that this thread is in. A script is never called from within a script.
    static SPENT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    /// Bytes of a unit of weight, where a function or a property gives a text.
    static GIVEN: Cell<usize> = const { Cell::new(SCANNED) };
}

/// A call begins, of a script in which what functions give weighs so much.
pub(super) fn begin(bytes_a_unit: usize) {
    SPENT.set((0, 0));
    GIVEN.set(bytes_a_unit);
}

/// Pays for what a function or a property gives.
///
/// # Errors
///
/// More is asked than is left.
pub(super) fn give(size: Size) -> Charged {
    charge(size.weight(GIVEN.get()))
}

/// Operations and weight of the last call.
#[cfg(test)]
pub(super) fn spent() -> (u64, u64) {
    SPENT.get()
}

/// One operation, which weighs something itself; false: it is one too many.
pub(super) fn operation(weight: u64) -> bool {
    let (operations, spent) = SPENT.get();
    let (operations, spent) = (operations + 1, spent.saturating_add(weight));
    SPENT.set((operations, spent));
    operations <= Bounds::OPERATIONS && spent <= Bounds::WEIGHT
}

/// Takes from what a call may weigh, before anything is done for it.
///
/// # Errors
///
/// More is asked than is left.
pub(super) fn charge(weight: usize) -> Charged {
    let (operations, spent) = SPENT.get();
    let spent = spent.saturating_add(weight as u64);
    SPENT.set((operations, spent));
    if spent > Bounds::WEIGHT {
        return Err(EvalAltResult::ErrorTooManyOperations(Position::NONE).into());
    }
    Ok(())
}

/// What a value consists of, all that is in it included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Bytes of its texts.
    pub(super) bytes: usize,
    /// Elements of its arrays, bytes of its blobs.
    pub(super) elements: usize,
    /// Entries of its maps.
    pub(super) entries: usize,
    /// Arrays and maps that are in it, each of which has memory of its own.
    pub(super) nested: usize,
}

impl Size {
    pub(super) fn of(value: &Dynamic) -> Self {
        let mut size = Self::default();
        size.add(value);
        size
    }

    pub(super) fn of_all<'a>(values: impl IntoIterator<Item = &'a Dynamic>) -> Self {
        let mut size = Self::default();
        values.into_iter().for_each(|value| size.add(value));
        size
    }

    fn add(&mut self, value: &Dynamic) {
        if value.is_int() || value.is_bool() || value.is_unit() {
        } else if let Some(text) = value.read_lock::<ImmutableString>() {
            self.bytes += text.len();
        } else if let Some(array) = value.read_lock::<Array>() {
            self.elements += array.len();
            self.nested += 1;
            array.iter().for_each(|value| self.add(value));
        } else if let Some(map) = value.read_lock::<Map>() {
            self.entries += map.len();
            self.nested += 1;
            for (name, value) in map.iter() {
                self.bytes += name.len();
                self.add(value);
            }
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.elements += blob.len();
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            self.elements += function.curry().len();
            function.curry().iter().for_each(|value| self.add(value));
        }
    }

    /// What it weighs to go through it, or to copy it.
    pub(super) const fn weight(self, bytes_a_unit: usize) -> usize {
        self.bytes / bytes_a_unit + self.elements / COPIED + self.entries + self.nested
    }

    /// Refuses what would be over the bounds.
    ///
    /// # Errors
    ///
    /// It would.
    pub(super) fn fits(self) -> Charged {
        let fits = self.bytes <= Bounds::TEXT
            && self.elements <= Bounds::ARRAY
            && self.entries <= Bounds::MAP;
        if fits { Ok(()) } else { Err(too_large()) }
    }
}

/// As the engine says that a value is over the bounds.
#[expect(clippy::unnecessary_box_returns, reason = "the engine's errors are boxed")]
pub(super) fn too_large() -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge("value".to_owned(), Position::NONE).into()
}
