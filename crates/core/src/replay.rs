//! What replays and workers tell each other: the id of a replayed event, and what became of it.

use std::fmt;
use std::str::FromStr;

use crate::arn::TopicArn;
use crate::outcome::Outcome;

/// Names an event of a replay: the header [`REPLAY_ID`](crate::headers::REPLAY_ID).
///
/// Its text is `REPLAY.NUMBER`, or `REPLAY.1.NUMBER` where the worker is asked to report the outcome: sixteen hexadecimal
/// digits and decimal ones. Versions that know of no reports take either for the name of a replay and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayId {
    /// The replay. Nobody can guess it, so nobody who can't read the event can report in a worker's place.
    pub replay: u64,
    /// The number of the event in its replay.
    pub number: u32,
    /// Whether the replay wants to know the outcome.
    pub asks: bool,
}

impl fmt::Display for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replay, number, asks } = self;
        write!(f, "{replay:016x}.{}{number}", if *asks { "1." } else { "" })
    }
}

/// The text is no id of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAReplayId;

impl FromStr for ReplayId {
    type Err = NotAReplayId;

    fn from_str(text: &str) -> Result<Self, NotAReplayId> {
        let (replay, number) = text.split_once('.').ok_or(NotAReplayId)?;
        let replay = u64::from_str_radix(replay, 16).map_err(|_| NotAReplayId)?;
        let (number, asks) = match number.strip_prefix("1.") {
            Some(number) => (number, true),
            None => (number, false),
        };
        let number = number.parse().map_err(|_| NotAReplayId)?;
        // One way to write each: no signs, no further zeros.
        Some(Self { replay, number, asks }).filter(|id| id.to_string() == text).ok_or(NotAReplayId)
    }
}

/// What a worker reports of a replayed event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutcomeReport {
    /// SNS has accepted it.
    Published,
    /// Policy publishes nothing for it.
    Skipped,
    /// It is a dead letter again.
    DeadLettered,
    /// It waits for this circuit: `service`, or the topic's ARN.
    Held(String),
}

impl OutcomeReport {
    /// The name of the variant in the header [`OUTCOME`](crate::headers::OUTCOME).
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Skipped => "skipped",
            Self::DeadLettered => "dead_lettered",
            Self::Held(_) => "held",
        }
    }

    /// What is signed of a report on an event.
    #[must_use]
    pub fn signed_text(&self, id: ReplayId) -> String {
        let circuit = if let Self::Held(circuit) = self { circuit.as_str() } else { "" };
        format!("{id} {} {circuit}", self.label())
    }

    /// The report with this label; `circuit` is what an event waits for, `service` or the ARN of a topic.
    #[must_use]
    pub fn from_label(label: &str, circuit: &str) -> Option<Self> {
        if label == "held" && circuit != "service" && TopicArn::parse(circuit).is_err() {
            return None;
        }
        let all =
            [Self::Published, Self::Skipped, Self::DeadLettered, Self::Held(circuit.to_owned())];
        all.into_iter().find(|it| it.label() == label)
    }

    /// What is final of an outcome. A parked or requeued event comes again.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Published(_) => Some(Self::Published),
            Outcome::Skipped(_) => Some(Self::Skipped),
            Outcome::DeadLettered(_) => Some(Self::DeadLettered),
            Outcome::Parked | Outcome::Requeued => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LONGEST_REPLAY_ID;

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is_one() {
        for asks in [true, false] {
            for (replay, number) in [(0, 0), (0xab, 1), (u64::MAX, u32::MAX)] {
                let id = ReplayId { replay, number, asks };
                assert_eq!(id.to_string().parse(), Ok(id));
                assert!(id.to_string().len() <= LONGEST_REPLAY_ID);
            }
        }
        let id = "00000000000000ab";
        for wrong in [
            "",
            ".",
            id,
            "ab.1",
            "0123abcd.7",
            &format!("{id}.01"),
            &format!("{id}.+1"),
            &format!("{id}.1.1.1"),
            &format!("{id}.2.1"),
            &format!("{id}."),
            &format!("{id}.4294967296"),
            &format!("0{id}.1"),
            "00000000000000AB.1",
        ] {
            assert_eq!(wrong.parse::<ReplayId>(), Err(NotAReplayId), "{wrong}");
        }
    }

    #[test]
    fn a_report_is_read_by_its_label() {
        for report in [
            OutcomeReport::Published,
            OutcomeReport::Skipped,
            OutcomeReport::DeadLettered,
            OutcomeReport::Held("service".to_owned()),
        ] {
            assert_eq!(OutcomeReport::from_label(report.label(), "service"), Some(report));
        }
        assert_eq!(OutcomeReport::from_label("parked", ""), None);
        assert_eq!(OutcomeReport::from_label("held", "call this number"), None);
    }
}
