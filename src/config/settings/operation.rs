//! What an operator sets: outages, stopping, the page, traces, the log.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::read;
use crate::limits::SHORTEST_TOKEN;

/// Ten minutes, in milliseconds: longer than anything here can sensibly take.
pub(super) const LONG_MS: i64 = 600_000;

/// When the service counts as down, and what is done then.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Outage {
    #[schemars(range(min = 1, max = 1_000_000), extend("$comment" = "0 would be an outage from the start"))]
    pub threshold: u32,
    #[serde(rename = "probe_max_ms", deserialize_with = "read::millis")]
    #[schemars(with = "u64", range(min = 1, max = LONG_MS), extend("$comment" = "a recovery would go unnoticed for longer"))]
    pub probe_max: Duration,
    #[serde(rename = "hand_back_after_s", deserialize_with = "read::seconds")]
    #[schemars(with = "u64", range(min = 1, max = 1799), extend(
        "$comment" = "after 1,800 s without an acknowledgement the broker closes the channel"
    ))]
    pub hand_back_after: Duration,
    /// `None`: a parked event keeps its own.
    #[serde(deserialize_with = "read::priority")]
    #[schemars(with = "i64", range(min = -1, max = 255))]
    #[schemars(extend("$comment" = "AMQP has room for no other priority; -1 leaves each event its own"))]
    pub parked_priority: Option<u8>,
}

/// Stopping.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Shutdown {
    #[serde(rename = "grace_ms", deserialize_with = "read::millis")]
    #[schemars(with = "u64", range(min = 0, max = 3_600_000))]
    #[schemars(extend("$comment" = "whoever stops the worker will not wait longer than an hour"))]
    pub grace: Duration,
}

/// The operator's side.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Admin {
    /// Host and port to listen on; `None`: off.
    #[schemars(extend("format" = "address", "pattern" = ":[0-9]{1,5}$"))]
    pub listen: Option<String>,
    /// Host and port for probes and scrapers alone; `None`: they ask on `listen`.
    #[schemars(extend("format" = "address", "pattern" = ":[0-9]{1,5}$"))]
    pub health_listen: Option<String>,
    /// What the page asks for before it shows a dead letter or changes anything; `None`: it does neither.
    #[schemars(with = "Option<String>", extend("format" = "token", "writeOnly" = true))]
    pub token: Option<SecretString>,
    /// Tokens of operators, by their names; a name with `_file` behind it has the file of one, which the program reads
    /// (`app/operators.rs`).
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>", extend("additionalProperties" = {
        "type": "string", "format": "token", "writeOnly": true
    }))]
    pub tokens: BTreeMap<String, SecretString>,
    #[schemars(extend("format" = "host-name"))]
    pub hosts: Vec<String>,
    #[schemars(range(min = 0, max = 1000), extend("$comment" = "it is a price in US dollars"))]
    pub price_per_million_requests: f64,
}

/// The operator whose token is `admin.token`.
pub(crate) const ADMIN: &str = "admin";

fn is_long_enough(token: &SecretString) -> bool {
    token.expose_secret().chars().count() >= SHORTEST_TOKEN
}

impl Admin {
    /// Whether the token is so short that it could be guessed, and so lets nobody in.
    #[must_use]
    pub fn token_is_short(&self) -> bool {
        self.token.as_ref().is_some_and(|it| !is_long_enough(it))
    }

    /// The operators whose tokens are as short.
    pub(crate) fn short_tokens(&self) -> impl Iterator<Item = &str> {
        let short = self.tokens.iter().filter(|(_, token)| !is_long_enough(token));
        short.map(|(name, _)| &**name)
    }

    /// Operators whose token one before them has, too; [`ADMIN`] is the first.
    pub(crate) fn operators_with_anothers_token(&self) -> Vec<String> {
        let mut seen: Vec<&str> = self.token.iter().map(ExposeSecret::expose_secret).collect();
        let mut found = Vec::new();
        for (name, token) in &self.tokens {
            if seen.contains(&token.expose_secret()) {
                found.push(name.clone());
            }
            seen.push(token.expose_secret());
        }
        found
    }

    /// The operators who can log in, each with a token. The one of `token` is called [`ADMIN`].
    pub(crate) fn usable_tokens(&self) -> impl Iterator<Item = (&str, &str)> {
        let one = self.token.iter().map(|token| (ADMIN, token));
        let all = one.chain(self.tokens.iter().map(|(name, token)| (&**name, token)));
        all.filter(|(_, token)| is_long_enough(token)).map(|(name, it)| (name, it.expose_secret()))
    }
}

/// Traces.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Trace {
    pub attribute: bool,
    /// Where spans go, with the path; `None`: nowhere.
    #[serde(default, rename = "otlp_endpoint", deserialize_with = "read::url")]
    #[schemars(with = "Option<String>", extend("format" = "collector"))]
    pub endpoint: Option<Url>,
    #[schemars(range(min = 0, max = 1_000_000_000), extend("$comment" = "0 begins no trace, 1 one for each event"))]
    pub sample_one_in: u32,
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Log {
    pub format: LogFormat,
    /// What to log, in the syntax of `tracing_subscriber`'s `EnvFilter`, which checks it.
    pub filter: String,
}

/// The forms of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}
