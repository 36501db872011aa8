//! Reads `mongooseim.cfg`, the whole file or only `mod_event_pusher`.

use std::collections::BTreeMap;

use super::Malformed;
use super::names::{self, Level};
use super::server::{Form, HostConfig, Modules, Pool, Server};
use super::terms::{self, Term, TermKind};
use super::tree::{NAMELESS, Node, Table, Value, misplaced};

/// # Errors
///
/// Where it is not Erlang's terms.
pub(super) fn read(text: &str) -> Result<Server, Malformed> {
    let terms = terms::read(text)?;
    let macros = terms.iter().filter_map(defined).collect();
    let mut reader = ServerReader { macros, server: Server::new(Form::Erlang), has_modules: false };
    // A domain's options can add to general ones that stand below.
    let (of_hosts, general): (Vec<_>, Vec<_>) = terms.iter().partition(|&term| is_of_host(term));
    general.into_iter().chain(of_hosts).for_each(|term| reader.option(term));
    Ok(reader.server)
}

/// The name and value of a macro. Only simple values are filled in: of what is built from others
/// a few lines could make any number of terms.
fn defined(term: &Term) -> Option<(String, TermKind)> {
    match tuple(term)? {
        [name, key, value] if is_atom(name, "define_macro") => match (&key.kind, &value.kind) {
            (TermKind::Atom(key), TermKind::Atom(_) | TermKind::Text(_) | TermKind::Integer(_)) => {
                Some((key.clone(), value.kind.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

struct ServerReader {
    macros: BTreeMap<String, TermKind>,
    server: Server,
    /// The general ones stand somewhere before.
    has_modules: bool,
}

impl ServerReader {
    /// An option on the highest level, or one of the parts that people copy.
    fn option(&mut self, term: &Term) {
        let items = match &term.kind {
            TermKind::List(terms) => return terms.iter().for_each(|term| self.option(term)),
            TermKind::Tuple(items) => items.as_slice(),
            _ => std::slice::from_ref(term),
        };
        let name = items.first().and_then(atom).unwrap_or_default();
        match (name, items) {
            ("modules", [_, modules]) => self.general_modules(modules, term.line),
            ("mod_event_pusher" | "mod_aws_sns" | "mod_muc" | "mod_muc_light", [_, _]) => {
                let modules = Term { kind: TermKind::List(vec![term.clone()]), line: term.line };
                self.add(&modules);
            }
            ("backends", [_, backends]) => self.backends(backends),
            ("sns" | "rabbit", [_, _]) => {
                let backends = Term { kind: TermKind::List(vec![term.clone()]), line: term.line };
                self.backends(&backends);
            }
            ("host_config", [_, host, options]) => self.host_config(host, options, term.line),
            ("outgoing_pools", [_, pools]) => self.pools(pools),
            ("rabbit", [_, _, _, _, _]) => self.pool(items),
            ("include_config_file", [_, ..]) => {
                let why = "names another file, which is not read; import that, too, and join both";
                self.server.refuse(term.line, name, why);
            }
            ("define_macro", [_, _, _]) => {
                if defined(term).is_none() {
                    let why = "is of a value that is not simple; write it where the macro is used";
                    self.server.refuse(term.line, name, why);
                }
            }
            _ => self.other(items, &names::TOP_OF_TERMS, "", term.line),
        }
    }

    /// Something else than what is read on this level.
    fn other(&mut self, items: &[Term], level: &Level, path: &str, line: usize) {
        let first = items.first();
        // As in {{s2s_addr, "host"}, {127,0,0,1}}, or {{add, modules}, []}.
        let inner = || match first.and_then(tuple)? {
            [add, key] if is_atom(add, "add") => atom(key),
            items => items.first().and_then(atom),
        };
        let name = first.and_then(atom).or_else(inner);
        let full = format!("{path}{}", name.unwrap_or(NAMELESS));
        match name.map(|name| (name, level.meant(name))) {
            None => self.server.refuse(line, full, "is no option"),
            Some((name, Some(meant))) if meant == name => {
                self.server.refuse(line, full, "has not the form that this option has");
            }
            Some((_, Some(meant))) => self.server.refuse(line, full, misplaced(meant)),
            Some((_, None)) => {
                self.server.not_read.insert(full);
            }
        }
    }

    fn general_modules(&mut self, modules: &Term, line: usize) {
        if self.has_modules {
            let why = "stands a second time; what both have is taken from here";
            self.server.refuse(line, "modules", why);
        }
        self.has_modules = true;
        self.add(modules);
    }

    fn modules(&mut self, list: &Term) -> Modules {
        let table = self.options("modules", list);
        self.server.read_modules(table)
    }

    /// A part of the modules, which may come with others.
    fn add(&mut self, list: &Term) {
        let more = self.modules(list);
        self.merge(more, list.line);
    }

    fn backends(&mut self, list: &Term) {
        let table = self.options("backends", list);
        let mut more = Modules::default();
        more.read_backends(table, &mut self.server.unsupported);
        self.merge(more, list.line);
    }

    fn merge(&mut self, more: Modules, line: usize) {
        for name in self.server.base.merge(more) {
            self.server.refuse(line, name, "stands a second time; this one counts");
        }
    }

    fn host_config(&mut self, host: &Term, options: &Term, line: usize) {
        let Some(Value::Text(name)) = self.scalar(host) else {
            self.server.refuse(line, "host_config", "names no host");
            return;
        };
        let mut found = HostConfig { name, is_type: false, line, modules: None, pool: None };
        for option in self.items("host_config", options) {
            match tuple(option) {
                Some([key, modules]) if is_atom(key, "modules") => {
                    found.modules = Some(self.modules(modules));
                }
                Some([key, modules]) if is_added(key, "modules") => {
                    let more = self.modules(modules);
                    let mut all = self.server.base.clone();
                    all.merge(more);
                    found.modules = Some(all);
                }
                items => {
                    let items = items.unwrap_or(std::slice::from_ref(option));
                    self.other(items, &names::HOST_OF_TERMS, "host_config.", option.line);
                }
            }
        }
        self.server.add_host(found);
    }

    fn pools(&mut self, pools: &Term) {
        for pool in self.items("outgoing_pools", pools) {
            match tuple(pool) {
                Some(items) if items.first().is_some_and(|kind| is_atom(kind, "rabbit")) => {
                    self.pool(items);
                }
                items => {
                    let items = items.unwrap_or(std::slice::from_ref(pool));
                    self.other(items, &names::POOLS, "outgoing_pools.", pool.line);
                }
            }
        }
    }

    /// `{rabbit, global | host | <<"domain">>, Tag, PoolOptions, ConnectionOptions}`
    fn pool(&mut self, items: &[Term]) {
        let [_, scope, tag, _, connection] = items else {
            let line = items.first().map_or(1, |item| item.line);
            let why = "is not of five parts: {rabbit, host, event_pusher, [], ConnectionOptions}";
            self.server.refuse(line, "outgoing_pools.rabbit", why);
            return;
        };
        if !is_atom(tag, "event_pusher") {
            let what = format!("outgoing_pools.rabbit.{}", atom(tag).unwrap_or(NAMELESS));
            let why = "is not mod_event_pusher's, whose pool has the tag event_pusher";
            self.server.refuse(tag.line, what, why);
            return;
        }
        let host = match &scope.kind {
            TermKind::Atom(_) => None,
            _ => self.scalar(scope).and_then(|host| match host {
                Value::Text(host) => Some(host),
                _ => None,
            }),
        };
        let connection = self.options("outgoing_pools.rabbit.event_pusher", connection);
        self.server.pools.push(Pool { host, connection });
    }

    /// A list's items. What is no list is reported.
    fn items<'t>(&mut self, what: &str, term: &'t Term) -> &'t [Term] {
        let TermKind::List(items) = &term.kind else {
            self.server.refuse(term.line, what, "is no list, so it is not read");
            return &[];
        };
        items
    }

    /// A table of options. What can't be one is reported.
    fn options(&mut self, path: &str, from: &Term) -> Table {
        if !matches!(from.kind, TermKind::List(_) | TermKind::Map(_)) {
            self.server.refuse(from.line, path, "is no list of options, so it is not read");
        }
        self.table(path, from)
    }

    /// A property list, or a map, as options.
    fn table(&self, path: &str, from: &Term) -> Table {
        let mut table = Table::new(path, from.line);
        let pairs: Vec<(&Term, Option<&Term>)> = match &from.kind {
            TermKind::List(items) => items
                .iter()
                .map(|item| match tuple(item) {
                    Some([key, value]) => (key, Some(value)),
                    // An atom alone stands for true.
                    _ => (item, None),
                })
                .collect(),
            TermKind::Map(items) => items.chunks(2).map(|pair| (&pair[0], pair.get(1))).collect(),
            _ => Vec::new(),
        };
        for (key, value) in pairs {
            let name = atom(key).unwrap_or(NAMELESS);
            let inner = format!("{path}.{name}");
            let value = match value {
                Some(value) => self.value(&inner, value),
                None if atom(key).is_some() => Value::Flag(true),
                None => Value::Other,
            };
            table.entries.push((name.to_owned(), Node { value, line: key.line }));
        }
        table
    }

    fn value(&self, path: &str, term: &Term) -> Value {
        match &term.kind {
            TermKind::List(items) if items.is_empty() => Value::List(Vec::new()),
            TermKind::List(_) | TermKind::Map(_) => Value::Table(self.table(path, term)),
            _ => self.scalar(term).unwrap_or(Value::Other),
        }
    }

    fn scalar(&self, term: &Term) -> Option<Value> {
        let kind = match &term.kind {
            TermKind::Atom(name) => self.macros.get(name).unwrap_or(&term.kind),
            kind => kind,
        };
        match kind {
            TermKind::Atom(name) if name == "true" => Some(Value::Flag(true)),
            TermKind::Atom(name) if name == "false" => Some(Value::Flag(false)),
            TermKind::Atom(text) | TermKind::Text(text) => Some(Value::Text(text.clone())),
            TermKind::Integer(number) => Some(Value::Integer(*number)),
            _ => None,
        }
    }
}

fn tuple(term: &Term) -> Option<&[Term]> {
    match &term.kind {
        TermKind::Tuple(items) => Some(items),
        _ => None,
    }
}

fn atom(term: &Term) -> Option<&str> {
    match &term.kind {
        TermKind::Atom(name) => Some(name),
        _ => None,
    }
}

fn is_atom(term: &Term, name: &str) -> bool {
    atom(term) == Some(name)
}

fn is_of_host(term: &Term) -> bool {
    tuple(term).is_some_and(|items| items.first().is_some_and(|it| is_atom(it, "host_config")))
}

/// `{add, name}`: more of what the general option has.
fn is_added(term: &Term, name: &str) -> bool {
    matches!(tuple(term), Some([add, key]) if is_atom(add, "add") && is_atom(key, name))
}
