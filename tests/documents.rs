//! What the documents say is what the code has.

#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

use std::fmt::Write;

use event_pusher_sns::config::reference;
use event_pusher_sns::event::Format;
use event_pusher_sns::outcome::{Reason, SkipReason};

const BEGIN: &str = "<!-- configuration: generated from config/default.toml; \
                     UPDATE_DOCUMENTS=1 cargo test --test documents -->\n";
const END: &str = "<!-- end of configuration -->";

fn readme() -> (std::path::PathBuf, String) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
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

#[test]
fn the_configuration_table_lists_every_key_with_its_default() {
    let (path, text) = readme();
    let begin = text.find(BEGIN).expect("README.md has no configuration table") + BEGIN.len();
    let end = text.find(END).expect("README.md has no end of the configuration table");
    let table = configuration_table();
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        let updated = format!("{}{table}{}", &text[..begin], &text[end..]);
        std::fs::write(path, updated).unwrap();
    } else {
        assert_eq!(&text[begin..end], table, "run UPDATE_DOCUMENTS=1 cargo test --test documents");
    }
}

#[test]
fn every_reason_for_a_dead_letter_is_explained() {
    let (_, text) = readme();
    for reason in Reason::ALL {
        assert!(text.contains(&format!("`{reason}`")), "README.md lacks {reason}");
    }
}

#[test]
fn every_format_and_every_reason_to_skip_is_explained() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md");
    let text = std::fs::read_to_string(path).unwrap();
    for (name, _) in Format::NAMED {
        assert!(text.contains(&format!("`{name}`")), "docs/events.md lacks {name}");
    }
    for reason in SkipReason::ALL {
        assert!(text.contains(&format!("| `{reason}` |")), "docs/events.md lacks {reason}");
    }
}
