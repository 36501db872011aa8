//! Converts MongooseIM's pool of connections to `[amqp]`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::server::{Pool, Server};
use super::tree::Table;
use super::writer::{TomlWriter, Unsupported};
use super::{Input, Secrets};

/// What a part of a URI may have as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What RabbitMQ itself comes with, and lets in from its own machine only.
const GUEST: &str = "guest";

/// What a connection is made from, with MongooseIM's defaults.
#[derive(PartialEq, Eq)]
struct Connection {
    host: String,
    port: i64,
    username: String,
    password: String,
    virtual_host: String,
    tls: Option<Certificates>,
}

/// The files of a connection by TLS.
#[derive(Default, PartialEq, Eq)]
struct Certificates {
    ca: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

/// Writes `[amqp]` but for its sources.
pub(super) fn write(server: &Server, input: &Input, writer: &mut TomlWriter) {
    let of_hosts = server.hosts.iter().filter_map(|host| host.pool.as_ref());
    let mut pools: Vec<&Pool> = server.pools.iter().chain(of_hosts).collect();
    // The one of all domains first.
    pools.sort_by_key(|pool| pool.host.is_some());
    writer.group("amqp");
    let Some((first, others)) = pools.split_first() else {
        writer.choice(
            "the input has no outgoing_pools.rabbit.event_pusher, so this is MongooseIM's default: \
             RabbitMQ on its own machine.",
        );
        return writer.set("uri", "amqp://guest:guest@localhost:5672/%2f");
    };
    if let Some(host) = &first.host {
        writer.choice(&format!(
            "the only pool is that of {host}, so all events are taken from its RabbitMQ; MongooseIM must \
             publish those of other domains there, too.",
        ));
    }
    let mut unsupported = Vec::new();
    let (connection, confirms) = read(first.connection.clone(), &mut unsupported);
    uri(&connection, input, writer);
    certificates(&connection, writer);
    writer.leave_out_all(&unsupported);
    if !confirms {
        writer.comment(
            "Advice: set confirms_enabled = true in MongooseIM's pool. Without it, what RabbitMQ \
             could not take is lost before anything here can see it.",
        );
    }
    for pool in others {
        other(pool, &connection, writer);
    }
}

/// A domain's own connection: sources can't have different brokers.
fn other(pool: &Pool, first: &Connection, writer: &mut TomlWriter) {
    let mut unsupported = Vec::new();
    if read(pool.connection.clone(), &mut unsupported).0 != *first {
        let why = format!(
            "is another connection, for {} alone; a worker has one broker and one virtual host, so \
             give that domain workers with a file of their own, made by `import` from its part",
            pool.host.as_deref().unwrap_or("some domains")
        );
        writer.leave_out(&Unsupported::new(
            pool.connection.line,
            pool.connection.path.clone(),
            why,
        ));
    }
}

/// The connection, and whether MongooseIM waits for confirms.
fn read(mut table: Table, unsupported: &mut Vec<Unsupported>) -> (Connection, bool) {
    // Their names before 5.1 have a prefix.
    let text =
        |table: &mut Table, name: &str, default: &str, unsupported: &mut Vec<Unsupported>| {
            let old = table.take_text(&format!("amqp_{name}"), unsupported);
            table.take_text(name, unsupported).or(old).unwrap_or_else(|| default.to_owned())
        };
    let old_port = table.take_number("amqp_port", unsupported);
    let connection = Connection {
        host: text(&mut table, "host", "localhost", unsupported),
        port: table.take_number("port", unsupported).or(old_port).unwrap_or(5672),
        username: text(&mut table, "username", GUEST, unsupported),
        password: text(&mut table, "password", GUEST, unsupported),
        virtual_host: text(&mut table, "virtual_host", "/", unsupported),
        tls: table.take_table("tls").map(|tls| tls_options(tls, unsupported)),
    };
    let confirms = table.take_flag("confirms_enabled", unsupported).unwrap_or(false);
    for own in ["reconnect", "max_worker_queue_len"] {
        // How MongooseIM publishes is its own affair.
        table.take(own);
    }
    table.finish(unsupported);
    (connection, confirms)
}

fn tls_options(mut tls: Table, unsupported: &mut Vec<Unsupported>) -> Certificates {
    let found = Certificates {
        ca: tls.take_text("cacertfile", unsupported),
        cert: tls.take_text("certfile", unsupported),
        key: tls.take_text("keyfile", unsupported),
    };
    // Whether MongooseIM goes on without TLS says nothing about us, who never do.
    tls.take("disconnect_on_failure");
    let mode = tls.take("verify_mode").map(|node| (node.line, node.value));
    if let Some((line, super::tree::Value::Text(mode))) = mode
        && mode != "peer"
    {
        let why = format!(
            "is \"{mode}\", and here the broker's certificate and name are always checked; give \
             the authority that signed it, or the certificate itself, as amqp.ca_file"
        );
        unsupported.push(Unsupported::new(line, format!("{}.verify_mode", tls.path), why));
    }
    let unknown_here = [
        ("password", "is for an encrypted key; amqp.key_file must be an unencrypted one"),
        (
            "server_name_indication",
            "can't be set: the name in amqp.uri is the one that is asked for",
        ),
        ("ciphers", "can't be set: TLS 1.2 and 1.3 with rustls's safe defaults"),
        ("versions", "can't be set: TLS 1.2 and 1.3"),
        ("crl_files", "can't be set: no revocation lists are read"),
    ];
    for (name, why) in unknown_here {
        if let Some(node) = tls.take(name) {
            unsupported.push(Unsupported::new(node.line, format!("{}.{name}", tls.path), why));
        }
    }
    tls.finish(unsupported);
    found
}

fn uri(connection: &Connection, input: &Input, writer: &mut TomlWriter) {
    let Connection { host, port, username, password, virtual_host, tls } = connection;
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let scheme = if tls.is_some() { "amqps" } else { "amqp" };
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let vhost = if virtual_host == "/" { "%2f".to_owned() } else { escaped(virtual_host) };
    let address = |password: &str| {
        format!("{scheme}://{}{password}@{bracketed}:{port}/{vhost}", escaped(username))
    };
    if matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1") {
        writer.choice(
            "RabbitMQ is where MongooseIM itself runs; name that machine if the workers run \
             elsewhere.",
        );
    }
    let known = (username == GUEST && password == GUEST) || input.secrets == Secrets::File;
    if known {
        return writer.set("uri", &address(&format!(":{}", escaped(password))));
    }
    writer.secret(&format!(
        "the password is not written here. Give the whole address in the environment, with every \
         special character of the password escaped (@ as %40, / as %2F): EVENT_PUSHER__AMQP__URI={}",
        address(":PASSWORD")
    ));
    writer.set("uri", &address(""));
}

fn certificates(connection: &Connection, writer: &mut TomlWriter) {
    let Some(Certificates { ca, cert, key }) = &connection.tls else { return };
    let files = [("ca_file", ca), ("cert_file", cert), ("key_file", key)];
    let mut set = files.iter().filter_map(|(key, file)| Some((*key, file.as_ref()?))).peekable();
    if set.peek().is_some() {
        writer.choice(
            "files as MongooseIM names them, from where it runs; name them as the workers see them.",
        );
    }
    set.for_each(|(key, file)| writer.set(key, file));
}
