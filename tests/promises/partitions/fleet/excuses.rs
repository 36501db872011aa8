//! Why SNS got an event twice, where the workers could not know better.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use super::account::Repeat;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// By a fault.
    AnswerLost,
    /// A worker that published it.
    Killed,
    /// A worker that published it, or does so now.
    Frozen,
}

impl fmt::Display for Excuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnswerLost => "answer of SNS lost in a fault",
            Self::Killed => "worker killed",
            Self::Frozen => "worker frozen",
        })
    }
}

/// A worker that was killed or frozen.
#[derive(Debug, Clone)]
pub struct Mishap {
    /// The key's id by which it signs.
    pub worker: String,
    pub excuse: Excuse,
    pub from: Instant,
    pub to: Instant,
}

/// An attempt and its acknowledgement take no longer, so what was published longer ago was acknowledged.
const AROUND: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Excuses {
    pub mishaps: Vec<Mishap>,
    pub lost_answers: BTreeSet<u64>,
    /// When each request came, and from whom.
    pub times: BTreeMap<u64, Instant>,
    pub signers: BTreeMap<u64, String>,
}

impl Excuses {
    pub fn of(&self, repeat: &Repeat) -> Option<Excuse> {
        if repeat.earlier.iter().any(|it| self.lost_answers.contains(it)) {
            return Some(Excuse::AnswerLost);
        }
        let earlier = repeat.earlier.iter().find_map(|request| self.mishap(*request));
        // What a frozen worker had sent may arrive after others have published it.
        earlier.or_else(|| self.mishap(repeat.request).filter(|it| *it == Excuse::Frozen))
    }

    fn mishap(&self, request: u64) -> Option<Excuse> {
        let (time, worker) = (self.times.get(&request)?, self.signers.get(&request)?);
        let near = |it: &&Mishap| {
            it.worker == *worker && it.from <= *time + AROUND && *time <= it.to + AROUND
        };
        self.mishaps.iter().find(near).map(|it| it.excuse)
    }

    /// Who published it, and at which second of the run, for people.
    pub fn describe(&self, request: u64, began: Instant) -> String {
        let worker = self.signers.get(&request).map_or("nobody known", |it| it);
        let time = self.times.get(&request).map_or(Duration::ZERO, |it| *it - began);
        format!("{worker} at {:.3} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn excuses(began: Instant) -> Excuses {
        let at = |seconds| began + seconds * SECOND;
        let mishap = |worker: &str, excuse, from, to| Mishap {
            worker: worker.to_owned(),
            excuse,
            from: at(from),
            to: at(to),
        };
        let requests = [(1, "A", 100), (2, "B", 101), (3, "C", 140), (4, "D", 150)];
        Excuses {
            mishaps: vec![
                mishap("B", Excuse::Killed, 102, 102),
                mishap("C", Excuse::Frozen, 110, 139),
            ],
            lost_answers: [1].into(),
            times: requests.iter().map(|(it, _, seconds)| (*it, at(*seconds))).collect(),
            signers: requests.iter().map(|(it, worker, _)| (*it, (*worker).to_owned())).collect(),
        }
    }

    fn excuse(earlier: u64, request: u64) -> Option<Excuse> {
        let repeat = Repeat { key: 0, number: 0, earlier: vec![earlier], request };
        excuses(Instant::now()).of(&repeat)
    }

    #[test]
    fn a_lost_answer_a_kill_and_a_freeze_excuse_a_copy_and_nothing_else_does() {
        assert_eq!(excuse(1, 4), Some(Excuse::AnswerLost));
        assert_eq!(excuse(2, 4), Some(Excuse::Killed));
        assert_eq!(excuse(4, 3), Some(Excuse::Frozen), "it arrived late");
        assert_eq!(excuse(4, 4), None);
        assert_eq!(excuse(4, 2), None, "who was killed had not published it first");
        assert_eq!(excuse(4, 1), None, "the answer that was lost came to the copy");
    }

    #[test]
    fn what_was_published_long_before_a_kill_is_not_excused_by_it() {
        let began = Instant::now();
        let mut excuses = excuses(began);
        excuses.mishaps[0].from = began + 112 * SECOND;
        excuses.mishaps[0].to = began + 112 * SECOND;
        let repeat = Repeat { key: 0, number: 0, earlier: vec![2], request: 4 };
        assert_eq!(excuses.of(&repeat), None);
    }
}
