//! Filters as they come in: in a query, or in a body.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::dead_letters::Filter;
use crate::dead_letters::argument_parsers::{jid, kind, moment};

/// The filter in a body: each name with its values.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct FilterBody(BTreeMap<String, Vec<String>>);

impl FilterBody {
    pub(super) fn parse(&self) -> Result<Filter, String> {
        let each = |(name, values): (&String, &Vec<String>)| {
            values.iter().map(|it| (name.clone(), it.clone())).collect::<Vec<_>>()
        };
        filter(&self.0.iter().flat_map(each).collect::<Vec<_>>())
    }
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
