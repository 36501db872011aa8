//! A command to all workers of a fleet, as it is written into the control stream: pause something, or resume it.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Target;
use crate::limits::{
    CLOCKS_DIFFER, LONGEST_COMMAND, LONGEST_COMMAND_ID, LONGEST_FLEET, LONGEST_OPERATOR,
    LONGEST_PAUSE_OF_A_FLEET, LONGEST_PAUSED_NAME, LONGEST_REASON,
};
use crate::untrusted::one_line;

/// The version of the format. Commands of others are ignored.
const VERSION: u32 = 1;

/// By which way a command was given, which tells how sure it is who did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The command line, which says itself who uses it.
    Cli,
    /// The page, by the operator's token.
    Page,
}

/// Who gave a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// A user and a host, or the name of a token.
    #[serde(rename = "by")]
    pub name: String,
    /// How that is known.
    pub via: Via,
}

impl Operator {
    /// With as much of a name as is written.
    #[must_use]
    pub fn new(name: &str, via: Via) -> Self {
        Self { name: one_line(name, LONGEST_OPERATOR), via }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.via {
            Via::Page => f.write_str(&self.name),
            Via::Cli => write!(f, "{} (as the command line says)", self.name),
        }
    }
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Nothing: the first worker of a fleet begins the stream with it, so that its end can be found.
    Begin,
    /// Pause the target.
    Pause {
        /// What.
        target: Target,
        /// When the pause ends by itself.
        until: Timestamp,
        /// Why, in the operator's words.
        reason: String,
    },
    /// End the pause of just this target.
    Resume(Target),
}

/// How long a pause that an operator asks for lasts.
///
/// # Errors
///
/// None may last so, in words for the operator.
pub fn length_of_pause(length: Duration) -> Result<SignedDuration, &'static str> {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    if length < SignedDuration::from_secs(1) || length > LONGEST_PAUSE_OF_A_FLEET {
        return Err("a pause lasts from one second to seven days; pause again before its end");
    }
    Ok(length)
}

/// A command to all workers of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Random: each command counts once.
    pub id: String,
    /// When it was given, by the clock of who gave it.
    pub at: Timestamp,
    /// The fleet's name.
    pub fleet: String,
    /// Who gave it.
    pub by: Operator,
    /// What it asks for.
    pub order: Order,
}

/// Why a message of the control stream is no command, or has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It is larger than any command.
    #[error("it is too large")]
    TooLarge,
    /// It is no command that this version can read.
    #[error("it is no command")]
    Unreadable,
    /// Another user of the broker sent it.
    #[error("another user of the broker sent it")]
    Foreign,
    /// It has no signature, or another key's.
    #[error("it is not signed with amqp.signing_key_file")]
    Unsigned,
    /// It is for another fleet.
    #[error("it is for another fleet")]
    OtherFleet,
    /// It was there before.
    #[error("it was there before")]
    Repeated,
    /// The pause would end before it begins, or last for longer than any may.
    #[error("the pause has no end, or a wrong one")]
    WrongEnd,
    /// As many pauses run as may.
    #[error("too many pauses run")]
    TooMany,
}

impl Ignored {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::TooLarge,
        Self::Unreadable,
        Self::Foreign,
        Self::Unsigned,
        Self::OtherFleet,
        Self::Repeated,
        Self::WrongEnd,
        Self::TooMany,
    ];

    /// Its label in metrics and in the log.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
            Self::Foreign => "foreign",
            Self::Unsigned => "unsigned",
            Self::OtherFleet => "other_fleet",
            Self::Repeated => "repeated",
            Self::WrongEnd => "wrong_end",
            Self::TooMany => "too_many",
        }
    }
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    v: u32,
    id: String,
    at: Timestamp,
    fleet: String,
    by: String,
    via: Via,
    command: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Begin,
    Pause,
    Resume,
}

impl Command {
    /// A new one. Random ids are needed only to tell commands apart.
    #[must_use]
    pub fn new(fleet: &str, by: Operator, order: Order, at: Timestamp) -> Self {
        Self { id: format!("{:016x}", fastrand::u64(..)), at, fleet: fleet.to_owned(), by, order }
    }

    /// The bytes of its message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (word, target, until, reason) = match &self.order {
            Order::Begin => (Word::Begin, None, None, ""),
            Order::Pause { target, until, reason } => {
                (Word::Pause, Some(target), Some(*until), &**reason)
            }
            Order::Resume(target) => (Word::Resume, Some(target), None, ""),
        };
        let written = Written {
            v: VERSION,
            id: self.id.clone(),
            at: self.at,
            fleet: self.fleet.clone(),
            by: self.by.name.clone(),
            via: self.by.via,
            command: word,
            scope: target.map(|it| it.scope().to_owned()),
            name: target.map(|it| it.name().to_owned()).unwrap_or_default(),
            until,
            reason: reason.to_owned(),
        };
        // Texts and times always are JSON.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Reads a message. All texts are in one visible line then, and of bounded length.
    ///
    /// # Errors
    ///
    /// Why it is no command.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Ignored> {
        if bytes.len() > LONGEST_COMMAND {
            return Err(Ignored::TooLarge);
        }
        let written: Written = serde_json::from_slice(bytes).map_err(|_| Ignored::Unreadable)?;
        if written.v != VERSION {
            return Err(Ignored::Unreadable);
        }
        let is_id = (1..=LONGEST_COMMAND_ID).contains(&written.id.len())
            && written.id.bytes().all(|it| it.is_ascii_hexdigit());
        // A name that was cut would be another one.
        let is_whole = |text: &str, longest: usize| one_line(text, longest) == text;
        let names_are_whole =
            is_whole(&written.name, LONGEST_PAUSED_NAME) && is_whole(&written.fleet, LONGEST_FLEET);
        if !is_id || !names_are_whole {
            return Err(Ignored::Unreadable);
        }
        let target = || {
            let scope = written.scope.as_deref().unwrap_or_default();
            Target::of(scope, &written.name).ok_or(Ignored::Unreadable)
        };
        let order = match written.command {
            Word::Begin => Order::Begin,
            Word::Pause => Order::Pause {
                target: target()?,
                until: written.until.ok_or(Ignored::WrongEnd)?,
                reason: one_line(&written.reason, LONGEST_REASON),
            },
            Word::Resume => Order::Resume(target()?),
        };
        let by = Operator::new(&written.by, written.via);
        Ok(Self { id: written.id, at: written.at, fleet: written.fleet, by, order })
    }

    /// How far another clock is from that of who gave it, if that is worth a word. Its message came just now.
    #[must_use]
    pub fn clock_difference(&self, now: Timestamp) -> Option<SignedDuration> {
        let difference = now.duration_since(self.at);
        (difference.abs() > CLOCKS_DIFFER).then_some(difference)
    }
}
