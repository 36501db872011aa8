//! What operators' commands need. Nobody has to be able to pause: what is missing is told, and is no problem.

use super::needs::{Need, Permission, Resource};
use super::{Finding, set_permissions};
use crate::config::Fleet;

/// What pausing needs; `None`: it is off.
pub(super) fn needs(fleet: Option<&Fleet>, declare: bool) -> Vec<Need> {
    let Some(fleet) = fleet.filter(|it| it.pause) else { return Vec::new() };
    let (stream, exchange) =
        (Resource::Queue(fleet.control()), Resource::Exchange(fleet.control()));
    let need = |permission, resource: &Resource, purpose| Need {
        permission,
        resource: resource.clone(),
        purpose,
        family: None,
    };
    let mut needs = vec![
        need(Permission::Write, &exchange, "let operators pause and resume"),
        need(Permission::Read, &stream, "read what operators pause"),
    ];
    if declare {
        let purpose = "declare the stream of operators' commands";
        needs.insert(0, need(Permission::Configure, &stream, purpose));
    }
    needs
}

/// One line about all that the user lacks, if that is anything.
pub(super) fn finding(user: &str, missing: &[&Need]) -> Option<Finding> {
    let first = missing.first()?;
    let words: Vec<_> = missing.iter().map(|it| it.permission.to_string()).collect();
    let name = first.resource.name();
    Some(Finding::good(format!(
        "permissions: {user} lacks {} on exchange and stream `{name}`, which pausing needs: `run` does without, and nobody can pause this \
         worker (docs/fleet.md); its regular expression is `{}`. To do without, set fleet.pause = false",
        words.join(", "),
        set_permissions::expression([name].into_iter())
    )))
}
