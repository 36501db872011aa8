//! Words permissions for `rabbitmqctl set_permissions`: three regular expressions, for configure, write and read.

use std::fmt;

use super::needs::{Need, Permission, escaped};
use crate::config::{Amqp, AmqpUri, Fleet};
use crate::limits::LONGEST_SHORT;
use crate::untrusted::one_line;

/// A user in a virtual host, each in one visible line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// `None` where a client certificate says who it is.
    pub(super) user: Option<String>,
    vhost: String,
}

impl Account {
    /// Of an address.
    pub(super) fn of(uri: &AmqpUri) -> Self {
        let visible = |text: String| one_line(&text, LONGEST_SHORT);
        Self { user: uri.user().map(visible), vhost: visible(uri.vhost()) }
    }

    /// Of all configured addresses, in their order and each once.
    pub(super) fn all(amqp: &Amqp) -> Vec<Self> {
        let mut accounts: Vec<Self> = Vec::new();
        for account in amqp.uris.iter().map(Self::of) {
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
        accounts
    }

    /// The command that gives the user these permissions and no others, but those for the `fleet`.
    pub(super) fn command(&self, needs: &[Need], fleet: Option<&Fleet>) -> String {
        let user = self.user.as_ref().map_or_else(|| "USER".to_owned(), |user| quoted(user));
        let of = |permission: Permission| {
            let of_it = needs.iter().filter(|it| it.permission == permission);
            let names = of_it.map(Need::expression).chain(fleet.map(pattern));
            quoted(&anchored(names.collect()))
        };
        format!(
            "`rabbitmqctl set_permissions -p {} {user} {} {} {}`",
            quoted(&self.vhost),
            of(Permission::Configure),
            of(Permission::Write),
            of(Permission::Read)
        )
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(f, "user `{user}` in vhost `{}`", self.vhost),
            None => write!(f, "the client certificate's user in vhost `{}`", self.vhost),
        }
    }
}

impl Need {
    /// Matches the name, or those of all that it stands for.
    fn expression(&self) -> String {
        self.family.clone().unwrap_or_else(|| escaped(self.resource.name()))
    }

    /// The same as a whole regular expression.
    pub(super) fn anchored(&self) -> String {
        anchored(vec![self.expression()])
    }
}

/// Matches these names and no other; `^$` matches none.
pub(super) fn expression<'a>(names: impl Iterator<Item = &'a str>) -> String {
    anchored(names.map(escaped).collect())
}

/// Matches the exchange of a fleet and the queues of its workers, and nothing else.
pub(super) fn expression_of_fleet(fleet: &Fleet) -> String {
    anchored(vec![pattern(fleet)])
}

fn pattern(fleet: &Fleet) -> String {
    format!(r"{}(\..+)?", escaped(&fleet.exchange()))
}

fn anchored(mut names: Vec<String>) -> String {
    names.sort_unstable();
    names.dedup();
    match &*names {
        [] => "^$".to_owned(),
        [name] => format!("^{name}$"),
        names => format!("^({})$", names.join("|")),
    }
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
        let fleet = Fleet { name: "a.b".to_owned(), view: true, pause: true };
        assert_eq!(expression_of_fleet(&fleet), r"^a\.b\.fleet(\..+)?$");
        let command = Account::default().command(&[], Some(&fleet));
        assert_eq!(command.matches(r"'^a\.b\.fleet(\..+)?$'").count(), 3, "{command}");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn each_user_and_vhost_has_a_command_of_its_own() {
        let uri = |user: &str, vhost: &str| {
            AmqpUri::parse(&format!("amqp://{user}:p@127.0.0.1:1/{vhost}")).unwrap()
        };
        let mut amqp = crate::config::Config::load(
            &crate::config::Inputs::default(),
            &["mod_event_pusher_sns_defaults"],
        )
        .unwrap()
        .amqp;
        amqp.uris = vec![uri("a", "%2f"), uri("b", "%2f"), uri("a", "x"), uri("a", "%2f")];
        let accounts = Account::all(&amqp);
        let commands: Vec<_> = accounts.iter().map(|it| it.command(&[], None)).collect();
        let of = |user: &str, vhost: &str| {
            format!("`rabbitmqctl set_permissions -p '{vhost}' '{user}' '^$' '^$' '^$'`")
        };
        assert_eq!(commands, [of("a", "/"), of("b", "/"), of("a", "x")]);
        assert_eq!(accounts[2].to_string(), "user `a` in vhost `x`");
    }
}
