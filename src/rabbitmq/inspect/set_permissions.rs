//! Words permissions for `rabbitmqctl set_permissions`: three regular expressions, for configure, write and read.

use super::needs::{Need, Permission};
use crate::config::{Amqp, AmqpUri};
use crate::limits::LONGEST_SHORT;
use crate::untrusted::one_line;

/// The user of the configured address, in one visible line.
pub(super) fn user(amqp: &Amqp) -> Option<String> {
    let user = amqp.uris.first()?.user()?;
    Some(one_line(&user, LONGEST_SHORT))
}

/// The command that gives the user these permissions and no others.
pub(super) fn command(amqp: &Amqp, needs: &[Need]) -> String {
    let vhost = amqp.uris.first().map_or_else(|| "/".to_owned(), AmqpUri::vhost);
    let user = user(amqp).map_or_else(|| "USER".to_owned(), |user| quoted(&user));
    let of = |permission: Permission| {
        let names =
            needs.iter().filter(|it| it.permission == permission).map(|it| it.resource.name());
        quoted(&expression(names))
    };
    format!(
        "rabbitmqctl set_permissions -p {} {user} {} {} {}",
        quoted(&one_line(&vhost, LONGEST_SHORT)),
        of(Permission::Configure),
        of(Permission::Write),
        of(Permission::Read)
    )
}

/// Matches these names and no other; `^$` matches none.
pub(super) fn expression<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.map(escaped).collect();
    names.sort_unstable();
    names.dedup();
    match &*names {
        [] => "^$".to_owned(),
        [name] => format!("^{name}$"),
        names => format!("^({})$", names.join("|")),
    }
}

fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if "\\.^$|()[]{}*+?".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// For a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_its_names_and_no_other() {
        let of = |names: &[&str]| expression(names.iter().copied());
        assert_eq!(of(&[]), "^$");
        assert_eq!(of(&["event-pusher-sns"]), "^event-pusher-sns$");
        assert_eq!(of(&["a.b", "a+b", "a.b"]), r"^(a\+b|a\.b)$");
        assert_eq!(of(&[r"x\y(z)"]), r"^x\\y\(z\)$");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
