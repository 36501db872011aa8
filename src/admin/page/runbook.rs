//! The runbook, docs/runbook.md, as a page of its own. It is compiled in, so that it is there at night, wherever the documents are.

mod markdown;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;

/// The text, as the documents have it.
const RUNBOOK: &str = include_str!("../../../docs/runbook.md");

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
                    <meta name=\"color-scheme\" content=\"light dark\">\n<title>Runbook · event-pusher-sns</title>\n\
                    <link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n\
                    <link rel=\"stylesheet\" href=\"/page.css\">\n</head>\n<body>\n\
                    <header><p class=\"brand\"><strong>event-pusher-sns</strong></p><a href=\"/\">Back to the page</a></header>\n\
                    <main class=\"runbook\">\n";

const TAIL: &str = "</main>\n</body>\n</html>\n";

static PAGE: LazyLock<String> =
    LazyLock::new(|| format!("{HEAD}{}{TAIL}", markdown::as_html(RUNBOOK)));

pub(super) async fn page() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::admin::page::section::Section;

    #[test]
    fn each_headline_leads_to_a_section_that_is_there_and_each_section_is_led_to() {
        let headings = RUNBOOK.lines().filter_map(|line| line.strip_prefix("## "));
        let there: BTreeSet<_> = headings.map(markdown::anchor).collect();
        let led_to: BTreeSet<_> = Section::ALL.iter().map(|it| it.anchor().to_owned()).collect();
        assert_eq!(led_to, there);
        assert_eq!(led_to.len(), Section::ALL.len(), "two have one section");
        for section in Section::ALL {
            let place = format!("<h2 id=\"{}\">", section.anchor());
            assert_eq!(PAGE.matches(&place).count(), 1, "{place}");
        }
    }

    #[test]
    fn the_events_of_a_section_are_logged() {
        let logs = include_str!("../../../docs/logs.md");
        for section in Section::ALL {
            for event in section.events() {
                let row = logs.lines().find(|line| line.starts_with(&format!("| `{event}` |")));
                let row = row.unwrap_or_else(|| panic!("docs/logs.md lacks {event}"));
                assert!(row.contains("| WARN |") || row.contains("| ERROR |"), "{row}");
            }
        }
    }

    #[test]
    fn nothing_of_the_markup_is_left_and_links_stay_on_the_page() {
        for left in ["](", "**", "```", "\n- ", ">1. "] {
            assert!(!PAGE.contains(left), "{left:?} is left");
        }
        let links = PAGE.split("href=\"").skip(1).filter_map(|it| it.split('"').next());
        for link in links {
            let id = link.strip_prefix('#').map(|it| format!("id=\"{it}\""));
            assert!(link.starts_with('/') || id.is_some_and(|it| PAGE.contains(&it)), "{link}");
        }
    }
}
