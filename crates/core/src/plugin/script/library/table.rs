//! The table of library functions with their costs, as in docs/plugins.md.

/// What a function pays before it begins, by all that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugin::script) enum Price {
    /// No more than naming what it is given.
    Fixed,
    /// Goes through it, or copies it.
    Scan,
    /// Looks at each letter.
    Read,
    /// Builds it anew, letter by letter.
    Rebuild,
    /// Compares each element or entry.
    Compare,
    /// Sorts it.
    Sort,
    /// Puts together what it is given; together it is within the bounds.
    Join,
    /// Writes it as a text, which is within the bounds.
    Show,
    /// As long as it is told to make it.
    Pad,
    /// Makes an array of the pieces of a text, as many as there may be.
    Pieces,
    /// Makes an array of the letters or bytes of a text, as many as there may be.
    Elements,
    /// Changes upper and lower case.
    Case,
}

/// A function of the library, or several of one name, and its price.
#[derive(Debug)]
pub(in crate::plugin::script) struct LibraryFunction {
    pub(in crate::plugin::script) name: &'static str,
    /// With what is before the dot.
    pub(in crate::plugin::script) parameters: &'static [usize],
    pub(in crate::plugin::script) price: Price,
    /// Changes what is before the dot, which may be no constant then.
    pub(in crate::plugin::script) changes: bool,
}

const fn pure(name: &'static str, parameters: &'static [usize], price: Price) -> LibraryFunction {
    LibraryFunction { name, parameters, price, changes: false }
}

const fn changing(
    name: &'static str,
    parameters: &'static [usize],
    price: Price,
) -> LibraryFunction {
    LibraryFunction { name, parameters, price, changes: true }
}

/// All but operators, and what is written in `own.rs` and `callbacks.rs`.
#[rustfmt::skip]
pub(in crate::plugin::script) const TABLE: &[LibraryFunction] = &[
    pure("len", &[1], Price::Fixed), pure("get$len", &[1], Price::Fixed),
    pure("bytes", &[1], Price::Fixed), pure("get$bytes", &[1], Price::Fixed),
    pure("is_empty", &[1], Price::Fixed), pure("get$is_empty", &[1], Price::Fixed),
    pure("starts_with", &[2], Price::Fixed), pure("ends_with", &[2], Price::Fixed),
    pure("contains", &[2], Price::Compare), pure("index_of", &[2, 3], Price::Compare),
    pure("min", &[2], Price::Scan), pure("max", &[2], Price::Scan),
    pure("get", &[2], Price::Read), changing("set", &[3], Price::Rebuild),
    pure("to_upper", &[1], Price::Case), pure("to_lower", &[1], Price::Case),
    changing("make_upper", &[1], Price::Case), changing("make_lower", &[1], Price::Case),
    changing("trim", &[1], Price::Read), changing("clear", &[1], Price::Fixed),
    changing("truncate", &[2], Price::Read), changing("remove", &[2], Price::Rebuild),
    changing("pop", &[1], Price::Scan), changing("pop", &[2], Price::Rebuild),
    changing("pad", &[3], Price::Pad),
    pure("split", &[1, 2, 3], Price::Pieces), pure("split_rev", &[2, 3], Price::Pieces),
    pure("to_chars", &[1], Price::Elements), pure("to_blob", &[1], Price::Elements),
    pure("to_string", &[1], Price::Show), pure("to_debug", &[1], Price::Show),
    pure("to_json", &[1], Price::Show),
    pure("to_int", &[1], Price::Fixed),
    pure("to_hex", &[1], Price::Fixed), pure("to_octal", &[1], Price::Fixed), pure("to_binary", &[1], Price::Fixed),
    changing("append", &[2], Price::Join), changing("push", &[2], Price::Join),
    changing("insert", &[3], Price::Join), changing("splice", &[3, 4], Price::Join),
    changing("shift", &[1], Price::Scan), changing("chop", &[2], Price::Scan),
    changing("reverse", &[1], Price::Scan), changing("dedup", &[1], Price::Compare),
    changing("sort", &[1], Price::Sort), changing("sort_desc", &[1], Price::Sort),
    pure("order", &[1], Price::Sort), pure("order_desc", &[1], Price::Sort),
    pure("extract", &[2, 3], Price::Scan),
    changing("drain", &[2, 3], Price::Scan), changing("retain", &[2, 3], Price::Scan),
    pure("keys", &[1], Price::Scan), pure("values", &[1], Price::Scan),
    changing("mixin", &[2], Price::Join), changing("fill_with", &[2], Price::Join),
    pure("blob", &[0, 1, 2], Price::Fixed), pure("to_array", &[1], Price::Scan), pure("as_string", &[1], Price::Scan),
    pure("parse_le_int", &[2, 3], Price::Fixed), pure("parse_be_int", &[2, 3], Price::Fixed),
    pure("parse_le_float", &[2, 3], Price::Fixed), pure("parse_be_float", &[2, 3], Price::Fixed),
    changing("write_le", &[3, 4], Price::Fixed), changing("write_be", &[3, 4], Price::Fixed),
    changing("write_utf8", &[3, 4], Price::Scan), changing("write_ascii", &[3, 4], Price::Scan),
];

/// Numbers in texts, also with a base. They are of the engine's package of arithmetic, which is not weighed.
pub(super) const NUMBERS: &[(LibraryFunction, bool)] = &[
    (pure("parse_int", &[], Price::Read), false),
    (pure("parse_int", &[], Price::Read), true),
    (pure("parse_float", &[], Price::Read), false),
];

const ANY: usize = 0;
const TEXT: usize = 1;
const ARRAY: usize = 2;
const MAP: usize = 3;
const BLOB: usize = 4;
const LETTER: usize = 5;

/// Operators, with the types on their left and right. Those that are not here cost what naming both sides costs:
/// the engine itself compares and joins texts, and bounds what it joins.
pub(super) const OPERATORS: &[(LibraryFunction, &[(usize, usize)])] = &[
    (pure("==", &[], Price::Compare), &[(ARRAY, ARRAY), (MAP, MAP)]),
    (pure("!=", &[], Price::Compare), &[(ARRAY, ARRAY), (MAP, MAP)]),
    (
        pure("+", &[], Price::Join),
        &[
            (ARRAY, ARRAY),
            (MAP, MAP),
            (TEXT, BLOB),
            (BLOB, TEXT),
            (TEXT, ANY),
            (ANY, TEXT),
            (TEXT, TEXT),
        ],
    ),
    (changing("+=", &[], Price::Join), &[(ARRAY, ARRAY), (MAP, MAP), (TEXT, BLOB), (TEXT, TEXT)]),
    (pure("-", &[], Price::Rebuild), &[(TEXT, TEXT), (TEXT, LETTER)]),
    (changing("-=", &[], Price::Rebuild), &[(TEXT, TEXT), (TEXT, LETTER)]),
];
