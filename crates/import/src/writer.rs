//! Writes the resulting configuration, with its comments.

use std::fmt::{self, Display, Write};

use event_pusher_core::text::{is_unprintable, printable};

/// Where comments end.
const WIDTH: usize = 110;

/// Longer names are cut, in characters.
const LONGEST_NAME: usize = 200;

/// A name of the input, for people.
pub(super) fn shown(name: &str) -> String {
    let mut shown = printable(&name.chars().take(LONGEST_NAME).collect::<String>(), false);
    if name.chars().nth(LONGEST_NAME).is_some() {
        shown.push('…');
    }
    shown
}

/// Something of the input that has no place in the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Of the input, from 1.
    line: usize,
    /// What it is called there; no value, which may be a secret.
    what: String,
    why: String,
}

impl Unsupported {
    pub(super) fn new(line: usize, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { line, what: what.into(), why: why.into() }
    }
}

impl Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, what, why } = self;
        let end = if why.ends_with([':', '?']) { "" } else { "." };
        write!(f, "{} (line {line}) {}{end}", shown(what), printable(why, false))
    }
}

/// TOML in the making.
#[derive(Default)]
pub(super) struct TomlWriter {
    text: String,
    pub choices: usize,
    pub left_out: usize,
    pub secrets: usize,
    pub to_do: usize,
}

impl TomlWriter {
    pub(super) fn finish(self) -> String {
        self.text
    }

    /// Continues with `[name]`, which is written as TOML has it.
    pub(super) fn group(&mut self, name: &str) {
        self.blank();
        self.line(&format!("[{name}]"));
    }

    pub(super) fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A text.
    pub(super) fn set(&mut self, key: &str, text: &str) {
        self.set_plain(key, quoted(text));
    }

    /// What is written as it is shown: a number, a flag, a list.
    pub(super) fn set_plain(&mut self, key: &str, value: impl Display) {
        self.line(&format!("{key} = {value}"));
    }

    /// A comment.
    pub(super) fn comment(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH && line.len() > 1 {
                self.line(&line);
                line = String::from("#  ");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    /// A comment on something that had to be decided.
    pub(super) fn choice(&mut self, text: &str) {
        self.choices += 1;
        self.comment(&format!("choice: {text}"));
    }

    /// A comment on what must be added before a worker can start.
    pub(super) fn leave_to_do(&mut self, text: &str) {
        self.to_do += 1;
        self.comment(&format!("TODO: {text}"));
    }

    /// A comment on a secret that is not written.
    pub(super) fn secret(&mut self, text: &str) {
        self.secrets += 1;
        self.comment(&format!("secret: {text}"));
    }

    /// A comment on what could not be carried over.
    pub(super) fn leave_out(&mut self, unsupported: &Unsupported) {
        self.left_out += 1;
        self.comment(&format!("NOT CARRIED OVER: {unsupported}"));
    }

    pub(super) fn leave_out_all(&mut self, unsupported: &[Unsupported]) {
        for unsupported in unsupported {
            self.leave_out(unsupported);
        }
    }

    /// Continues with what was written elsewhere.
    pub(super) fn append(&mut self, other: &Self) {
        self.text.push_str(&other.text);
    }

    /// Lines in a comment, as they are.
    pub(super) fn comment_lines(&mut self, text: &str) {
        for line in text.lines() {
            self.line(format!("#     {line}").trim_end());
        }
    }

    /// Comments may have no control characters, and what is quoted in them may be anything.
    fn line(&mut self, line: &str) {
        self.text.push_str(&printable(line, false));
        self.text.push('\n');
    }
}

/// A text, or a name that has dots in it, on one line of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_unprintable(c) => {
                // Writing to a text never fails.
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
