//! Words what the user may do for the view of the fleet.

use super::super::needs::{Need, Resource};
use super::super::{Finding, set_permissions};
use super::Right;
use crate::config::Fleet;
use crate::rabbitmq::fleet::queue_prefix;

/// Whether the user may take part in the fleet. If not, `run` does without, so it is no problem.
pub(super) fn seeing_the_fleet(user: &str, fleet: &Fleet, rights: &[(&Need, Right)]) -> Finding {
    let name = &fleet.name;
    let lacking = rights.iter().filter(|(_, right)| *right == Right::Missing);
    let lacking: Vec<_> = lacking
        .map(|(Need { permission, resource, .. }, _)| match resource {
            Resource::Exchange(_) => format!("{permission} on {resource}"),
            Resource::Queue(_) => format!("{permission} on queues `{}*`", queue_prefix(fleet)),
        })
        .collect();
    if !lacking.is_empty() {
        return Finding::good(format!(
            "fleet: {user} lacks {}, so `run` does not see the other workers of the fleet `{name}`, and they don't see it; add the regular \
             expression `{}` to configure, write and read, or set fleet.view = false",
            lacking.join(", "),
            set_permissions::expression_of_fleet(fleet)
        ));
    }
    let unknown = rights.iter().find_map(|(_, right)| match right {
        Right::Unknown(why) => Some(why),
        _ => None,
    });
    Finding::good(match unknown {
        Some(why) => {
            format!(
                "fleet: can't tell whether {user} may see the other workers of the fleet `{name}`: {why}"
            )
        }
        None => {
            format!("fleet: {user} may see the other workers of the fleet `{name}`, and tell them")
        }
    })
}
