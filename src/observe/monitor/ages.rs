//! When the oldest delivery in flight came. Deliveries are counted by the second in which they came, so that one costs an
//! addition, and all of an hour's hold some hundred numbers.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Deliveries in flight by the second in which they came.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// What seconds are counted from.
    began: Option<Instant>,
    /// Seconds and deliveries, in the order of time; none has zero deliveries.
    seconds: VecDeque<(u64, u64)>,
}

impl Ages {
    /// A delivery has come, now.
    pub(super) fn begin(&mut self, now: Instant) {
        let second = (now - *self.began.get_or_insert(now)).as_secs();
        match self.seconds.back_mut() {
            Some((last, count)) if *last >= second => *count += 1,
            _ => self.seconds.push_back((second, 1)),
        }
    }

    /// A delivery that came then has ended.
    pub(super) fn end(&mut self, since: Instant) {
        let Some(began) = self.began else { return };
        let second = (since - began).as_secs();
        let at = self.seconds.partition_point(|(it, _)| *it < second);
        let Some((_, count)) = self.seconds.get_mut(at) else { return };
        *count -= 1;
        if *count == 0 {
            self.seconds.remove(at);
        }
    }

    /// When the oldest one came.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let (second, _) = self.seconds.front()?;
        Some(self.began? + Duration::from_secs(*second))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_oldest_is_the_oldest_whatever_ends_first(steps in prop::collection::vec((any::<bool>(), 0..3000_u64, any::<prop::sample::Index>()), 0..200)) {
            let (mut ages, mut now, mut there) = (Ages::default(), Instant::now(), Vec::new());
            for (begins, pause, which) in steps {
                now += Duration::from_millis(pause);
                if begins || there.is_empty() {
                    ages.begin(now);
                    there.push(now);
                } else {
                    ages.end(there.remove(which.index(there.len())));
                }
                let start = ages.began.unwrap();
                let told = ages.oldest().map(|it| (it - start).as_secs());
                let exact = there.iter().min().map(|it| (*it - start).as_secs());
                prop_assert_eq!(told, exact);
                prop_assert!(ages.seconds.len() <= there.len());
            }
        }
    }
}
