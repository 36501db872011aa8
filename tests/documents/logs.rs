//! `docs/logs.md` lists every event that the program logs, with its level and its fields.

use std::collections::{BTreeMap, BTreeSet};

use super::{path, read, sources};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The levels and the fields of each event.
type Events = BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>;

fn is_snake_case(name: &str) -> bool {
    let is_plain = |it: char| it == '_' || it.is_ascii_lowercase() || it.is_ascii_digit();
    name.starts_with(|it: char| it.is_ascii_lowercase()) && name.chars().all(is_plain)
}

/// What follows `NAME!(` at each call of a macro.
fn calls<'a>(code: &'a str, name: &str) -> Vec<&'a str> {
    let called = format!("{name}!(");
    let is_longer = |before: &str| before.ends_with(|it: char| it == '_' || it.is_alphanumeric());
    let is_comment = |before: &str| before.lines().next_back().is_some_and(|it| it.contains("//"));
    let at = code.match_indices(&called).map(|(at, _)| code.split_at(at));
    let real = at.filter(|(before, _)| !is_longer(before) && !is_comment(before));
    real.map(|(_, call)| &call[called.len()..]).collect()
}

/// The arguments of a call, up to the parenthesis that ends it.
fn arguments(call: &str) -> Vec<String> {
    let (mut all, mut depth, mut in_text, mut escaped) = (vec![String::new()], 0, false, false);
    for it in call.chars() {
        match it {
            '"' if !escaped => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' | ']' | '}' if !in_text && depth == 0 => break,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = in_text && it == '\\' && !escaped;
        all.last_mut().unwrap().push(it);
    }
    all.into_iter().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// The event that a call logs, and its other fields. What follows the message is no field.
fn event_of(call: &str) -> (String, Vec<String>) {
    let arguments = arguments(call);
    let name = arguments.first().and_then(|it| it.strip_prefix("event = \"")?.strip_suffix('"'));
    let name = name.unwrap_or_else(|| {
        panic!("the first field must be `event`, a literal: {arguments:#?}");
    });
    assert!(is_snake_case(name), "{name}");
    let fields = arguments[1..].iter().take_while(|it| !it.starts_with('"'));
    let field = |it: &String| {
        let (name, _) = it.split_once(" = ").unwrap_or((it.as_str(), ""));
        name.trim_start_matches(['%', '?']).to_owned()
    };
    (name.to_owned(), fields.map(field).collect())
}

fn logged() -> Events {
    let mut events = Events::new();
    for file in ["src", "crates"].iter().flat_map(|folder| sources(&path(folder))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        assert!(calls(code, "event").is_empty(), "{}: a macro of a level, please", file.display());
        for level in LEVELS {
            for call in calls(code, level) {
                let (name, fields) = event_of(call);
                let event = events.entry(name).or_default();
                event.0.insert(level.to_uppercase());
                event.1.extend(fields);
            }
        }
    }
    events
}

fn documented() -> Events {
    let text = read("docs/logs.md");
    let (_, events) = text.split_once("\n## Events\n").unwrap();
    let rows = events.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut events = Events::new();
    for row in rows {
        let [name, level, fields, meaning] = row.splitn(4, '|').collect::<Vec<_>>()[..] else {
            panic!("not four columns: {row}");
        };
        assert!(meaning.trim_end_matches('|').trim().len() > 10, "{row}");
        let fields = fields.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        let row = (BTreeSet::from([level.trim().to_owned()]), fields);
        let name = name.trim().trim_end_matches('`').to_owned();
        assert!(events.insert(name.clone(), row).is_none(), "{name} has two rows");
    }
    events
}

#[test]
fn every_log_line_has_an_event_that_the_documents_explain() {
    let (logged, documented) = (logged(), documented());
    assert!(logged.len() > 40, "only {} events", logged.len());
    for (name, event) in &logged {
        assert_eq!(Some(event), documented.get(name), "`{name}`: the code, and docs/logs.md");
    }
    let gone: Vec<_> = documented.keys().filter(|name| !logged.contains_key(*name)).collect();
    assert!(gone.is_empty(), "docs/logs.md explains what is not logged: {gone:?}");
}

#[test]
fn a_call_is_read_as_the_compiler_reads_it() {
    let call = "\n  event = \"stopped\", %at, ?topic.name, by = f(a, \"),\"), \"a {}, b\", other);";
    let (name, fields) = event_of(call);
    assert_eq!(name, "stopped");
    assert_eq!(fields, ["at", "topic.name", "by"]);
    let code = "warn!(a); // warn!(b)\n/// warn!(c)\nforewarn!(d); tracing::warn!(e)";
    assert_eq!(calls(code, "warn").len(), 2);
}
