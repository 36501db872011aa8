//! What a script can do at its worst, over and over: tests count what it weighs, and `cargo bench --bench scripts`
//! measures how long it takes.

/// What the event's text may be made of, up to the bound: one byte a letter, two, what is trimmed and split, what is a
/// number, what becomes three letters, what is escaped, and a bit of all.
pub(crate) const LETTERS: [&str; 7] = ["a", "ß", " ", "0", "ΐ", "\u{7}", "aß,b "];

/// Helpers of all of them.
pub(crate) const HELPERS: &str = "fn f(x) { x } const C = [1];";

/// With an array, a map and a blob, almost as large as they may be.
const WITH_VALUES: &str = "let a = []; a.pad(990, 1); let m = e.metadata; let b = blob(1000)";

/// What is done: a heading, `== texts`, and a line each. Below `texts` are `t`, the event's text, and `e`, the event;
/// below `values` `a`, `m` and `b` of [`WITH_VALUES`]; below `nested` as many arrays in an array as there may be; below
/// `names` `m`, a map whose names are long; `plain` has nothing long; `long` has it in the script, where capital letters
/// stand for it.
fn bodies(heading: &str) -> impl Iterator<Item = &'static str> {
    let heading = format!("== {heading}");
    let lines = include_str!("worst.txt").lines().skip_while(move |it| *it != heading).skip(1);
    lines.take_while(|it| !it.starts_with("== "))
}

/// What is long in the script itself, with a name.
fn long() -> Vec<(String, String)> {
    let literal = |letters: &str| format!("`{}`", letters.repeat(8 * 1024 / letters.len()));
    let (a, ss) = (literal("a"), literal("ß"));
    let list = (0..900).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let texts = (0..900).map(|n| format!("`x{n}`")).collect::<Vec<_>>().join(", ");
    let entries = (0..240).map(|n| format!("k{n}: {n}")).collect::<Vec<_>>().join(", ");
    let cases = (0..5000).map(|n| format!("`x{n}` => {n}, ")).collect::<Vec<_>>().concat();
    let ranges = |many: usize| {
        (0..many).map(|n| format!("{n}..{} => 1, ", n + 2)).collect::<Vec<_>>().concat()
    };
    let (few, many) = (ranges(60), ranges(12_000));
    let filled = |name: &str| {
        name.replace("LIST", &list)
            .replace("TEXTS", &texts)
            .replace("ENTRIES", &entries)
            .replace("CASES", &cases)
            .replace("FEW", &few)
            .replace("MANY", &many)
            .replace("SS", &ss)
            .replace('A', &a)
    };
    bodies("long").map(|name| (name.to_owned(), filled(name))).collect()
}

/// What metadata the event has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Metadata {
    /// As many entries as there may be.
    Entries,
    /// The same, and their names are as long as they may be together.
    Names,
    /// Arrays in an array.
    Nested,
}

impl Metadata {
    pub(crate) fn json(self) -> serde_json::Map<String, serde_json::Value> {
        match self {
            Self::Entries => (0..249).map(|n| (format!("k{n}"), n.into())).collect(),
            Self::Names => (0..249).map(|n| (format!("{n:0>1000}"), n.into())).collect(),
            Self::Nested => {
                [("nested".to_owned(), vec![vec![1]; 490].into())].into_iter().collect()
            }
        }
    }
}

/// One of them, as a script that does it until its bounds are reached.
#[derive(Debug)]
pub(crate) struct Worst {
    pub(crate) name: String,
    pub(crate) metadata: Metadata,
    pub(crate) script: String,
    /// And one that does it once.
    #[allow(dead_code, reason = "only counted, not measured")]
    pub(crate) once: String,
}

pub(crate) fn all() -> Vec<Worst> {
    let g = "fn g(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) { a }";
    let keep = |body: &str| format!("{HELPERS} {g} fn keep(e) {{ {body} true }}");
    let worst = |name: &str, metadata, begin: &str, body: &str| Worst {
        name: name.to_owned(),
        metadata,
        script: keep(&format!("{begin}; loop {{ {body} }}")),
        once: keep(&format!("{begin}; {{ {body} }}")),
    };
    let with = |heading: &str, metadata, begin: &'static str| {
        bodies(heading).map(move |body| worst(body, metadata, begin, body)).collect::<Vec<_>>()
    };
    let mut all = with("texts", Metadata::Entries, "let t = e.text");
    all.extend(with("values", Metadata::Entries, WITH_VALUES));
    all.extend(with("nested", Metadata::Nested, "let nested = e.metadata.nested"));
    all.extend(with("names", Metadata::Names, "let m = e.metadata"));
    all.extend(with("plain", Metadata::Entries, ""));
    all.extend(long().iter().map(|(name, body)| worst(name, Metadata::Entries, "", body)));
    all
}
