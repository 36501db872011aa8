//! Finds placeholders that are not filled in, as in MongooseIM's own files before its release is built: `{{name}}`.

use std::borrow::Cow;

use super::Malformed;
use super::server::{Form, Modules, Server};
use super::tree::{Node, Table, Value};

/// No placeholder's name is longer, in characters.
const LONGEST: usize = 200;

/// Looks where no syntax has a placeholder: outside of texts and comments.
///
/// # Errors
///
/// At the first one.
pub(super) fn refuse_outside_texts(text: &str, form: Form) -> Result<(), Malformed> {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        at += match c {
            '{' if begins_placeholder(rest) => return Err(malformed(text, at, form)),
            '"' | '\'' => quoted_length(rest, c, form),
            '$' if form == Form::Erlang => rest
                .chars()
                .take(if rest[1..].starts_with('\\') { 3 } else { 2 })
                .map(char::len_utf8)
                .sum(),
            '#' if form == Form::Toml => line_length(rest),
            '%' if form == Form::Erlang => line_length(rest),
            c => c.len_utf8(),
        };
    }
    Ok(())
}

/// Looks in the texts that are read. Elsewhere a text may have anything, such as MongooseIM's welcome message.
///
/// # Errors
///
/// At the line of the first one.
pub(super) fn refuse_in_texts(server: &Server, text: &str) -> Result<(), Malformed> {
    let of_modules = |modules: &Modules| {
        let tables = [&modules.sns, &modules.rabbit, &modules.muc, &modules.muc_light];
        tables.into_iter().flatten().find_map(line_in)
    };
    let of_pools = || {
        let of_hosts = server.hosts.iter().filter_map(|host| host.pool.as_ref());
        server.pools.iter().chain(of_hosts).find_map(|pool| line_in(&pool.connection))
    };
    let of_hosts = || server.hosts.iter().find(|it| has_placeholder(&it.name)).map(|it| it.line);
    let line = server.modules().find_map(of_modules).or_else(of_pools).or_else(of_hosts);
    let Some(line) = line else { return Ok(()) };
    let start = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
    let at = start + text[start..].find("{{").unwrap_or_default();
    Err(malformed(text, at, server.form))
}

fn line_in(table: &Table) -> Option<usize> {
    table.entries.iter().find_map(|(key, node)| line_of_node(key, node))
}

fn line_of_node(key: &str, node: &Node) -> Option<usize> {
    match &node.value {
        // A secret may have braces of its own.
        Value::Text(text) if key.contains("password") || key.contains("secret") => {
            let is_whole = text.starts_with("{{") && text.ends_with("}}");
            (is_whole && has_placeholder(text)).then_some(node.line)
        }
        Value::Text(text) => has_placeholder(text).then_some(node.line),
        Value::Table(table) => line_in(table),
        Value::List(items) => items.iter().find_map(|item| line_of_node(key, item)),
        Value::Integer(_) | Value::Flag(_) | Value::Other => None,
    }
}

fn has_placeholder(text: &str) -> bool {
    text.match_indices("{{").any(|(at, _)| begins_placeholder(&text[at..]))
}

/// Whether `{{name}}`, `{{{name}}}` or a mark such as `{{#name}}` begins here. Erlang's tuples in tuples are none.
fn begins_placeholder(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("{{") else { return false };
    let rest = rest.strip_prefix('{').unwrap_or(rest);
    let end = rest.char_indices().take(LONGEST).find(|(_, c)| matches!(c, '{' | '}' | ',' | '\n'));
    let Some((end, _)) = end.filter(|(end, _)| rest[*end..].starts_with("}}")) else {
        return false;
    };
    let name = rest[..end].trim_start_matches(['#', '/', '^', '&', '!', '>', '-', '.', '$', ' ']);
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The length of a text with its quotes. One that TOML ends nowhere on its line ends with the line.
fn quoted_length(rest: &str, quote: char, form: Form) -> usize {
    let triple = if quote == '"' { "\"\"\"" } else { "'''" };
    let many = form == Form::Toml && rest.starts_with(triple);
    let mark = if many { triple } else { &triple[..1] };
    let has_escapes = quote == '"' || form == Form::Erlang;
    let mut at = mark.len();
    while let Some(c) = rest[at..].chars().next() {
        if rest[at..].starts_with(mark) {
            return at + mark.len();
        }
        if c == '\n' && form == Form::Toml && !many {
            return at;
        }
        at += c.len_utf8();
        if c == '\\' && has_escapes {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    rest.len()
}

fn line_length(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

fn malformed(text: &str, at: usize, form: Form) -> Malformed {
    let files = match form {
        Form::Toml => {
            "etc/mongooseim.toml in its release's folder, or /etc/mongooseim/mongooseim.toml"
        }
        Form::Erlang => {
            "etc/mongooseim.cfg, in old releases etc/ejabberd.cfg, in its release's folder"
        }
    };
    let what = format!(
        "a placeholder, {{{{…}}}}, is not filled in here, so this is the template of a configuration; import the \
         rendered file that MongooseIM reads: {files}"
    );
    Malformed::at(text, at, Cow::Owned(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, form: Form) -> Option<(usize, usize)> {
        let error = refuse_outside_texts(text, form).err()?;
        assert!(error.what.contains("import the rendered file"), "{}", error.what);
        Some((error.line, error.column))
    }

    #[test]
    fn placeholders_are_found_outside_of_texts_and_comments() {
        for (text, form, place) in [
            ("a = 1\nport = {{port}}\n", Form::Toml, Some((2, 8))),
            ("{{{mod_last}}}\n", Form::Toml, Some((1, 1))),
            ("a = \"\\\"\"\n{{#mod_x}}\n{{/mod_x}}\n", Form::Toml, Some((2, 1))),
            ("a = 'x\\'\n  {{ .Values.hosts }}", Form::Toml, Some((2, 3))),
            ("a = \"\"\"\n\"{{b}}\n\"\"\"\n{{- c | quote }}", Form::Toml, Some((4, 1))),
            ("# {{a}}\nb = \"{{c}}\"\nd = '{{e}}'\nf = { g = { h = 1 } }", Form::Toml, None),
            ("a = \"unended\n{{b}}", Form::Toml, Some((2, 1))),
            ("%% {{a}}\n{hosts, {{{hosts}}} }.", Form::Erlang, Some((2, 9))),
            ("{a, $\", $\\\", \"%\"}.\n{{{s2s_addr}}}", Form::Erlang, Some((2, 1))),
            (
                "{{add, modules}, [{{5222, {0,0,0,0}}, '{{a}}', \"{{b}}\", {{c, d}}, {{}}]}.",
                Form::Erlang,
                None,
            ),
        ] {
            assert_eq!(found(text, form), place, "{text}");
        }
        for c in ["{", "{{a", "\"", "'", "$", "\\", "#", "%"] {
            assert_eq!(found(&c.repeat(300_000), Form::Erlang), None);
            assert_eq!(found(&c.repeat(300_000), Form::Toml), None);
        }
    }
}
