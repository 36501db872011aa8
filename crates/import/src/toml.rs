//! Reads `mongooseim.toml`.

use toml::de::{DeTable, DeValue};

use super::Malformed;
use super::names;
use super::server::{Form, HostConfig, Pool, Server};
use super::tree::{Node, Table, Value};

/// # Errors
///
/// Where it is not TOML.
pub(super) fn read(text: &str) -> Result<Server, Malformed> {
    let parsed = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        Malformed::at(text, at, format!("not TOML: {}", error.message().replace('\n', " ")))
    })?;
    let mut root = Lines::of(text).table(String::new(), 1, parsed.get_ref());
    let mut server = Server::new(Form::Toml);
    if let Some(modules) = root.take_table("modules") {
        server.base = server.read_modules(modules);
    }
    let pool = pool(&mut root, &mut server);
    server.pools.extend(pool);
    if let Some(node) = root.take("host_config") {
        let line = node.line;
        let Value::List(items) = node.value else {
            server.refuse(line, "host_config", "is no list of tables; write it as [[host_config]]");
            return Ok(finished(root, server));
        };
        for item in items {
            match item.value {
                Value::Table(table) => host_config(table, item.line, &mut server),
                _ => server.refuse(item.line, "host_config", "is no table"),
            }
        }
    }
    Ok(finished(root, server))
}

fn finished(root: Table, mut server: Server) -> Server {
    server.finish(root, &names::TOP);
    server
}

fn host_config(mut table: Table, line: usize, server: &mut Server) {
    let host = table.take_text("host", &mut server.unsupported);
    let is_type = host.is_none();
    let name = host.or_else(|| table.take_text("host_type", &mut server.unsupported));
    let modules = table.take_table("modules").map(|modules| server.read_modules(modules));
    let pool = pool(&mut table, server).map(|pool| Pool { host: name.clone(), ..pool });
    server.finish(table, &names::HOST);
    match name {
        Some(name) => server.add_host(HostConfig { name, is_type, line, modules, pool }),
        None => server.refuse(line, "host_config", "has neither host nor host_type"),
    }
}

fn pool(parent: &mut Table, server: &mut Server) -> Option<Pool> {
    let mut pools = parent.take_table("outgoing_pools")?;
    let tags = pools.take_table("rabbit");
    server.finish(pools, &names::POOLS);
    let mut tags = tags?;
    let found = tags.take_table("event_pusher");
    if found.is_none() {
        for (tag, node) in &tags.entries {
            if names::TAGS.meant(tag).is_none() {
                let why = "is not mod_event_pusher's, whose pool has the tag event_pusher";
                server.refuse(node.line, format!("{}.{tag}", tags.path), why);
            }
        }
        tags.entries.retain(|(tag, _)| names::TAGS.meant(tag).is_some());
    }
    server.finish(tags, &names::TAGS);
    let mut pool = found?;
    // Before 6.3 a pool could be a single host's: scope = "single_host", host = "…".
    let host = pool.take_text("host", &mut server.unsupported);
    let line = pool.line;
    let connection = pool
        .take_table("connection")
        .unwrap_or_else(|| Table::new(format!("{}.connection", pool.path), line));
    for own in ["scope", "workers", "strategy", "call_timeout", "max_worker_queue_len"] {
        // How MongooseIM publishes is its own affair.
        pool.take(own);
    }
    pool.finish(&mut server.unsupported);
    Some(Pool { host, connection })
}

/// Where lines end, so that a value's line is found fast.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }

    fn table(&self, path: String, line: usize, from: &DeTable<'_>) -> Table {
        let mut found = Table::new(path, line);
        for (name, value) in from {
            let line = self.line(name.span().start);
            let key: &str = name.get_ref();
            let dot = if found.path.is_empty() { "" } else { "." };
            let path = format!("{}{dot}{key}", found.path);
            let value = self.value(path, line, value.get_ref());
            found.entries.push((key.to_owned(), Node { value, line }));
        }
        found
    }

    fn value(&self, path: String, line: usize, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other, Value::Integer),
            DeValue::Table(inner) => Value::Table(self.table(path, line, inner)),
            DeValue::Array(items) => {
                let item = |item: &toml::Spanned<DeValue<'_>>| {
                    let line = self.line(item.span().start);
                    Node { value: self.value(path.clone(), line, item.get_ref()), line }
                };
                Value::List(items.iter().map(item).collect())
            }
            DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
        }
    }
}
