//! What the documents say is what the code has.

#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

#[path = "documents/logs.rs"]
mod logs;
#[path = "documents/permissions.rs"]
mod permissions;
#[path = "documents/schemas.rs"]
mod schemas;
#[path = "documents/versions.rs"]
mod versions;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use event_pusher_sns::config::reference;
use event_pusher_sns::event::Format;
use event_pusher_sns::observe::metrics::{MetricKind, REFERENCE};
use event_pusher_sns::outcome::{Reason, SkipReason};

const BEGIN: &str = "<!-- configuration: generated from config/default.toml; \
                     UPDATE_DOCUMENTS=1 cargo test --test documents -->\n";
const END: &str = "<!-- end of configuration -->";

const METRICS_BEGIN: &str = "<!-- metrics: generated from src/observe/metrics.rs; \
                             UPDATE_DOCUMENTS=1 cargo test --test documents -->\n";
const METRICS_END: &str = "<!-- end of metrics -->";

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap()
}

fn configuration_table() -> String {
    let mut table = "| key | default | |\n| --- | --- | --- |\n".to_owned();
    for row in reference() {
        let comment = row.comment.replace('\n', " ").replace('|', "\\|");
        let default =
            if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
        writeln!(table, "| `{}` | {default} | {comment} |", row.key).unwrap();
    }
    table
}

fn metrics_table() -> String {
    let mut table = "| metric | type | labels | |\n| --- | --- | --- | --- |\n".to_owned();
    for it in REFERENCE {
        let kind = match it.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let labels: Vec<_> = it.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = labels.join(", ");
        writeln!(table, "| `{}` | {kind} | {labels} | {} |", it.name(), it.help).unwrap();
    }
    table
}

/// The part between the marks is what the code says; on demand it is made so.
fn assert_generated(file: &str, begin: &str, end: &str, table: &str) {
    let text = read(file);
    let from = text.find(begin).unwrap_or_else(|| panic!("{file} has no {begin}")) + begin.len();
    let to = text.find(end).unwrap_or_else(|| panic!("{file} has no {end}"));
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        let updated = format!("{}{table}{}", &text[..from], &text[to..]);
        std::fs::write(path(file), updated).unwrap();
    } else {
        assert_eq!(&text[from..to], table, "run UPDATE_DOCUMENTS=1 cargo test --test documents");
    }
}

#[test]
fn the_configuration_table_lists_every_key_with_its_default() {
    assert_generated("README.md", BEGIN, END, &configuration_table());
}

#[test]
fn the_metrics_table_lists_every_metric_with_what_it_tells() {
    assert_generated("docs/metrics.md", METRICS_BEGIN, METRICS_END, &metrics_table());
}

#[test]
fn every_reason_for_a_dead_letter_is_explained() {
    for file in ["README.md", "docs/alerts.md"] {
        let text = read(file);
        for reason in Reason::ALL {
            assert!(text.contains(&format!("`{reason}`")), "{file} lacks {reason}");
        }
    }
    let page = read("src/admin/page/assets/index.html");
    for reason in Reason::ALL {
        assert!(page.contains(&format!("<option value=\"{reason}\">")), "the page lacks {reason}");
    }
}

#[test]
fn every_format_and_every_reason_to_skip_is_explained() {
    let text = read("docs/events.md");
    for (name, _) in Format::NAMED {
        assert!(text.contains(&format!("`{name}`")), "docs/events.md lacks {name}");
    }
    for reason in SkipReason::ALL {
        assert!(text.contains(&format!("| `{reason}` |")), "docs/events.md lacks {reason}");
    }
}

/// All Rust sources below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(below).filter(|path| path.extension().is_some_and(|it| it == "rs")).collect()
}

/// Whether a word in code type is the name of a test: a sentence.
fn is_test(word: &str) -> bool {
    word.matches('_').count() > 4
        && word.chars().all(|it| it == '_' || it.is_ascii_lowercase() || it.is_ascii_digit())
}

#[test]
fn the_tests_that_documents_name_are_there() {
    let code: String = ["src", "crates", "tests"]
        .iter()
        .flat_map(|folder| sources(&path(folder)))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    for name in read("docs/security.md").split('`').skip(1).step_by(2).filter(|it| is_test(it)) {
        let function = format!("fn {name}(");
        assert!(code.contains(&function), "docs/security.md names {name}, which is no test");
    }
    let text = read("docs/reliability.md");
    let (_, promises) = text.split_once("## Where each promise is tried").unwrap();
    let names: Vec<_> =
        promises.split('`').skip(1).step_by(2).filter(|it| !it.contains('.')).collect();
    assert!(names.len() > 30, "only {names:?}");
    for name in names {
        let function = format!("fn {name}(");
        assert!(code.contains(&function), "docs/reliability.md names {name}, which is no test");
    }
    let quoted = text.split('`').skip(1).step_by(2).map(Path::new);
    let files = quoted.filter(|it| it.extension().is_some_and(|it| it == "rs"));
    for file in files {
        let there = path("tests/promises").join(file).exists() || path("").join(file).exists();
        assert!(there, "docs/reliability.md names {}, which is no file", file.display());
    }
}

#[test]
fn the_readme_leads_to_each_document_once() {
    let readme = read("README.md");
    let (_, more) = readme.split_once("\n## More\n").unwrap();
    let links: Vec<_> = more.split("](").skip(1).filter_map(|it| it.split(')').next()).collect();
    let distinct: BTreeSet<_> = links.iter().copied().collect();
    assert_eq!(links.len(), distinct.len(), "twice: {links:?}");
    for entry in std::fs::read_dir(path("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_document = Path::new(&name).extension().is_some_and(|it| it == "md");
        let link = format!("docs/{name}");
        assert!(!is_document || distinct.contains(&*link), "no link to {link}");
    }
}
