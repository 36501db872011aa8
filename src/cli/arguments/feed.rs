//! The arguments of `feed`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::dead_letters::argument_parsers::{duration, jid, kind, rate};
use crate::event::EventKind;

/// What its help ends with.
pub(super) const HELP: &str = "\
Events are persistent, and counted when the broker has confirmed them. With amqp.declare,
exchange and queue are declared as a worker does it, so that nothing is lost before one is
there.

Exit status: 0 done, or stopped by Ctrl-C, and all that was sent is in a queue;
1 otherwise; 2 wrong arguments; 78 invalid configuration.";

#[derive(Debug, Clone, Args)]
pub(crate) struct FeedArguments {
    /// How events are written; by default as the source reads them. `cloudevents` is structured mode
    #[arg(long, value_enum)]
    pub format: Option<Wire>,
    /// The source to whose exchange they go; needed where there are several. `mongooseim` needs none:
    /// each kind goes to the exchange of its own
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Events in a second, such as 200/s, or `max`: as fast as the broker confirms
    #[arg(long, value_name = "N/s", default_value = "10/s", value_parser = pace)]
    pub rate: Rate,
    /// Stop after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Stop after so long, such as 30s; without it and --count: at Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub time: Option<Duration>,
    /// Users, a few of whom are far more active than most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub users: u32,
    /// Rooms, on the domain's own MUC host
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rooms: u32,
    /// The users' XMPP domain
    #[arg(long, value_name = "DOMAIN", default_value = "example.org", value_parser = domain)]
    pub domain: String,
    /// The shares of the kinds; what is left out has none
    #[arg(long, value_name = "KIND=SHARE,...", value_parser = mix)]
    #[arg(default_value = "presence=30,chat=50,groupchat=20")]
    pub mix: Mix,
    /// Feed the same events again, ids included: on FIFO topics they are duplicates for five minutes
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The routing key, in place of the event's kind (or of what MongooseIM has)
    #[arg(long, value_name = "KEY")]
    pub routing_key: Option<String>,
}

/// A format, and how it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wire {
    Native,
    Mongooseim,
    Xmpp,
    // In structured mode.
    #[value(name = "cloudevents")]
    CloudEvents,
    // In binary mode: the attributes are headers.
    #[value(name = "cloudevents-binary")]
    CloudEventsBinary,
}

impl Wire {
    /// The name that users give it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Events in a second; `None`: as many as go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate(pub Option<f64>);

/// The shares of [`EventKind::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mix(pub [u32; 3]);

impl Mix {
    pub(crate) const fn share(self, kind: EventKind) -> u32 {
        self.0[kind as usize]
    }
}

fn pace(text: &str) -> Result<Rate, String> {
    match text {
        "max" => Ok(Rate(None)),
        text => rate(text).map(|rate| Rate(Some(rate))).map_err(|error| format!("{error}, or max")),
    }
}

fn domain(text: &str) -> Result<String, String> {
    let jid = jid(text)?;
    match (jid.node(), jid.resource()) {
        (None, None) => Ok(jid.domain().as_str().to_owned()),
        _ => Err("give a domain without user and resource".to_owned()),
    }
}

fn mix(text: &str) -> Result<Mix, String> {
    let wrong = || "give shares such as presence=30,chat=50,groupchat=20".to_owned();
    let mut mix = Mix([0; 3]);
    for part in text.split(',') {
        let (name, share) = part.split_once('=').ok_or_else(wrong)?;
        let kind = kind(name.trim())?;
        let share: u16 = share.trim().parse().map_err(|_| wrong())?;
        mix.0[kind as usize] = share.into();
    }
    if mix.0 == [0; 3] {
        return Err("something must have a share".to_owned());
    }
    Ok(mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_shares_by_kind() {
        assert_eq!(mix("presence=1,chat=2,groupchat=3"), Ok(Mix([1, 2, 3])));
        assert_eq!(mix("chat=100").map(|mix| mix.share(EventKind::Chat)), Ok(100));
        for wrong in ["", "chat", "chat=", "chat=-1", "chat=0", "iq=1", "chat=1;presence=2"] {
            assert!(mix(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn users_are_of_a_domain() {
        assert_eq!(domain("IM.Example"), Ok("im.example".to_owned()));
        for wrong in ["", "alice@example.org", "example.org/phone", "exa mple"] {
            assert!(domain(wrong).is_err(), "{wrong}");
        }
    }
}
