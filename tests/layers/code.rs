//! The project's Rust, and Rust without its comments and texts.

use std::fs;
use std::path::{Path, PathBuf};

/// All files of Rust below a folder, named from there, with their texts.
pub(crate) fn files(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    found
}

/// Keywords and identifiers with their lines.
pub(crate) fn words_of(text: &str) -> Vec<(usize, String)> {
    // What `env!` reads is the compiler's environment, not the process's.
    let code = code_of(text).replace("env!", "");
    let of_line = |(index, line): (usize, &str)| {
        let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let words = words.filter(|word| !word.is_empty());
        words.map(|word| (index + 1, word.to_owned())).collect::<Vec<_>>()
    };
    code.lines().enumerate().flat_map(of_line).collect()
}

/// The text without what comments, strings and characters have in them; lines stay.
pub(crate) fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = comment(rest).or_else(|| literal(rest)).unwrap_or(0);
        let (passed, after) = rest.split_at(length.max(first.len_utf8()));
        if length == 0 {
            code.push(first);
        } else {
            code.extend(passed.chars().filter(|c| *c == '\n'));
            code.push(' ');
        }
        rest = after;
    }
    code
}

/// How many bytes of a comment the text begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut depth = 0;
    let mut at = 0;
    text.starts_with("/*").then(|| {
        while at < text.len() {
            match text.as_bytes()[at..] {
                [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
                [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        at
    })
}

/// How many bytes of a string or character the text begins with; a lifetime is neither.
fn literal(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", &raw[..hashes]);
            let opening = 1 + hashes + 1;
            return text[opening..].find(&end).map(|at| opening + at + end.len());
        }
        return None;
    }
    let quote = text.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            c if c == quote => return Some(at + 1),
            // A lifetime has no end; a character that is not escaped ends after one.
            _ if quote == '\'' && !text[at + c.len_utf8()..].starts_with('\'') && at == 1 => {
                return None;
            }
            _ => {}
        }
    }
    None
}
