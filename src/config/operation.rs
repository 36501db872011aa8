//! Validates `[shutdown]`, `[admin]` and `[log]`.

use super::key::Key;
use super::reader::Reader;
use super::settings::{Admin, Log, LogFormat, Shutdown};

pub(super) fn shutdown(read: &mut Reader) -> Shutdown {
    let why = "whoever stops the worker will not wait longer than an hour";
    Shutdown { grace: read.millis("shutdown.grace_ms", 0..=3_600_000, why) }
}

pub(super) fn admin(read: &mut Reader) -> Admin {
    let key = Key::from("admin.listen");
    let listen = read.optional(&key);
    let is_address = |text: &String| {
        let (host, port) = text.rsplit_once(':').unwrap_or_default();
        let host_is_whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        !host.is_empty() && host_is_whole && port.parse::<u16>().is_ok()
    };
    if !listen.as_ref().is_none_or(is_address) {
        read.problem(
            &key,
            "is not a host and port",
            "write host:port, such as \"127.0.0.1:9464\" or \"[::1]:9464\"",
        );
    }
    Admin { listen, token: read.secret("admin.token") }
}

pub(super) fn log(read: &mut Reader) -> Log {
    Log {
        format: read.choice(
            &Key::from("log.format"),
            &[("text", LogFormat::Text), ("json", LogFormat::Json)],
        ),
        filter: read.text(&Key::from("log.filter")),
    }
}
