//! Parses kinds, users, times and rates as people write them, at a shell and on the page.

use std::str::FromStr;
use std::time::Duration;

use jid::Jid;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, Unit};

use super::Rate;
use crate::event::EventKind;
use crate::limits::LONGEST_SHORT;
use crate::nearest::nearest_word;
use crate::outcome::Reason;

pub(crate) fn kind(text: &str) -> Result<EventKind, String> {
    let kinds = EventKind::ALL;
    kinds.into_iter().find(|kind| kind.label() == text).ok_or_else(|| {
        let labels: Vec<_> = kinds.iter().map(|kind| kind.label()).collect();
        format!("give one of {}", labels.join(", "))
    })
}

/// Reasons that RabbitMQ writes into `x-death`, and the one of a letter that says none.
const OTHER_REASONS: [&str; 5] = ["rejected", "expired", "maxlen", "delivery_limit", "unknown"];

/// Whether this version knows the reason.
pub(crate) fn is_known_reason(text: &str) -> bool {
    Reason::from_label(text).is_some() || OTHER_REASONS.contains(&text)
}

/// A reason. One that nearly is a known one is misspelt; any other may be of another version.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    let known = Reason::ALL.iter().map(|it| it.label()).chain(OTHER_REASONS).collect::<Vec<_>>();
    if text.is_empty() {
        return Err(format!("it is empty; give one of {}", known.join(", ")));
    }
    match nearest_word(text, &known) {
        Some(near) if near != text => {
            Err(format!("did you mean {near:?}? The reasons are {}", known.join(", ")))
        }
        _ => Ok(text.to_owned()),
    }
}

/// The beginning of a letter's id, or a whole message id, which may be any text that AMQP can carry.
pub(crate) fn id(text: &str) -> Result<String, String> {
    let is_one = (1..=LONGEST_SHORT).contains(&text.len()) && !text.contains(char::is_control);
    is_one.then(|| text.to_owned()).ok_or_else(|| {
        "give the beginning of an id that `list --each` shows, or an AMQP message id".to_owned()
    })
}

pub(crate) fn jid(text: &str) -> Result<Jid, String> {
    Jid::from_str(text).map_err(|error| format!("{error}; give user@domain, or a domain"))
}

pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let wrong = "give a time such as 2026-01-31T02:00:00Z, or how long ago, such as 2h or 1d12h";
    let ago = duration(text).map_err(|_| wrong.to_owned())?;
    let ago = SignedDuration::try_from(ago).map_err(|_| wrong.to_owned())?;
    Timestamp::now().checked_sub(ago).map_err(|_| wrong.to_owned())
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a duration such as 30s, 5m or 2h".to_owned();
    // A bare number would be anything.
    let span: Span = text.parse().map_err(|_| wrong())?;
    let days = SpanRelativeTo::days_are_24_hours();
    let seconds = span.total((Unit::Second, days)).map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse::<f64>() {
        // A pause of more than an hour between two would be no rate.
        Ok(rate) if (1.0 / 3600.0..=1e6).contains(&rate) => Ok(rate),
        _ => Err("give a number for each second, such as 500/s or 0.5/s".to_owned()),
    }
}

/// The rate of a replay: a number, or that which leaves the fleet's live events young.
pub(crate) fn replay_rate(text: &str) -> Result<Rate, String> {
    if text == "auto" {
        return Ok(Rate::Auto);
    }
    rate(text).map(Rate::Fixed).map_err(|why| format!("{why}, or auto"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_or_so_long_ago() {
        let time: Timestamp = "2026-01-31T02:00:00Z".parse().unwrap();
        assert_eq!(moment("2026-01-31T02:00:00Z"), Ok(time));
        assert_eq!(moment("2026-01-31T03:00:00+01:00"), Ok(time));
        for (text, hours) in [("2h", 2), ("1d12h", 36), ("90m", 1), ("1w", 168)] {
            let then = moment(text).unwrap();
            assert_eq!(Timestamp::now().duration_since(then).as_hours(), hours, "{text}");
        }
        for wrong in ["", "2", "yesterday", "-2h", "2026-01-31", "1 month"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_are_numbers_for_each_second() {
        assert_eq!((rate("500/s"), rate("500"), rate("0.5/s")), (Ok(500.0), Ok(500.0), Ok(0.5)));
        assert_eq!(replay_rate("auto"), Ok(Rate::Auto));
        assert_eq!(replay_rate("0.5/s"), Ok(Rate::Fixed(0.5)));
        for wrong in ["", "0", "-1", "NaN", "inf", "5/m", "many", "Auto", "auto/s"] {
            assert!(rate(wrong).is_err() && replay_rate(wrong).is_err(), "{wrong}");
        }
    }
}
