//! No call costs more than the bounds, counted; the time is only printed.

use std::fmt::Write;
use std::time::Instant;

use super::worst::{self, LETTERS, Metadata, Worst};
use super::*;
use crate::plugin::script::cost::spent;

/// As long as a text may be.
fn longest(part: &str) -> String {
    part.repeat(Bounds::TEXT / part.len())
}

/// Runs `body` on an event with that text.
pub(super) fn run(body: &str, text: &str) -> Result<bool, String> {
    let script = compile(&format!("fn keep(e) {{ let t = e.text; {body}; true }}"));
    let event = Event::Message(chat(text));
    let begun = Instant::now();
    let said = script.keep(&event).map_err(|error| error.to_string());
    let (operations, weight) = spent();
    println!(
        "{operations:>6} operations {weight:>7} units {:>9.1?} {body}: {said:?}",
        begun.elapsed()
    );
    said
}

const TOO_MUCH: &str = "takes more than 10000 operations, or goes through more";
pub(super) const TOO_LARGE: &str = "makes a value over the bounds";

#[test]
fn what_a_function_would_make_is_known_before_it_is_made() {
    let text = longest("a");
    for body in [
        "t.replace(`a`, t)",
        "t.replace('a', t)",
        "t.replace(``, t)",
        "t.replace('a', 'ß')",
        "t + t",
        "t += t",
        "t += 'b'",
        "t.append(t)",
        "`${t}${t}`",
        "t + [t]",
        "t.pad(262145, `xx`)",
        "let s = ``; s.pad(262144, 'ß')",
        "let s = ``; s.pad(9223372036854775807, t)",
        "t.split(`a`)",
        "t.split(``)",
        "t.split('a', 1001)",
        "t.split_rev('a')",
        "t.to_chars()",
        "t.to_blob()",
        "[t, t]",
        "let a = [t]; a.push(t)",
        "let a = [t]; a.insert(0, t)",
        "let a = [t]; a += [t]",
        "let a = [t]; a + [t]",
        "#{ a: t, b: t }",
        "let m = #{ a: t }; m.b = t",
        "let m = #{ a: t }; m += #{ b: t }",
        "let a = []; a.pad(1001, 1)",
        "let a = []; a.pad(999, [1, 2])",
        "let a = []; a.pad(999, 1); a + [1, 2]",
        "let a = []; a.pad(999, 1); a.append([1, 2])",
        "let a = []; a.pad(999, 1); a.splice(0, 0, [1, 2])",
        "let b = blob(1000); b += b",
        "let b = blob(1000); b.pad(1001, 1)",
        "let b = blob(1000); b.append(`x`)",
        "blob(1001)",
        "let a = []; a.pad(10, 0); a.map(|x| { let s = ``; s.pad(200000, `x`); s })",
        "let s = `\\x07`; s.pad(250000, `\\x07`); s.to_debug()",
        "let s = `\\x07`; s.pad(100000, `\\x07`); [s].to_string()",
        "let s = `\\x07`; s.pad(100000, `\\x07`); #{ s: s }.to_json()",
    ] {
        let error = run(body, &text).expect_err(body);
        assert!(error.contains(TOO_LARGE) || error.contains(TOO_MUCH), "{body}: {error}");
    }
    let text = "ΐ".repeat(100 * 1024 / "ΐ".len());
    let error = run("t.to_upper()", &text).expect_err("three letters for one");
    assert!(error.contains(TOO_LARGE), "{error}");
}

#[test]
fn an_order_that_is_none_sorts_somehow_and_one_that_costs_too_much_says_so() {
    let shuffled = "let a = []; for i in 0..60 { a.push((i * 37) % 61) }";
    let none = format!("{shuffled}; a.sort(|x, y| (x * 7 + y * 13) % 3 - 1)");
    assert_eq!(run(&none, "t"), Ok(true));
    let long = "let a = []; for i in 0..900 { a.push((i * 37) % 901) }; a.sort(|x, y| x - y)";
    let error = run(long, "t").expect_err("too much for a call");
    assert!(error.contains(TOO_MUCH), "{error}");
}

#[test]
fn a_call_ends_within_its_bounds_whatever_it_goes_through() {
    for Worst { name, metadata, script, .. } in worst::all() {
        let script_sees_text = script.contains("e.text");
        let script = compile(&script);
        let letters =
            LETTERS.into_iter().take(2).filter(|it| *it == LETTERS[0] || script_sees_text);
        for letters in letters {
            let text = longest(letters);
            let event = Event::Message(worst_message(&text, metadata));
            let error = script.keep(&event).expect_err(&name).to_string();
            let (operations, _) = spent();
            // What is asked when no more is left is refused.
            assert!(operations <= Bounds::OPERATIONS + 1, "{name}: {operations} operations");
            assert!(KNOWN.iter().any(|it| error.contains(it)), "{name}: {error}");
            assert!(error.len() < 400 && !error.contains("aaaa"), "{name}: {error}");
        }
    }
}

/// What errors say that end a call.
const KNOWN: [&str; 12] = [
    "takes more than",
    "over the bounds",
    "throws",
    "nothing",
    "out of the bounds",
    "impossible",
    "is no",
    "there is",
    "needs",
    "index",
    "Cannot",
    "fails",
];

fn worst_message(text: &str, metadata: Metadata) -> Message<'_> {
    let mut message = chat(text);
    message.meta.metadata = metadata.json();
    message
}

/// That no call takes too long follows from what each pass weighs, and from how long that takes, which is measured:
/// what weighs another amount than when it was measured is to be measured again.
#[test]
fn each_pass_weighs_as_much_as_when_it_was_measured() {
    let text = longest(LETTERS[0]);
    let mut counted = String::new();
    for Worst { name, metadata, once, .. } in worst::all() {
        drop(compile(&once).keep(&Event::Message(worst_message(&text, metadata))));
        let (operations, units) = spent();
        writeln!(counted, "{operations} operations, {units} units: {name}").unwrap();
    }
    println!("{counted}");
    let kept = include_str!("weights.txt");
    let changed: Vec<_> =
        counted.lines().zip(kept.lines()).filter(|(now, then)| now != then).collect();
    assert!(
        changed.is_empty() && counted.lines().count() == kept.lines().count(),
        "now and before: {changed:#?}\nmeasure by `cargo bench --bench scripts` whether all calls take less than 2.5 ms, \
         and if so, put what is printed above into weights.txt"
    );
}

#[test]
fn a_usual_policy_is_far_from_its_bounds_even_with_a_long_text() {
    let masking = "let i = 0; while i < t.len() { if t[i] == 'a' { t[i] = '*' } i += 1 }";
    assert_eq!(run(masking, &"a".repeat(150)), Ok(true));
    let text = longest("ab ");
    for body in [
        "e.text.len() > 0 && !e.text.contains(`spam`) && !t.starts_with(`!`)",
        "t.sub_string(0, 100).to_upper()",
        "let m = #{}; m[`preview`] = t.sub_string(0, 200); m[`n`] = t.len(); m.preview += `…`",
        "t.crop(0, 100); t.split(' ').filter(|w| w.len() > 1).map(|w| w + `.`)",
        "if t == `` { 1 } else { 2 }",
    ] {
        assert_eq!(run(body, &text), Ok(true), "{body}");
        assert!(spent().1 < Bounds::WEIGHT, "{body}");
    }
}

#[test]
fn the_letters_of_texts_are_counted_as_before() {
    for (expression, expected) in [
        ("`añb€c`.sub_string(1, 3)", "ñb€"),
        ("`añb€c`.sub_string(-2)", "€c"),
        ("`añb€c`.sub_string(9)", ""),
        ("`añb€c`.sub_string(-9, 2)", "añ"),
        ("`añb€c`.sub_string(1..=2)", "ñb"),
        ("`añb€c`.sub_string(3..9)", "€c"),
        ("let s = `añb€c`; s.crop(2, 2); s", "b€"),
        ("let s = `añb€c`; s.crop(1..3); s", "ñb"),
        ("let s = `aXbX`; s.replace(`X`, `--`); s", "a--b--"),
        ("let s = `aXbX`; s.replace('X', 'y'); s", "ayby"),
        ("let s = ``; for c in `a€`.chars() { s = c + s; } s", "€a"),
        ("let s = `axa`; s -= 'a'; s", "x"),
        ("let s = `ab`; s.pad(4, 'x'); s", "abxx"),
        ("[3, 1, 2].order().to_string()", "[1, 2, 3]"),
        ("let a = [3, 1, 2]; a.sort(|x, y| y - x); a.to_string()", "[3, 2, 1]"),
        ("[1, 2, 3].map(|x| x * 2).filter(|x| x > 2).to_string()", "[4, 6]"),
        ("[1, 2].reduce(|s, x| s + x, 10).to_string()", "13"),
        ("`a,b,c`.split(`,`).to_string()", "[\"a\", \"b\", \"c\"]"),
        ("`a` + 1 + true + [1]", "a1true[1]"),
        ("`Straße`.to_upper()", "STRASSE"),
        ("const L = [1, 2]; `${L.contains(2)}`", "true"),
        ("`${1 in [1]}`", "true"),
    ] {
        let said = guid(&format!("fn user_guid(jid) {{ {expression} }}"));
        assert_eq!(said, Ok(expected.to_owned()), "{expression}");
    }
}

#[test]
fn the_bounds_of_literals_and_words_are_said() {
    let error = |text: &str| Script::compile("p.rhai", text).map(drop).expect_err(text).to_string();
    let literal = |bytes| format!("fn keep(e) {{ `{}` != e.text }}", "x".repeat(bytes));
    compile(&literal(Bounds::LITERAL));
    assert!(error(&literal(Bounds::LITERAL + 1)).contains("a text of more than 8192 bytes in it"));
    assert!(error("fn keep(e) { this }").contains("'this' is disabled"));
}
