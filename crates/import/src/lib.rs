//! Makes a configuration of event-pusher-sns from one of MongooseIM: from what its `mod_event_pusher` says about SNS
//! and RabbitMQ, in TOML or, before MongooseIM 4.0, in Erlang terms.
//!
//! Nothing is dropped in silence: every choice, and everything that has no counterpart, is a
//! comment in the result. The facts about MongooseIM are those of its releases 3.0 to 6.8.
//!
//! The crate reads and writes texts only. What it must know of the configuration that it writes comes with the
//! [`Input`], and whether the result loads is for the caller to try.

mod connection;
mod encoding;
mod erlang;
mod exchange;
mod exchange_type;
mod names;
mod routing;
mod server;
mod sns;
mod sources;
mod template;
mod terms;
#[cfg(test)]
mod tests;
mod toml;
mod tree;
mod writer;

use std::borrow::Cow;
use std::fmt;

use self::server::{Form, Server};
use self::writer::{TomlWriter, Unsupported};
use event_pusher_core::text::line_and_column;

pub use self::encoding::decode;

/// Larger than any configuration by far, in bytes.
pub const MAX_BYTES: usize = 1_048_576;

/// The names that a message has at most.
const MOST_SHOWN: usize = 100;

/// Where secrets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Nowhere: a comment names the environment variables for them.
    Environment,
    /// Into the result.
    File,
}

/// The input of an import, and its options.
pub struct Input<'a> {
    /// MongooseIM's configuration.
    pub text: &'a str,
    /// Its file's name.
    pub name: &'a str,
    /// Where its secrets go.
    pub secrets: Secrets,
    /// The keys of `[sns]` that can be set for one host, too.
    pub host_keys: &'a [&'a str],
    /// The environment variable for a key of `[sns]`.
    pub variable: &'a dyn Fn(&str) -> String,
}

/// The result of an import.
pub struct Imported {
    /// Our configuration. It may hold secrets.
    pub toml: String,
    /// So many comments begin with `choice:`.
    pub choices: usize,
    /// So many with `NOT CARRIED OVER:`.
    pub left_out: usize,
    /// So many with `secret:`.
    pub secrets: usize,
    /// So many with `TODO:`. Without what these ask for, no worker starts with the result.
    pub to_do: usize,
    /// The SNS backend may have published nothing so far, so that topics get their first events from a worker.
    pub may_have_been_silent: bool,
}

/// Why the input can't be imported. The text shows nothing of the input.
#[derive(Debug)]
pub enum ImportError {
    /// It is not what its form has.
    Malformed(Malformed),
    /// No backend for SNS or RabbitMQ is in it, as far as it could be read.
    NothingToImport {
        /// What could not be read.
        unread: Vec<Unsupported>,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(Malformed { line, column, what }) => {
                write!(f, ":{line}:{column}: {what}")
            }
            Self::NothingToImport { unread } => {
                f.write_str(
                    ": neither the sns nor the rabbit backend of mod_event_pusher is in it; give the \
                     file in which they are switched on, or that part of it",
                )?;
                let (shown, more) = unread.split_at(unread.len().min(MOST_SHOWN));
                shown.iter().try_for_each(|it| write!(f, "\n  not read: {it}"))?;
                if more.is_empty() { Ok(()) } else { write!(f, "\n  and {} more", more.len()) }
            }
        }
    }
}

/// The position of an error in the input.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    line: usize,
    /// In characters, from 1.
    column: usize,
    what: Cow<'static, str>,
}

impl Malformed {
    /// At a byte of the text.
    fn at(text: &str, at: usize, what: impl Into<Cow<'static, str>>) -> Self {
        let (line, column) = line_and_column(text, at);
        Self { line, column, what: what.into() }
    }
}

/// Makes the configuration of event-pusher-sns.
///
/// # Errors
///
/// If the input is not what its form has, or nothing in it is about events for SNS or RabbitMQ.
pub fn import(input: &Input) -> Result<Imported, ImportError> {
    // An editor's mark is no part of the text.
    let text = input.text.strip_prefix('\u{feff}').unwrap_or(input.text);
    let form = form(input.name, text);
    template::refuse_outside_texts(text, form).map_err(ImportError::Malformed)?;
    let server = match form {
        Form::Toml => self::toml::read(text),
        Form::Erlang => erlang::read(text),
    };
    let server = server.map_err(ImportError::Malformed)?;
    template::refuse_in_texts(&server, text).map_err(ImportError::Malformed)?;
    if !server.is_about_events() {
        return Err(ImportError::NothingToImport { unread: server.unsupported });
    }
    let mut writer = TomlWriter::default();
    head(&server, input, &mut writer);
    connection::write(&server, input, &mut writer);
    sources::write(&server, &sources::kinds(&server), &mut writer);
    routing::write(&server, input, &mut writer);
    let TomlWriter { choices, left_out, secrets, to_do, .. } = writer;
    let may_have_been_silent = sns::may_have_been_silent(&server);
    Ok(Imported { toml: writer.finish(), choices, left_out, secrets, to_do, may_have_been_silent })
}

/// By the file's name; else by the first character, as no TOML begins with a brace or a percent
/// sign.
fn form(name: &str, text: &str) -> Form {
    let ends_in = |endings: &[&str]| endings.iter().any(|it| name.ends_with(it));
    if ends_in(&[".toml"]) {
        Form::Toml
    } else if ends_in(&[".cfg", ".config", ".terms"]) || text.trim_start().starts_with(['{', '%']) {
        Form::Erlang
    } else {
        Form::Toml
    }
}

fn head(server: &Server, input: &Input, writer: &mut TomlWriter) {
    writer.comment(&format!("Made from {} by `event-pusher-sns import`.", input.name));
    writer.comment(
        "The comments report the conversion: `choice` marks a decision to check, `NOT CARRIED OVER` an \
         option without a counterpart here, `secret` a value that is not copied. docs/from-mongooseim.md tells how \
         to switch over without loss, and back.",
    );
    writer.leave_out_all(&server.unsupported);
    not_read(server, writer);
    writer.blank();
    if sns::may_have_been_silent(server) {
        writer.comment(
            "According to MongooseIM's source, SNS refuses what its releases 3.3 to 6.8 publish: topics that got \
             nothing so far may get events now, see docs/from-mongooseim.md#silent-topics",
        );
    }
    writer.comment(
        "In MongooseIM: switch the rabbit backend on and the sns backend off, in one step, when the \
         workers run.",
    );
    backend_to_add(server, writer);
    let mut others: Vec<_> = server.modules().flat_map(|modules| &modules.others).collect();
    others.sort();
    others.dedup();
    for other in others {
        writer.comment(&format!(
            "The {other} backend stays as it is: it has nothing to do with SNS."
        ));
    }
}

/// Names what has nothing to do with events, so that a misspelt name that resembles none is seen, too.
fn not_read(server: &Server, writer: &mut TomlWriter) {
    if server.not_read.is_empty() {
        return;
    }
    let names: Vec<_> =
        server.not_read.iter().take(MOST_SHOWN).map(|it| writer::shown(it)).collect();
    let more = match server.not_read.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    writer.comment(&format!(
        "Not read, having nothing to do with these events: {}{more}.",
        names.join(", ")
    ));
}

/// What MongooseIM needs where it has only the SNS backend.
fn backend_to_add(server: &Server, writer: &mut TomlWriter) {
    let lacks = |modules: &server::Modules| modules.sns.is_some() && modules.rabbit.is_none();
    if lacks(&server.base) {
        writer.choice(
            "the modules of all domains have no rabbit backend, so MongooseIM's default exchanges are \
             assumed. MongooseIM needs it:",
        );
        let (modules, pool) = match server.form {
            Form::Toml => (MODULES_TOML, POOL_TOML),
            Form::Erlang => (MODULES_ERLANG, POOL_ERLANG),
        };
        writer.comment_lines(modules);
        if server.pools.is_empty() {
            writer.comment_lines(pool);
        }
    }
    for host in &server.hosts {
        if host.modules.as_ref().is_some_and(lacks) {
            writer.choice(&format!(
                "{} has modules of its own, without the rabbit backend, which MongooseIM needs there: \
                 the same as for all domains is assumed.",
                host.name
            ));
        }
    }
}

/// What MongooseIM needs to publish to RabbitMQ. `durable` and `virtual_host` are known since 6.5.
const MODULES_TOML: &str = "\
[modules.mod_event_pusher.rabbit.presence_exchange]
[modules.mod_event_pusher.rabbit.chat_msg_exchange]
[modules.mod_event_pusher.rabbit.groupchat_msg_exchange]";

/// And to reach it.
const POOL_TOML: &str = "
[outgoing_pools.rabbit.event_pusher]
  scope = \"host_type\"       # up to 6.2: \"host\"
  connection.host = \"localhost\"
  connection.username = \"guest\"
  connection.password = \"guest\"
  connection.confirms_enabled = true";

/// The same in Erlang terms. The backend is there since 3.3.
const MODULES_ERLANG: &str = "\
{mod_event_pusher, [{backends, [{rabbit, []}]}]}                  % among the modules; since MongooseIM 3.3";
const POOL_ERLANG: &str = "\
{outgoing_pools, [
  {rabbit, host, event_pusher, [{workers, 20}],
   [{amqp_host, \"localhost\"}, {amqp_port, 5672}, {amqp_username, \"guest\"}, {amqp_password, \"guest\"},
    {confirms_enabled, true}]}
]}.";
