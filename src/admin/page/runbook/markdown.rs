//! The part of Markdown that the runbook uses, as HTML: headings, paragraphs, lists and lists in lists, `code`, *emphasis* and links.
//!
//! A link to another document becomes its words and the document's name: the worker does not serve the other documents.

use std::fmt::Write;

/// The HTML of a text that this program brings along.
pub(super) fn as_html(text: &str) -> String {
    // Writing to a string does not fail.
    let mut html = String::new();
    let mut open = Lists::default();
    for block in text.split("\n\n").map(|it| it.trim_matches('\n')).filter(|it| !it.is_empty()) {
        if let Some((level, title)) = heading(block) {
            open.close(&mut html, 0);
            let id = anchor(title);
            let _ = writeln!(html, "<h{level} id=\"{id}\">{}</h{level}>", inline(title));
            continue;
        }
        if items(block).is_none() {
            open.close(&mut html, 0);
            let _ = writeln!(html, "<p>{}</p>", inline(&joined(block)));
            continue;
        }
        for Item { depth, tag, text } in items(block).into_iter().flatten() {
            open.item(&mut html, depth, tag);
            html.push_str(&inline(&text));
        }
    }
    open.close(&mut html, 0);
    html
}

/// A heading's id, as GitHub makes it.
pub(super) fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn heading(block: &str) -> Option<(usize, &str)> {
    let title = block.trim_start_matches('#');
    let level = block.len() - title.len();
    (level > 0).then(|| (level, title.trim()))
}

/// Lines of a block as one.
fn joined(block: &str) -> String {
    block.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

struct Item {
    depth: usize,
    tag: &'static str,
    text: String,
}

/// The items of a list; `None`: the block is a paragraph.
fn items(block: &str) -> Option<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    for line in block.lines() {
        let text = line.trim_start();
        let depth = if line.len() - text.len() >= 3 { 2 } else { 1 };
        let numbered = text.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok());
        match (text.strip_prefix("- "), numbered, items.last_mut()) {
            (Some(text), ..) => items.push(Item { depth, tag: "ul", text: text.to_owned() }),
            (None, Some((_, text)), _) => {
                items.push(Item { depth, tag: "ol", text: text.to_owned() });
            }
            (None, None, Some(item)) => {
                item.text.push(' ');
                item.text.push_str(text);
            }
            (None, None, None) => return None,
        }
    }
    Some(items)
}

/// Lists whose last item is open.
#[derive(Default)]
struct Lists(Vec<&'static str>);

impl Lists {
    fn item(&mut self, html: &mut String, depth: usize, tag: &'static str) {
        self.close(html, depth);
        if self.0.len() == depth {
            html.push_str("</li>\n<li>");
        } else {
            self.0.push(tag);
            let _ = write!(html, "\n<{tag}>\n<li>");
        }
    }

    /// Closes lists until there are so many.
    fn close(&mut self, html: &mut String, depth: usize) {
        while self.0.len() > depth {
            let tag = self.0.pop().unwrap_or_default();
            let _ = write!(html, "</li>\n</{tag}>\n");
        }
    }
}

/// Code, emphasis and links in a line.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            let _ = write!(html, "<code>{}</code>", escaped(part));
        } else {
            html.push_str(&emphasis(&links(&escaped(part))));
        }
    }
    html
}

fn emphasis(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('*').enumerate() {
        if at % 2 == 1 {
            let _ = write!(html, "<em>{part}</em>");
        } else {
            html.push_str(part);
        }
    }
    html
}

fn links(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((words, (to, after))) =
            after.split_once("](").and_then(|(words, after)| Some((words, after.split_once(')')?)))
        else {
            break;
        };
        html.push_str(before);
        if to.starts_with('#') {
            let _ = write!(html, "<a href=\"{to}\">{words}</a>");
        } else {
            let document = to.split('#').next().unwrap_or(to);
            let _ = write!(html, "{words} (<code>docs/{document}</code>)");
        }
        rest = after;
    }
    html.push_str(rest);
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_elements_and_lists_stay_in_their_lists() {
        let text = "# Title\n\nA *b* `c<d>`\nand [e](f.md#g), [h](#title).\n\n1. one\n   more\n2. two:\n\n   - inner\n   - other\n\n3. three\n\nEnd & \"end\".\n";
        let expected = "<h1 id=\"title\">Title</h1>\n\
             <p>A <em>b</em> <code>c&lt;d&gt;</code> and e (<code>docs/f.md</code>), <a href=\"#title\">h</a>.</p>\n\
             \n<ol>\n<li>one more</li>\n<li>two:\n<ul>\n<li>inner</li>\n<li>other</li>\n</ul>\n</li>\n<li>three</li>\n</ol>\n\
             <p>End &amp; &quot;end&quot;.</p>\n";
        assert_eq!(as_html(text), expected);
    }

    #[test]
    fn an_anchor_is_the_heading_in_small_letters() {
        assert_eq!(anchor("Not connected to RabbitMQ"), "not-connected-to-rabbitmq");
        assert_eq!(anchor("A `b`: c-d?"), "a-b-c-d");
    }
}
