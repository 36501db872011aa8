//! The arguments of `feed`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::dead_letters::argument_parsers::{duration, jid, kind, rate};
use crate::event::EventKind;

/// What its help ends with.
pub(super) const HELP: &str = "\
Events are persistent, and are counted when the broker has confirmed them. With amqp.declare = true,
`feed` declares exchange and queue as a worker does, so that no event is lost before a worker has
started.

If the connection to RabbitMQ is lost, `feed` connects again and sends unconfirmed events again, in
their order; those that the broker has kept are then in the queue twice. It ends with an error if the
broker has confirmed no event for five minutes, and at once if it can't connect at the start.

Exit status: 0 success, or stopped by Ctrl-C, and all events that were sent are in a queue;
1 otherwise; 2 wrong arguments; 78 invalid configuration.";

#[derive(Debug, Clone, Args)]
pub(crate) struct FeedArguments {
    /// The format of the events; by default the one that the source reads. `cloudevents` is structured mode
    #[arg(long, value_enum)]
    pub format: Option<Wire>,
    /// Publish to the exchange of this source; required if there are several sources. With the format
    /// `mongooseim` it is not needed: each kind of event has an exchange of its own
    #[arg(long, value_name = "NAME", value_parser = super::some_text)]
    pub source: Option<String>,
    /// Events per second, such as 200/s, or `max`: as fast as the broker confirms
    #[arg(long, value_name = "N/s", default_value = "10/s", value_parser = feed_rate)]
    pub rate: Rate,
    /// Stop after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Stop after this time, such as 30s; without this option and --count, Ctrl-C stops
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub time: Option<Duration>,
    /// Number of users; a few of them are much more active than the others
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub users: u32,
    /// Number of rooms, on the MUC host of the domain
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rooms: u32,
    /// The XMPP domain of the users
    #[arg(long, value_name = "DOMAIN", default_value = "example.org", value_parser = domain)]
    pub domain: String,
    /// The share of each kind of event; a kind that is left out gets none
    #[arg(long, value_name = "KIND=SHARE,...", value_parser = mix)]
    #[arg(default_value = "presence=30,chat=50,groupchat=20")]
    pub mix: Mix,
    /// Seed of the generator: the same seed makes the same events, with the same ids, which a FIFO topic drops as
    /// duplicates for five minutes
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The routing key. By default it is the event's kind, or the key that MongooseIM uses, if the source's `routing_keys`
    /// match that; else one that is made from them, such as chat.presence for chat.#
    #[arg(long, value_name = "KEY", value_parser = super::short_text)]
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

fn feed_rate(text: &str) -> Result<Rate, String> {
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
        return Err("at least one kind needs a share above 0".to_owned());
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
