//! MongooseIM's settings for events, from either form of its configuration.

use std::collections::BTreeSet;

use super::names::{self, Level};
use super::tree::Table;
use super::writer::Unsupported;

/// The two forms that MongooseIM's configuration has had.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `mongooseim.toml`, since 4.0.
    Toml,
    /// `mongooseim.cfg`, before.
    Erlang,
}

/// A server, or a cluster of alike ones.
pub(super) struct Server {
    pub form: Form,
    /// Of all domains that have none of their own.
    pub base: Modules,
    pub hosts: Vec<HostConfig>,
    /// Of the whole server. Those of a single domain stand in [`HostConfig`], too.
    pub pools: Vec<Pool>,
    pub unsupported: Vec<Unsupported>,
    /// The names of what has nothing to do with events.
    pub not_read: BTreeSet<String>,
}

impl Server {
    pub(super) fn new(form: Form) -> Self {
        let (hosts, pools, unsupported) = (Vec::new(), Vec::new(), Vec::new());
        let (base, not_read) = (Modules::default(), BTreeSet::new());
        Self { form, base, hosts, pools, unsupported, not_read }
    }

    /// Reports something that is not read.
    pub(super) fn refuse(&mut self, line: usize, what: impl Into<String>, why: impl Into<String>) {
        self.unsupported.push(Unsupported::new(line, what, why));
    }

    /// Reports what nobody took of a level with other options, too.
    pub(super) fn finish(&mut self, table: Table, level: &Level) {
        table.finish_level(level, &mut self.unsupported, &mut self.not_read);
    }

    /// Takes in what is set for a domain, which may stand in several places.
    pub(super) fn add_host(&mut self, more: HostConfig) {
        let is_same = |it: &&mut HostConfig| it.name == more.name && it.is_type == more.is_type;
        let Some(host) = self.hosts.iter_mut().find(is_same) else {
            return self.hosts.push(more);
        };
        if host.modules.is_some() && more.modules.is_some() {
            let what = format!("host_config of {}", more.name);
            let why = "has modules a second time; the first ones count";
            self.unsupported.push(Unsupported::new(more.line, what, why));
        }
        if host.pool.is_some() && more.pool.is_some() {
            let what = format!("host_config of {}", more.name);
            self.unsupported.push(Unsupported::new(
                more.line,
                what,
                "has a pool a second time; the first one counts",
            ));
        }
        host.modules = host.modules.take().or(more.modules);
        host.pool = host.pool.take().or(more.pool);
    }

    /// All sets of modules, the base's first.
    pub(super) fn modules(&self) -> impl Iterator<Item = &Modules> {
        std::iter::once(&self.base)
            .chain(self.hosts.iter().filter_map(|host| host.modules.as_ref()))
    }

    /// Whether anything in it is about events.
    pub(super) fn is_about_events(&self) -> bool {
        self.modules().any(|modules| modules.sns.is_some() || modules.rabbit.is_some())
    }
}

/// What is set for one domain, or one host type, alone.
pub(super) struct HostConfig {
    pub name: String,
    /// A host type stands for domains that only MongooseIM's database knows.
    pub is_type: bool,
    pub line: usize,
    /// Instead of all general ones.
    pub modules: Option<Modules>,
    pub pool: Option<Pool>,
}

/// The modules that matter for events.
#[derive(Clone, Default)]
pub(super) struct Modules {
    pub sns: Option<Table>,
    /// The SNS backend has the name that was its only one up to 2.1.0.
    pub has_old_name: bool,
    pub rabbit: Option<Table>,
    /// Since MongooseIM 6.5 only the exchanges that stand in the configuration are used. That
    /// form exists since 5.1.
    pub may_lack_exchanges: bool,
    pub muc: Option<Table>,
    pub muc_light: Option<Table>,
    /// `mod_event_pusher`'s other backends.
    pub others: Vec<String>,
}

impl Server {
    /// Reads modules, and reports what of them is not read.
    pub(super) fn read_modules(&mut self, mut modules: Table) -> Modules {
        let mut found = Modules::default();
        if let Some(mut pusher) = modules.take_table("mod_event_pusher") {
            // `backends` in Erlang terms, `backend` in TOML before 5.1.
            let wrapped = pusher.take_table("backends").or_else(|| pusher.take_table("backend"));
            found.may_lack_exchanges = self.form == Form::Toml && wrapped.is_none();
            if let Some(wrapped) = wrapped {
                pusher.finish(&mut self.unsupported);
                pusher = wrapped;
            }
            found.read_backends(pusher, &mut self.unsupported);
        }
        // The name up to 2.1.0, deprecated until 5.1.
        if let Some(old) = modules.take_table("mod_aws_sns") {
            if found.sns.is_some() {
                let why = "is not read, since mod_event_pusher has the backend sns, too";
                self.refuse(old.line, old.path, why);
            } else {
                found.sns = Some(old);
                found.has_old_name = true;
            }
        }
        found.muc = modules.take_table("mod_muc");
        found.muc_light = modules.take_table("mod_muc_light");
        let level = match self.form {
            Form::Toml => &names::MODULES,
            Form::Erlang => &names::MODULES_OF_TERMS,
        };
        self.finish(modules, level);
        found
    }
}

impl Modules {
    /// Takes over what others have. Of what stands twice, theirs counts; its names are returned.
    pub(super) fn merge(&mut self, more: Self) -> Vec<&'static str> {
        if more.sns.is_some() {
            self.has_old_name = more.has_old_name;
        }
        let mut twice = Vec::new();
        for (name, mine, more) in [
            ("sns", &mut self.sns, more.sns),
            ("rabbit", &mut self.rabbit, more.rabbit),
            ("mod_muc", &mut self.muc, more.muc),
            ("mod_muc_light", &mut self.muc_light, more.muc_light),
        ] {
            if mine.is_some() && more.is_some() {
                twice.push(name);
            }
            *mine = more.or(mine.take());
        }
        self.others.extend(more.others);
        twice
    }

    pub(super) fn read_backends(
        &mut self,
        mut backends: Table,
        unsupported: &mut Vec<Unsupported>,
    ) {
        self.sns = backends.take_table("sns");
        self.rabbit = backends.take_table("rabbit");
        for other in ["http", "push"] {
            while backends.take(other).is_some() {
                if !self.others.iter().any(|it| it == other) {
                    self.others.push(other.to_owned());
                }
            }
        }
        backends.finish(unsupported);
    }
}

/// A pool of connections to RabbitMQ, with the tag `event_pusher`.
#[derive(Clone)]
pub(super) struct Pool {
    /// The only domain that uses it.
    pub host: Option<String>,
    pub connection: Table,
}
