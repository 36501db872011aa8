//! Validates `[shutdown]`, `[admin]`, `[trace]` and `[log]`.

use url::Url;

use super::endpoint;
use super::key::Key;
use super::reader::Reader;
use super::settings::{Admin, Log, LogFormat, Shutdown, Trace};

/// Where OTLP over HTTP puts traces. Source: OpenTelemetry's OTLP specification, "OTLP/HTTP Request".
const TRACES: &str = "/v1/traces";

pub(super) fn shutdown(read: &mut Reader) -> Shutdown {
    let why = "whoever stops the worker will not wait longer than an hour";
    Shutdown { grace: read.millis("shutdown.grace_ms", 0..=3_600_000, why) }
}

pub(super) fn admin(read: &mut Reader) -> Admin {
    let listen = address(read, &Key::from("admin.listen"));
    let health = Key::from("admin.health_listen");
    let health_listen = address(read, &health);
    let fixed = |it: &&String| !it.ends_with(":0");
    if listen.is_some() && health_listen.as_ref().filter(fixed) == listen.as_ref() {
        read.problem(
            &health,
            "is the address that admin.listen has",
            "give it another port, or leave it empty: then probes are answered on admin.listen",
        );
    }
    let hosts = Key::from("admin.hosts");
    let names = read.list(&hosts);
    if names.iter().any(|name| name.is_empty() || name.contains([':', '/', '*', ' '])) {
        read.problem(
            &hosts,
            "has an entry that is no host name",
            "give names alone, without scheme, port and path, such as [\"pusher.example.org\"]",
        );
    }
    Admin {
        listen,
        health_listen,
        token: read.secret("admin.token"),
        hosts: names,
        price_per_million_requests: read.fraction(
            "admin.price_per_million_requests",
            0.0..=1000.0,
            "it is a price in US dollars",
        ),
    }
}

/// A host and port, if it is set.
fn address(read: &mut Reader, key: &Key) -> Option<String> {
    read.has_form(key, ":[0-9]{1,5}$");
    let given = read.optional(key);
    let is_address = |text: &String| {
        let (host, port) = text.rsplit_once(':').unwrap_or_default();
        let host_is_whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        !host.is_empty() && host_is_whole && port.parse::<u16>().is_ok()
    };
    if !given.as_ref().is_none_or(is_address) {
        read.problem(
            key,
            "is not a host and port",
            "write host:port, such as \"127.0.0.1:9464\" or \"[::1]:9464\"",
        );
    }
    given
}

pub(super) fn trace(read: &mut Reader) -> Trace {
    Trace {
        attribute: read.flag(&Key::from("trace.attribute")),
        endpoint: collector(read),
        sample_one_in: read.number(
            "trace.sample_one_in",
            0..=1_000_000_000,
            "0 begins no trace, 1 one for each event",
        ),
    }
}

fn collector(read: &mut Reader) -> Option<Url> {
    let key = Key::from("trace.otlp_endpoint");
    let text = read.optional(&key)?;
    match endpoint::parse(&text) {
        Ok(mut url) => {
            let base = url.path().trim_end_matches('/');
            if !base.ends_with(TRACES) {
                let path = format!("{base}{TRACES}");
                url.set_path(&path);
            }
            Some(url)
        }
        Err(wrong) => {
            read.problem(
                &key,
                wrong,
                "give the collector's URL, such as \"http://127.0.0.1:4318\"; a password belongs into \
                 OTEL_EXPORTER_OTLP_HEADERS",
            );
            None
        }
    }
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
