//! What a script may say, and what happens if it says something else. No error shows a value.

mod costs;
mod limits;
mod worst;

use super::*;
use crate::event::{MessageKind, Meta};
use crate::plugin::{AttributeValue, conformance};

/// Stands in all that comes from the event.
const MARKER: &str = "planted-7f3a";

fn compile(text: &str) -> Script {
    Script::compile("p.rhai", text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

fn jid(jid: &str) -> Jid {
    Jid::new(jid).unwrap()
}

fn chat(body: &str) -> Message<'_> {
    let (from, to) = (jid(&format!("{MARKER}@a.example/phone")), jid("bob@b.example"));
    let meta = Meta {
        id: Some("42".into()),
        timestamp: "2026-01-31T12:00:00Z".parse().ok(),
        metadata: serde_json::from_str(
            r#"{"n":5,"r":0.5,"t":"x","o":{"l":[1,null,true]},"w":18446744073709551615}"#,
        )
        .unwrap(),
        ..Meta::default()
    };
    Message { kind: MessageKind::Chat, from, to, body: body.into(), meta }
}

fn guid(text: &str) -> Result<String, String> {
    let user = jid(&format!("{MARKER}@a.example/phone"));
    let said = compile(text).user_guid(&user).map(Cow::into_owned);
    said.map_err(|error| {
        assert!(!error.to_string().contains(MARKER), "{error}");
        error.to_string()
    })
}

fn metadata(text: &str) -> Result<String, String> {
    let text = format!("fn metadata(event) {{ {text} }}");
    let said = compile(&text).metadata(&Event::Message(chat(MARKER)));
    said.map(|it| serde_json::to_string(&it).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn a_jid_and_an_event_have_their_parts() {
    let parts = "[jid.local, jid.domain, jid.resource, jid.bare, jid.full]";
    let expected = format!(
        "{MARKER}|a.example|phone|{MARKER}@a.example|{MARKER}@a.example/phone|{MARKER}@a.example/phone|"
    );
    let text = format!(
        "fn user_guid(jid) {{ let s = ``; for it in {parts} {{ s += it + `|`; }} s + `${{jid}}|` }}"
    );
    assert_eq!(guid(&text), Ok(expected));
    for (expression, expected) in [
        ("event.kind", r#""chat""#),
        ("event.text == `planted-7f3a`", "true"),
        ("[event.id, event.timestamp]", r#"["42","2026-01-31T12:00:00Z"]"#),
        ("[event.user, event.present]", "[null,null]"),
        ("event.from == event.sender && event.from != event.to", "true"),
        ("event.to == `bob@b.example` && `bob@b.example` == event.to", "true"),
        ("[event.to.local, event.to.resource]", r#"["bob",""]"#),
        (
            "event.metadata",
            r#"{"n":5,"o":{"l":[1,null,true]},"r":0.5,"t":"x","w":"18446744073709551615"}"#,
        ),
        ("event.metadata.n + 1", "6"),
        ("event.metadata.absent", "null"),
        ("'c'", r#""c""#),
    ] {
        let said = metadata(&format!("#{{ it: {expression} }}"));
        assert_eq!(said, Ok(format!(r#"{{"it":{expected}}}"#)), "{expression}");
    }
}

#[test]
fn what_a_script_leaves_out_is_as_by_default() {
    let script = compile("fn keep(event) { event.text != `no` }");
    assert_eq!(script.user_guid(&jid("a@b/c")).unwrap(), "a@b");
    assert_eq!(script.keep(&Event::Message(chat("no"))), Ok(false));
    assert_eq!(script.metadata(&Event::Message(chat("x"))), Ok(Metadata::new()));
    assert_eq!(script.functions().collect::<Vec<_>>(), ["keep"]);
}

#[test]
fn attributes_are_texts_numbers_and_blobs() {
    let script = compile(
        "const KINDS = #{ chat: `pm` };
         fn message_attributes(topic_arn, from, to, kind, event) {
             #{ kind: KINDS[kind], n: event.text.len(), r: 0.5, b: blob(2, 7), topic: topic_arn.sub_string(0, 3) }
         }
         fn presence_attributes(topic_arn, user, present) { if present { #{ up: 1 } } }",
    );
    let topic = TopicArn::build("eu-west-1", "123456789012", "t").unwrap();
    let expected: Attributes = [
        ("b", AttributeValue::Binary(vec![7, 7])),
        ("kind", "pm".into()),
        ("n", 2.into()),
        ("r", 0.5.into()),
        ("topic", "arn".into()),
    ]
    .into_iter()
    .collect();
    assert_eq!(script.message_attributes(&topic, &chat("hi")), Ok(expected));
    let presence = |present| Presence { user: jid("a@b"), present, meta: Meta::default() };
    assert_eq!(script.presence_attributes(&topic, &presence(true)).unwrap().len(), 1);
    assert!(script.presence_attributes(&topic, &presence(false)).unwrap().is_empty());
}

#[test]
fn a_text_that_is_no_policy_is_refused_with_file_line_and_column() {
    let long = format!("// {}\nfn keep(event) {{ true }}", "x".repeat(LONGEST_SCRIPT));
    let deep = format!("fn keep(event) {{ {}1{} }}", "(".repeat(10_000), ")".repeat(10_000));
    let blocks = format!("fn keep(event) {}{}", "{".repeat(10_000), "}".repeat(10_000));
    for (text, expected) in [
        ("fn keep(event) {\n  if event.kind == `chat` {", "p.rhai:2:"),
        ("fn keep(event) { x }", "p.rhai:1:18: there is no variable `x`: a function sees"),
        ("let x = 1;\nfn keep(event) { x }", "p.rhai:2:18: there is no variable `x`"),
        (
            "",
            "p.rhai: the script defines none of a plugin's functions: keep(event), user_guid(jid), ",
        ),
        ("fn other() { 1 }", "p.rhai: the script defines none of a plugin's functions"),
        (
            "\n\nfn keep() { true }",
            "p.rhai:3:1: `keep` has 0 parameters, but is called as keep(event)",
        ),
        ("fn keep (a, b) { true }", "p.rhai:1:1: `keep` has 2 parameters"),
        (
            "// fn user_giud(\nfn user_giud(jid) { `x` }",
            "p.rhai:2:1: a plugin has no function `user_giud`: did you mean `user_guid(jid)`?",
        ),
        (
            "fn message_atributes(a, b, c, d, e) { #{} }",
            "p.rhai:1:1: a plugin has no function `message_atributes`",
        ),
        (
            "fn keeps(event) { true }",
            "p.rhai:1:1: a plugin has no function `keeps`: did you mean `keep(event)`? If it is a helper, write `private fn`",
        ),
        ("fn keep(event) { true } fn keep(other) { true }", "p.rhai:1:25: "),
        (
            "import `x` as x; fn keep(event) { true }",
            "p.rhai:1:1: `import` is a word that means nothing here",
        ),
        ("fn keep(event) { eval(`1`) }", "p.rhai:1:18: reserved keyword 'eval' is disabled"),
        (
            "fn keep(event) { print(event.text) }",
            "p.rhai:1:18: reserved keyword 'print' is disabled",
        ),
        ("const A = [1][3]; fn keep(event) { true }", "p.rhai:1:15: an index is out of the bounds"),
        ("loop {}\nfn keep(event) { true }", "p.rhai"),
        (&long, "p.rhai: has 262171 bytes; 262144 are allowed"),
        (&deep, "p.rhai:1:"),
        (&blocks, "p.rhai:1:"),
    ] {
        let error = Script::compile("p.rhai", text).map(drop).expect_err(text).to_string();
        assert!(error.starts_with(expected), "{error}\ninstead of\n{expected}");
    }
    compile("fn keep(event) { keeps(event) } private fn keeps(event) { true }");
}

#[test]
fn whatever_a_function_takes_is_bounded_and_said_with_its_place() {
    let operations = "takes more than 10000 operations";
    let data = "makes a value over the bounds: 262144 bytes of text, 1000 elements";
    for (body, expected) in [
        ("loop {}", operations),
        ("let n = 0; while true { n += 1; } ``", operations),
        ("for i in 0..1000000 { let x = i; } ``", operations),
        ("try { loop {} } catch { `caught` }", operations),
        ("user_guid(jid)", "calls functions more than 8 deep in each other"),
        ("let s = jid.full; loop { s += s; }", data),
        ("let s = ``; s.pad(1000000000, `x`); s", data),
        ("let a = [1]; loop { a += a; }", data),
        ("let a = []; loop { a = [a]; }", operations),
        ("let m = #{}; loop { m = #{ m: m }; }", operations),
        ("let a = []; a.pad(1000000000, 1); ``", data),
        ("blob(1000000000000); ``", data),
    ] {
        let error = guid(&format!("\nfn user_guid(jid) {{ {body} }}")).expect_err(body);
        assert!(error.starts_with("p.rhai:2:") && error.contains(expected), "{body}: {error}");
    }
}

#[test]
fn an_error_says_what_and_where_and_shows_no_value() {
    for (body, expected) in [
        ("throw jid.full", "1:21: throws an error, which is not shown"),
        ("jid.name", "1:25: Unknown property 'name'"),
        ("jid.full.foo()", "there is no function `foo (string)`"),
        ("foo(1)", "1:21: there is no function `foo (i64)`"),
        ("parse_int(jid.local)", "1:21: the arithmetic is impossible"),
        ("1 / 0", "the arithmetic is impossible"),
        ("jid.full[999]", "an index is out of the bounds of what has"),
        ("if jid.full { `x` }", "needs a value of type `bool`, not `string`"),
        ("sleep(1)", "1:21: there is no function `sleep (i64)`"),
        ("timestamp()", "1:21: there is no function `timestamp ()`"),
        ("private_helper(jid)", "there is no function `private_helper (Jid)`"),
        ("5", "1:1: gives a number, where it is to give a text"),
        ("jid", "1:1: gives a value of type `Jid`, where it is to give a text"),
        ("()", "1:1: gives nothing, where it is to give a text"),
    ] {
        let error = guid(&format!("fn user_guid(jid) {{ {body} }}")).expect_err(body);
        assert!(error.starts_with("p.rhai:1:") && error.contains(expected), "{body}: {error}");
    }
    let inner = guid("fn user_guid(jid) { help(jid) }\nfn help(jid) {\n 1 / 0 }").unwrap_err();
    assert!(
        inner.starts_with("p.rhai:3:4: "),
        "where it happened, not where it was called: {inner}"
    );
}

#[test]
fn a_value_of_the_wrong_type_is_named() {
    for (text, expected) in [
        ("[]", "gives a value of type `array`, where it is to give a map"),
        (
            "#{ it: blob(1) }",
            "gives a value of type `blob`, which JSON does not have, in the field `it`",
        ),
        (
            "#{ it: event }",
            "gives a value of type `Event`, which JSON does not have, in the field `it`",
        ),
        ("#{ it: 0.0 / 0.0 }", "gives a number that JSON does not have in the field `it`"),
        (
            "let a = 1; for i in 0..20 { a = [a]; } #{ it: a }",
            "more than 16 deep in each other in the field `it`",
        ),
    ] {
        let error = metadata(text).expect_err(text);
        assert!(error.starts_with("p.rhai:1:1: ") && error.contains(expected), "{text}: {error}");
    }
    let topic = TopicArn::build("eu-west-1", "123456789012", "t").unwrap();
    let script = compile("fn message_attributes(a, b, c, d, e) { #{ it: true } }");
    let error = script.message_attributes(&topic, &chat("x")).unwrap_err().to_string();
    assert!(
        error.contains("gives true or false as the attribute `it`, which is to be a text"),
        "{error}"
    );
    let script = compile("fn keep(event) { event.text }");
    let error = script.keep(&Event::Message(chat(MARKER))).unwrap_err().to_string();
    assert!(error.ends_with("gives a text, where it is to give true or false"), "{error}");
}

#[test]
fn constants_are_seen_in_all_functions_and_give_way_to_their_own_variables() {
    let script = compile(
        "const NAMES = #{ a: `of a` }; const A = `a`; const N = 1 + 1;
         fn user_guid(jid) { NAMES[A] + help() }
         fn help() { let list = [NAMES[A], N]; let N = 7; `, ${list[1]}, ${N}, ${NAMES.a}` }",
    );
    assert_eq!(script.user_guid(&jid("a@b")).unwrap(), "of a, 2, 7, of a");
}

#[test]
fn a_call_leaves_nothing_behind_for_the_next() {
    let script = compile("const C = [1]; fn user_guid(jid) { let c = C; c.push(2); `${c.len()}` }");
    for _ in 0..3 {
        assert_eq!(script.user_guid(&jid("a@b")).unwrap(), "2");
    }
}

#[test]
fn conformance_tells_each_trouble_once_and_on_which_sample() {
    let eleven = (0..11).map(|n| format!("a{n}: `x\t`, ")).collect::<Vec<_>>().concat();
    let script = compile(&format!(
        "fn keep(event) {{ event.text.len() > 0 }}
         fn user_guid(jid) {{ jid.local }}
         fn presence_attributes(t, u, p) {{ #{{ `a b`: 1 }} }}
         fn message_attributes(t, f, o, k, e) {{ #{{ {eleven} }} }}
         fn metadata(event) {{ #{{ message: 1 }} }}"
    ));
    let said: Vec<_> = conformance(&script).iter().map(ToString::to_string).collect();
    let advice = conformance(&script).iter().filter(|it| !it.is_fault).count();
    let expected = [
        "`keep`, on a presence: p.rhai:1:",
        "`presence_attributes`, on a presence: the plugin's attribute `a b` has a name",
        "`metadata`, on a presence: would overwrite the body's own field `message`",
        "`user_guid`, on a presence of a server: gives an empty id",
        "`message_attributes`, on a chat message: gives 11 attributes: SQS queues",
        "`message_attributes`, on a chat message: gives the attribute `a0` a tab or a line break",
    ];
    assert_eq!((said.len(), advice), (expected.len(), 2), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\ninstead of\n{expected}");
    }
}
