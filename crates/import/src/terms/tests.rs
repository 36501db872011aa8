//! What is read of Erlang terms, and what is refused where.

use proptest::prelude::*;

use super::*;

fn atom(name: &str) -> TermKind {
    TermKind::Atom(name.to_owned())
}

fn text(text: &str) -> TermKind {
    TermKind::Text(text.to_owned())
}

fn on_first_line(kinds: impl IntoIterator<Item = TermKind>) -> Vec<Term> {
    kinds.into_iter().map(|kind| Term { kind, line: 1 }).collect()
}

/// The error's place and words.
fn refused(source: &str) -> String {
    let Malformed { line, column, what } = read(source).unwrap_err();
    format!("{line}:{column}: {what}")
}

#[test]
fn every_kind_of_term_that_a_configuration_has_is_read() {
    for (source, expected) in [
        ("atom.", atom("atom")),
        ("'an atom'.", atom("an atom")),
        ("maybe.", atom("maybe")),
        ("\"a \\\"string\\\"\\n\".", text("a \"string\"\n")),
        ("\"side\" \"by\"\n\"side\".", text("sidebyside")),
        ("<<\"binary\">>.", text("binary")),
        ("<<\"bücher\"/utf8>>.", text("bücher")),
        ("<<>>.", text("")),
        ("$a.", text("a")),
        ("5672.", TermKind::Integer(5672)),
        ("-16#ff.", TermKind::Integer(-255)),
        ("99999999999999999999.", TermKind::Other),
        ("1.5e3.", TermKind::Other),
        ("{}.", TermKind::Tuple(Vec::new())),
        ("{a, []}.", TermKind::Tuple(on_first_line([atom("a"), TermKind::List(Vec::new())]))),
        ("#{a => 1}.", TermKind::Map(on_first_line([atom("a"), TermKind::Integer(1)]))),
    ] {
        let terms = read(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        assert_eq!(terms.len(), 1, "{source}");
        assert_eq!(terms[0].kind, expected, "{source}");
    }
}

#[test]
fn a_copied_part_needs_no_dot_at_its_end() {
    for source in ["{a}", "{a}.", "{a},", "% comment\n{a} % comment", "{a}.\n\n"] {
        assert_eq!(read(source).map(|terms| terms.len()), Ok(1), "{source}");
    }
    let lines: Vec<_> = read("{a}.\n\n{b}").unwrap().iter().map(|term| term.line).collect();
    assert_eq!(lines, [1, 3]);
    assert_eq!(read("% nothing\n"), Ok(Vec::new()));
}

#[test]
fn what_is_no_term_is_refused_with_line_and_column() {
    let no_term = "this is no term; a configuration has atoms, numbers, strings, binaries, tuples, \
                   lists and maps";
    let ends = "the file ends here, within a term; is it whole?";
    let bracket = "a `,` or the closing bracket is missing before this";
    let binary = "of binaries only texts can be read here, as <<\"text\">>";
    for (source, expected) in [
        ("{a", format!("1:3: {ends}")),
        ("{a,\n", format!("2:1: {ends}")),
        ("{a\n b}.", format!("2:2: {bracket}")),
        ("{a].", format!("1:3: {bracket}")),
        ("{a}.\n{b} {c}.", "2:5: a `.` is missing after the term before".to_owned()),
        ("[a | b].", format!("1:4: {bracket}")),
        ("Variable.", format!("1:1: {no_term}")),
        ("fun() -> ok end.", format!("1:1: {no_term}")),
        ("<<1, 2>>.", format!("1:3: {binary}")),
        ("<<\"a\":8>>.", format!("1:6: {binary}")),
        ("#record{}.", "1:2: records can't be read here, only maps, as #{key => value}".to_owned()),
        ("{ä, \"planted}.", "1:5: a quotation begins here and never ends".to_owned()),
        ("-a.", "1:2: a number is missing after the `-`".to_owned()),
        ("☃.", "1:1: no Erlang token begins here".to_owned()),
    ] {
        assert_eq!(refused(source), expected, "{source}");
    }
}

#[test]
fn brackets_within_brackets_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(64)).is_ok());
    let expected = "1:65: there are more than 64 brackets within each other";
    assert_eq!(refused(&nested(65)), expected);
    assert_eq!(refused(&"{".repeat(1_000_000)), expected);
}

/// Pieces of terms, so that more than the first token is tried.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        "#{",
        "<<",
        ">>",
        "=>",
        ",",
        ".",
        "-",
        "/utf8",
        "\"",
        "\"a\"",
        "'",
        "a",
        "sns",
        "'b c'",
        "$",
        "$\\x{",
        "1",
        "16#",
        "1.5",
        "1e",
        "%",
        "\n",
        " ",
        "\\",
        "ä",
        "fun",
        "|",
        "~",
        "\"\"\"",
        "\u{feff}",
        "\0",
        "2#1.1#e9999",
    ];
    prop_oneof![prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), any::<String>()]
}

proptest! {
    #[test]
    fn whatever_it_is_reading_ends_without_a_panic(pieces in prop::collection::vec(piece(), 0..40)) {
        let source = pieces.concat();
        if let Err(Malformed { line, column, what }) = read(&source) {
            prop_assert!(line <= source.matches('\n').count() + 1);
            prop_assert!(column >= 1 && !what.contains('\n'));
        }
    }
}
