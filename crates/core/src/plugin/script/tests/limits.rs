//! Each limit on a script, and one more than it allows.

use super::costs::{TOO_LARGE, run};
use super::*;
use crate::limits::{DEEPEST_METADATA, LONGEST_SHOWN_NAME};
use crate::plugin::script::cost;

#[test]
fn one_unit_more_than_a_call_may_weigh_is_refused() {
    let weight = usize::try_from(Bounds::WEIGHT).unwrap();
    cost::begin(cost::SCANNED);
    assert!(cost::charge(weight).is_ok());
    assert!(cost::charge(1).is_err() && !cost::operation(0));
}

#[test]
fn one_operation_more_than_a_call_may_take_is_refused() {
    cost::begin(cost::SCANNED);
    assert!((0..Bounds::OPERATIONS).all(|_| cost::operation(0)));
    assert!(!cost::operation(0));
}

#[test]
fn one_more_of_what_a_script_has_is_refused() {
    let calls = |more: usize| format!("deeper({})", Bounds::CALLS + more);
    // `jid`, and these.
    let variables = |more: usize| {
        let all = (1..Bounds::VARIABLES + more).map(|n| format!("let v{n} = `x`; "));
        all.collect::<Vec<_>>().concat() + "v1"
    };
    let given = |body: &str| {
        guid(&format!(
            "fn user_guid(jid) {{ {body} }} fn deeper(n) {{ if n == 1 {{ `x` }} else {{ deeper(n - 1) }} }}"
        ))
    };
    for (make, expected) in [
        (&calls as &dyn Fn(usize) -> String, "calls functions more than 8 deep"),
        (&variables, "has more than 32 variables at one time"),
    ] {
        assert_eq!(given(&make(0)), Ok("x".to_owned()), "{expected}");
        assert!(given(&make(1)).unwrap_err().contains(expected), "{expected}");
    }

    let functions = |more: usize| {
        let helpers = (1..Bounds::FUNCTIONS + more).map(|n| format!("fn helper{n}() {{ 1 }} "));
        helpers.collect::<Vec<_>>().concat() + "fn keep(event) { true }"
    };
    let long = |more: usize| {
        let script = "fn keep(event) { true } //";
        format!("{script}{}", "x".repeat(LONGEST_SCRIPT - script.len() + more))
    };
    // A function, its block, what it says and `true` are the others.
    let nesting = |more: usize| {
        format!("fn keep(event) {{ {}true }}", "!".repeat(Bounds::NESTING - 4 + more))
    };
    for (make, expected) in [
        (&functions as &dyn Fn(usize) -> String, "has more than 100 functions"),
        (&long, "has 262145 bytes; 262144 are allowed"),
        (&nesting, "has expressions or blocks more than 32 deep in each other"),
    ] {
        compile(&make(0));
        let error = Script::compile("p.rhai", &make(1)).map(drop).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}

#[test]
fn one_more_of_what_a_script_gives_is_refused() {
    // The map is the first.
    let deep = |more: usize| {
        let arrays = DEEPEST_METADATA - 1 + more;
        metadata(&format!("let a = 1; for i in 0..{arrays} {{ a = [a]; }} #{{ it: a }}"))
    };
    assert!(deep(0).is_ok(), "{:?}", deep(0));
    assert!(deep(1).unwrap_err().contains("more than 16 deep in each other"));
    let named = |letters: usize| {
        let name = "x".repeat(letters);
        metadata(&format!("#{{ `{name}`: blob(1) }}")).unwrap_err()
    };
    let shown = named(LONGEST_SHOWN_NAME);
    assert!(shown.contains(&"x".repeat(LONGEST_SHOWN_NAME)));
    assert_eq!(named(LONGEST_SHOWN_NAME + 1), shown);
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
