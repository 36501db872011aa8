//! Reads `mongooseim.cfg`, the whole file or only `mod_event_pusher`.

use std::collections::BTreeMap;

use super::Malformed;
use super::server::{Form, HostConfig, Modules, Pool, Server};
use super::terms::{self, Term, TermKind};
use super::tree::{Node, Table, Value};
use super::writer::Unsupported;

/// # Errors
///
/// Where it is not Erlang's terms.
pub(super) fn read(text: &str) -> Result<Server, Malformed> {
    let terms = terms::read(text)?;
    let macros = terms.iter().filter_map(defined).collect();
    let mut reader = ServerReader { macros, server: Server::new(Form::Erlang) };
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
}

impl ServerReader {
    /// An option on the highest level, or one of the parts that people copy.
    fn option(&mut self, term: &Term) {
        let items = match &term.kind {
            TermKind::List(terms) => return terms.iter().for_each(|term| self.option(term)),
            TermKind::Tuple(items) => items.as_slice(),
            _ => return,
        };
        let name = items.first().and_then(atom).unwrap_or_default();
        match (name, items) {
            ("modules", [_, modules]) => self.server.base = self.modules(modules),
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
                self.server.unsupported.push(Unsupported::new(term.line, name, why));
            }
            ("define_macro", [_, _, _]) if defined(term).is_none() => {
                let why = "is of a value that is not simple; write it where the macro is used";
                self.server.unsupported.push(Unsupported::new(term.line, name, why));
            }
            _ => {}
        }
    }

    fn modules(&mut self, list: &Term) -> Modules {
        let table = self.table("modules", list);
        Modules::read(table, Form::Erlang, &mut self.server.unsupported)
    }

    /// A part of the modules, which may come with others.
    fn add(&mut self, list: &Term) {
        let more = self.modules(list);
        merge(&mut self.server.base, more);
    }

    fn backends(&mut self, list: &Term) {
        let table = self.table("backends", list);
        let mut more = Modules::default();
        more.read_backends(table, &mut self.server.unsupported);
        merge(&mut self.server.base, more);
    }

    fn host_config(&mut self, host: &Term, options: &Term, line: usize) {
        let Some(Value::Text(name)) = self.scalar(host) else {
            self.server.unsupported.push(Unsupported::new(line, "host_config", "names no host"));
            return;
        };
        let mut found = HostConfig { name, is_type: false, line, modules: None, pool: None };
        for option in list(options) {
            match tuple(option) {
                Some([key, modules]) if is_atom(key, "modules") => {
                    found.modules = Some(self.modules(modules));
                }
                Some([key, modules]) if is_added(key, "modules") => {
                    let more = self.modules(modules);
                    let mut all = self.server.base.clone();
                    merge(&mut all, more);
                    found.modules = Some(all);
                }
                _ => {}
            }
        }
        self.server.add_host(found);
    }

    fn pools(&mut self, pools: &Term) {
        for pool in list(pools) {
            if let Some(items) = tuple(pool)
                && items.first().is_some_and(|kind| is_atom(kind, "rabbit"))
            {
                self.pool(items);
            }
        }
    }

    /// `{rabbit, global | host | <<"domain">>, Tag, PoolOptions, ConnectionOptions}`
    fn pool(&mut self, items: &[Term]) {
        let [_, scope, tag, _, connection] = items else {
            let line = items.first().map_or(1, |item| item.line);
            let why = "is not of five parts: {rabbit, host, event_pusher, [], ConnectionOptions}";
            self.server.unsupported.push(Unsupported::new(line, "outgoing_pools.rabbit", why));
            return;
        };
        if !is_atom(tag, "event_pusher") {
            return;
        }
        let host = match &scope.kind {
            TermKind::Atom(_) => None,
            _ => self.scalar(scope).and_then(|host| match host {
                Value::Text(host) => Some(host),
                _ => None,
            }),
        };
        let connection = self.table("outgoing_pools.rabbit.event_pusher", connection);
        self.server.pools.push(Pool { host, connection });
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
            let name = atom(key).unwrap_or("(no option)");
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

/// Of what stands twice, the later counts.
fn merge(into: &mut Modules, more: Modules) {
    into.sns = more.sns.or(into.sns.take());
    into.rabbit = more.rabbit.or(into.rabbit.take());
    into.muc = more.muc.or(into.muc.take());
    into.muc_light = more.muc_light.or(into.muc_light.take());
    into.others.extend(more.others);
}

fn list(term: &Term) -> &[Term] {
    match &term.kind {
        TermKind::List(items) => items,
        _ => &[],
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
