//! Filters as they come in: in a query, or in a body.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::dead_letters::Filter;
use crate::dead_letters::argument_parsers::{jid, kind, moment};
use crate::untrusted::one_line;

/// Bytes of a filter in a line of the log: some hundred letters that were chosen one by one.
const LONGEST_FILTER: usize = 4000;

/// The filter in a body: each name with its values.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct FilterBody(BTreeMap<String, Vec<String>>);

impl FilterBody {
    pub(super) fn parse(&self) -> Result<Filter, String> {
        filter(&self.pairs())
    }

    /// As the commands' options, for the log.
    pub(super) fn as_options(&self) -> String {
        as_options(&self.pairs())
    }

    fn pairs(&self) -> Vec<(String, String)> {
        let each = |(name, values): (&String, &Vec<String>)| {
            values.iter().map(|it| (name.clone(), it.clone())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(each).collect()
    }
}

/// A filter as the options of a command that means the same letters, for the log.
pub(super) fn as_options(pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return "none (all letters)".to_owned();
    }
    let option = |(name, value): &(String, String)| format!("--{name} {}", in_shell(value));
    let options = pairs.iter().map(option).collect::<Vec<_>>().join(" ");
    one_line(&options, LONGEST_FILTER)
}

/// As a word of a shell.
fn in_shell(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:/@%+,=".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// The command line's filters, by the same names.
pub(super) fn filter(pairs: &[(String, String)]) -> Result<Filter, String> {
    let mut filter = Filter::default();
    for (name, value) in pairs {
        let wrong = |why: String| format!("{name}: {why}");
        match name.as_str() {
            "reason" => filter.reasons.push(value.clone()),
            "kind" => filter.kinds.push(kind(value).map_err(wrong)?),
            "topic" => filter.topics.push(value.clone()),
            "source" => filter.sources.push(value.clone()),
            "user" => filter.users.push(jid(value).map_err(wrong)?),
            "room" => filter.rooms.push(jid(value).map_err(wrong)?),
            "since" => filter.since = Some(moment(value).map_err(wrong)?),
            "until" => filter.until = Some(moment(value).map_err(wrong)?),
            "error" => filter.error = Some(value.clone()),
            "id" => filter.ids.push(value.clone()),
            "limit" => {
                let number = value.parse().ok().filter(|it| *it > 0);
                filter.limit =
                    Some(number.ok_or_else(|| wrong("give a number of 1 or more".to_owned()))?);
            }
            _ => return Err(format!("there is no filter `{name}`")),
        }
    }
    Ok(filter)
}
