//! No call costs more than the bounds, counted; the time is only printed.

use std::time::Instant;

use super::*;
use crate::plugin::script::cost::{self, spent};

/// As long as a text may be.
fn longest(part: &str) -> String {
    part.repeat(Bounds::TEXT / part.len())
}

/// Runs `body` on an event with that text.
fn run(body: &str, text: &str) -> Result<bool, String> {
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
const TOO_LARGE: &str = "makes a value over the bounds";

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
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_call_ends_within_its_bounds_whatever_it_goes_through() {
    let masking = "let i = 0; while i < t.len() { if t[i] == 'a' { t[i] = '*' } i += 1 }";
    let loops = [
        "t[200000] = 'b'",
        "t[200000]",
        "t[-200000]",
        "t[0..200000]",
        "e.text[0..200000]",
        "e.text[200000]",
        "f(t)[0..200000]",
        "f(e.text)[200000]",
        "t.sub_string(0)[0..200000]",
        "let m = #{ t: t }; m.t[200000] = 'b'",
        "let a = [t]; a[0][200000] = 'b'",
        "let a = [t]; a[0][0..200000]",
        "try { e.text[200000] = 'b' } catch {}",
        "let s = t; s.crop(1)",
        "t.crop(0)",
        "t.crop(0..9999999)",
        "t.sub_string(1, 200000)",
        "t.to_upper()",
        "t.make_lower()",
        "t == t + ``",
        "t < e.text",
        "t.contains(`ab`)",
        "`ab` in t",
        "t.index_of(`ab`)",
        "t.index_of('b', 5)",
        "t.len()",
        "t.len",
        "t.bytes",
        "t.is_empty()",
        "t.trim()",
        "t.truncate(262143)",
        "t.pop(1)",
        "t.pop()",
        "t.remove(`b`)",
        "t - `b`",
        "t -= 'b'",
        "t.replace(`b`, `c`)",
        "t.split(`b`)",
        "t.split()",
        "t.split(200000)",
        "t.starts_with(t)",
        "t.ends_with(t)",
        "min(t, t)",
        "max(t, t)",
        "t.get(200000)",
        "t.set(200000, 'b')",
        "for c in t {}",
        "for c in t { break }",
        "t.chars()",
        "t.chars",
        "for c in t.chars(1, 200000) { break }",
        "`${t}`",
        "t.to_string()",
        "t.to_debug()",
        "[t].to_string()",
        "#{ t: t }.to_json()",
        "parse_int(t)",
        "t.to_chars()",
        "switch t { `a` => 1, _ => 2 }",
        "t += ``",
        "let s = ``; s.pad(200000, 'x')",
        "Fn(`f`).call(t)",
        "let f = Fn(`f`); for i in 0..100 { f = f.curry(t) }",
        "f(f(f(t)))",
        "throw t",
    ];
    let arrays = [
        "a",
        "a.len()",
        "a[0]",
        "a[0] = 1",
        "a == a",
        "a != a + []",
        "7 in a",
        "a.contains(7)",
        "a.index_of(7)",
        "a.reverse()",
        "a.sort()",
        "a.sort_desc()",
        "a.order()",
        "a.dedup()",
        "a.extract(0)",
        "a.drain(0, 0)",
        "a.retain(0, 9999)",
        "a.chop(1000)",
        "a.insert(0, 1); a.remove(0)",
        "a.push(1); a.pop()",
        "a.shift(); a.push(1)",
        "a.splice(0, 1, [1])",
        "a.truncate(1000)",
        "a.to_string()",
        "`${a}`",
        "a + []",
        "a += []",
        "a.append([])",
        "a.map(|x| x)",
        "a.filter(|x| true)",
        "a.find(|x| false)",
        "a.some(|x| false)",
        "a.all(|x| true)",
        "a.reduce(|s, x| s, a)",
        "a.reduce(|s, x| s)",
        "a.index_of(|x| false)",
        "a.sort(|x, y| 1)",
        "a.sort(|x, y| x - y)",
        "a.map(Fn(`f`))",
        "a.map(|x| { for i in 0..100 {} x })",
        "m",
        "m.len()",
        "m.x",
        "m.x = 1",
        "m == m",
        "m.keys()",
        "m.values()",
        "m += m",
        "m + m",
        "m.mixin(m)",
        "m.fill_with(m)",
        "m.remove(`x`)",
        "`x` in m",
        "m.to_json()",
        "m.to_string()",
        "b",
        "b + blob()",
        "b.to_array()",
        "b.reverse()",
        "b == b",
        "b.contains(7)",
        "b.as_string()",
        "b.extract(0)",
        "[a]",
        "[m, b]",
        "f(a)",
        "let c = a",
        "for x in a { break }",
        "e.metadata",
        "C",
        "C[0]",
        "7 in C",
        "nested",
        "nested == nested",
    ];
    let text = longest("a");
    let others = "let a = []; a.pad(990, 1); let m = #{}; for i in 0..240 { m[`k${i}`] = i } let b = blob(1000); \
                  let nested = []; for i in 0..490 { nested.push([i]) }";
    let helpers = "fn f(x) { x } const C = [1]; ";
    let texts = loops.iter().map(|body| format!("loop {{ {body} }}"));
    let arrays = arrays.iter().map(|body| format!("{others} loop {{ {body} }}"));
    for body in texts.chain(arrays).chain([masking.to_owned()]) {
        for text in [&text, &longest("ß")] {
            let script =
                compile(&format!("{helpers} fn keep(e) {{ let t = e.text; {body}; true }}"));
            let event = Event::Message(chat(text));
            let begun = Instant::now();
            let error = script.keep(&event).expect_err(&body).to_string();
            let (operations, weight) = spent();
            let took = begun.elapsed();
            println!(
                "{operations:>6} operations {weight:>7} units {took:>9.1?} {}",
                body.replace(others, "")
            );
            // What is asked when no more is left is refused.
            assert!(operations <= Bounds::OPERATIONS + 1, "{body}: {operations} operations");
            let known = [
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
            assert!(known.iter().any(|it| error.contains(it)), "{body}: {error}");
            assert!(error.len() < 400 && !error.contains("aaaa"), "{body}: {error}");
            // The same again, to the last unit.
            drop(script.keep(&event));
            assert_eq!(spent(), (operations, weight), "{body}");
        }
    }
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

#[test]
fn one_unit_more_than_a_call_may_weigh_is_refused() {
    let weight = usize::try_from(Bounds::WEIGHT).unwrap();
    cost::begin(cost::SCANNED);
    assert!(cost::charge(weight).is_ok());
    assert!(cost::charge(1).is_err() && !cost::operation(0));
}

#[test]
fn what_of_an_event_is_over_the_bounds_is_refused_where_it_is_asked_for() {
    let script = |body: &str| compile(&format!("fn keep(e) {{ {body}; true }}"));
    let large = "a".repeat(Bounds::TEXT + 1);
    let of_text = Event::Message(chat(&large));
    assert_eq!(script("e.kind").keep(&of_text), Ok(true), "it need not be asked for");
    assert!(script("e.text").keep(&of_text).unwrap_err().to_string().contains(TOO_LARGE));
    assert!(run("t", &large[1..]).is_ok());
    for (fits, json) in [
        (true, serde_json::json!({ "a": vec![1; Bounds::ARRAY] })),
        (false, serde_json::json!({ "a": vec![1; Bounds::ARRAY + 1] })),
        (false, serde_json::json!({ "a": vec![vec![1; 499]; 3] })),
        (false, serde_json::json!({ "a": large })),
        (true, (0..Bounds::MAP).map(|n| (n.to_string(), serde_json::json!(n))).collect()),
        (false, (0..=Bounds::MAP).map(|n| (n.to_string(), serde_json::json!(n))).collect()),
    ] {
        let mut message = chat("x");
        message.meta.metadata = json.as_object().unwrap().clone();
        let said = script("e.metadata").keep(&Event::Message(message)).map_err(|it| it.to_string());
        assert_eq!(said.is_ok(), fits, "{said:?}");
        assert!(said.is_ok() || said.unwrap_err().contains(TOO_LARGE));
    }
}
