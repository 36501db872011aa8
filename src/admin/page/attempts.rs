//! A token bucket, and the count of wrong tokens by network.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::admin::connection_slots::network;
use crate::limits::{WRONG_TOKEN_NETWORKS, WRONG_TOKENS, WRONG_TOKENS_ELSEWHERE};

/// So many at once, and so many a second after that.
#[derive(Debug)]
pub(super) struct Bucket {
    most: f64,
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(most: f64, per_second: f64) -> Self {
        Self { most, per_second, left: most, at: Instant::now() }
    }

    /// Whether there is one more.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = passed.mul_add(self.per_second, self.left).min(self.most);
        self.at = now;
        let has = self.left >= 1.0;
        if has {
            self.left -= 1.0;
        }
        has
    }
}

/// Wrong tokens, by the network that they came from. Whoever has more networks than are counted one by one shares a
/// count with all others of that kind; networks that the right token came from don't.
#[derive(Debug, Default)]
pub(super) struct Failures {
    networks: HashMap<IpAddr, Wrong>,
    elsewhere: Option<Wrong>,
    known: BTreeSet<IpAddr>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    last: Instant,
}

impl Wrong {
    /// Since the last one, until all are forgotten.
    const FORGOTTEN: Duration = Duration::from_mins(1);

    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) < Self::FORGOTTEN
    }
}

impl Failures {
    /// Networks from which the right token came that are remembered.
    const KNOWN: usize = 64;

    pub(super) fn are_too_many(&self, from: IpAddr, now: Instant) -> bool {
        let from = network(from, 24);
        match self.networks.get(&from).filter(|it| it.is_fresh(now)) {
            Some(wrong) => wrong.count >= WRONG_TOKENS,
            // One that is known has a place of its own.
            None if self.known.contains(&from) => false,
            None => {
                let elsewhere = self.elsewhere.filter(|it| it.is_fresh(now));
                elsewhere.is_some_and(|it| it.count >= WRONG_TOKENS_ELSEWHERE)
            }
        }
    }

    pub(super) fn note(&mut self, from: IpAddr, now: Instant) {
        let from = network(from, 24);
        self.networks.retain(|_, wrong| wrong.is_fresh(now));
        self.elsewhere = self.elsewhere.filter(|it| it.is_fresh(now));
        let new = Wrong { count: 0, last: now };
        let has_place = self.networks.contains_key(&from) || self.known.contains(&from);
        let wrong = if has_place || self.networks.len() < WRONG_TOKEN_NETWORKS {
            self.networks.entry(from).or_insert(new)
        } else {
            self.elsewhere.get_or_insert(new)
        };
        (wrong.count, wrong.last) = (wrong.count.saturating_add(1), now);
    }

    /// The right token came from there.
    pub(super) fn remember(&mut self, from: IpAddr) {
        if self.known.len() < Self::KNOWN {
            self.known.insert(network(from, 24));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_has_and_what_has_run_in_since() {
        let began = Instant::now();
        let mut bucket = Bucket::new(3.0, 0.5);
        let taken = |bucket: &mut Bucket, after| {
            (0..10).filter(|_| bucket.take(began + Duration::from_secs(after))).count()
        };
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 1), 0);
        assert_eq!(taken(&mut bucket, 4), 2);
        assert_eq!(taken(&mut bucket, 1000), 3);
    }

    fn address(number: usize) -> IpAddr {
        let [_, a, b, c] = u32::try_from(number).unwrap().to_be_bytes();
        IpAddr::from([a.max(10), b, c, 7])
    }

    #[test]
    fn a_network_has_so_many_wrong_tokens_and_not_one_more_whatever_its_addresses() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        for last in 1..=WRONG_TOKENS {
            let from = IpAddr::from([10, 0, 0, u8::try_from(last).unwrap()]);
            assert!(!failures.are_too_many(from, now), "{last}");
            failures.note(from, now);
        }
        assert!(failures.are_too_many([10, 0, 0, 200].into(), now));
        assert!(!failures.are_too_many([10, 0, 1, 200].into(), now));
        assert!(!failures.are_too_many([10, 0, 0, 200].into(), now + Wrong::FORGOTTEN));
    }

    #[test]
    fn more_networks_than_are_counted_one_by_one_are_counted_together() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let home = IpAddr::from([192, 0, 2, 1]);
        failures.remember(home);
        for number in 0..WRONG_TOKEN_NETWORKS {
            failures.note(address(number), now);
        }
        for last in 0..WRONG_TOKENS_ELSEWHERE {
            let from = address(WRONG_TOKEN_NETWORKS + last as usize);
            assert!(!failures.are_too_many(from, now), "{last}");
            failures.note(from, now);
        }
        assert!(failures.are_too_many(address(70_000), now), "one more, from wherever");
        assert_eq!(failures.networks.len(), WRONG_TOKEN_NETWORKS, "bounded");
        assert!(!failures.are_too_many(home, now), "who is known has a count of their own");
        for _ in 0..WRONG_TOKENS {
            failures.note(home, now);
        }
        assert!(failures.are_too_many(home, now));
        assert!(!failures.are_too_many(address(70_000), now + Wrong::FORGOTTEN));
    }
}
