use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::Timestamp;
use serde::Serialize;

use super::{CommandContext, ExitStatus, dead_letters, print_json, print_line};
use crate::dead_letters::{BrowseCounts, DeadLettersError, Filter, Group, Letter, Summary, cause};
use crate::text::printable;

/// Characters of a reason or an error that a list shows; `show` and `--json` show all of it.
const SHOWN: usize = 300;

/// `list --json`.
#[derive(Serialize)]
struct Listing<'a> {
    queue: &'a str,
    letters: u64,
    matching: u64,
    unseen: u64,
    groups: Vec<Group>,
}

impl CommandContext<'_> {
    pub(super) async fn list(
        &self,
        filter: Filter,
        each: bool,
        json: bool,
    ) -> Result<ExitStatus, DeadLettersError> {
        let mut summary = Summary::default();
        let counts = self.dead_letters.list(&filter, self.stop, |letter| match (each, json) {
            (false, _) => summary.add(letter),
            (true, false) => print_line(&row(letter)),
            (true, true) => print_json(letter),
        });
        let counts = counts.await?;
        let end = self.exit_status(&counts);
        let groups = summary.into_groups();
        if json {
            if !each {
                let BrowseCounts { letters, matching, unseen, .. } = counts;
                print_json(&Listing { queue: self.queue(), letters, matching, unseen, groups });
            }
            return Ok(end);
        }
        if self.found_none(&counts, &filter) {
            return Ok(end);
        }
        for group in &groups {
            print_line(&paragraph(group));
        }
        let shown = if counts.matching < counts.letters {
            format!(", {} of them match the filter", counts.matching)
        } else {
            String::new()
        };
        print_line(&format!("{} in `{}`{shown}", dead_letters(counts.letters), self.queue()));
        Ok(end)
    }
}

/// A letter in a line.
pub(super) fn row(letter: &Letter) -> String {
    let content = &letter.content;
    let who = match (&content.from, &content.to) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (Some(from), None) => from.clone(),
        _ => String::new(),
    };
    let columns = [
        letter.id.to_string(),
        time_of_death(letter),
        short(&letter.cause()),
        content.kind.unwrap_or("other").to_owned(),
        who,
        short(letter.error.as_deref().unwrap_or_default()),
    ];
    let columns = columns.into_iter().filter(|column| !column.is_empty());
    printable(&columns.collect::<Vec<_>>().join("  "), false)
}

fn paragraph(group: &Group) -> String {
    let reason = cause(&short(&group.reason), group.by, group.trust);
    let error = group.error.as_ref().map(|error| format!(": {}", short(error)));
    let title = format!("{reason}{}", error.unwrap_or_default());
    let title = printable(&title, false);
    let mut lines = vec![format!("{:>7}  {title}", group.count)];
    let mut add = |line: String| lines.push(format!("         {}", printable(&line, false)));
    if group.oldest.is_some() {
        let claimed = match group.claimed_times {
            0 => String::new(),
            all if all == group.count => " (claimed)".to_owned(),
            some => format!(" ({some} claimed)"),
        };
        add(format!("died       {} to {}{claimed}", time(group.oldest), time(group.newest)));
    }
    add(format!("kinds      {}", counts(&group.kinds)));
    if !group.topics.is_empty() {
        add(format!("topics     {}", counts(&group.topics)));
    }
    if !group.sources.is_empty() {
        add(format!("sources    {}", counts(&group.sources)));
    }
    if group.astray > 0 {
        let from = "a queue of no configured source: a replay needs --to-queue";
        add(format!("astray     {} came from {from}", group.astray));
    }
    add(format!("such as    {}", group.example));
    lines.join("\n")
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn counts(counts: &BTreeMap<impl Display, u64>) -> String {
    let each: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    each.join(", ")
}

/// When it died, and whether that is only claimed.
pub(super) fn time_of_death(letter: &Letter) -> String {
    let claimed = if letter.failed_at_claimed { " (claimed)" } else { "" };
    format!("{}{claimed}", time(letter.failed_at))
}

/// To the second, which is what people compare with their clocks.
pub(super) fn time(time: Option<Timestamp>) -> String {
    time.map(|time| format!("{time:.0}")).unwrap_or_default()
}
