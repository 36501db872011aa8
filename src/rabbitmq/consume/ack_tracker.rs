//! Tracks which deliveries of a channel are settled, and which acknowledgements to send.
//!
//! An acknowledgement costs lapin more than all the rest of a delivery, so they are gathered:
//! one, with `multiple`, for all up to the oldest delivery that is still open. What is settled
//! beyond it mostly gets into that prefix by waiting a little, and is acknowledged one by one only if not.

use std::collections::VecDeque;

use lapin::types::DeliveryTag;

/// The deliveries of one channel that are not acknowledged to the broker, by tag.
///
/// Tags of a channel with one consumer go up by one from 1, so that a tag's place is known.
#[derive(Debug, Default)]
pub(in crate::rabbitmq) struct AckTracker {
    /// The tag of the first entry, less one: all up to here are acknowledged.
    acked_up_to: DeliveryTag,
    entries: VecDeque<DeliveryState>,
    settled: usize,
    /// Entries that are acknowledged singly.
    acked_singly: usize,
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeliveryState {
    Open,
    Settled,
    /// Acknowledged singly, while an older one was open.
    Acked,
}

/// What to send.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::rabbitmq) struct Acknowledgements {
    /// All up to this tag.
    pub(in crate::rabbitmq) up_to: Option<DeliveryTag>,
    /// These beyond it.
    pub(in crate::rabbitmq) single: Vec<DeliveryTag>,
}

impl AckTracker {
    /// All up to this one are acknowledged.
    pub(in crate::rabbitmq) fn acked_up_to(&self) -> DeliveryTag {
        self.acked_up_to
    }

    /// How many are acknowledged.
    pub(in crate::rabbitmq) fn acknowledged(&self) -> u64 {
        self.acked_up_to + self.acked_singly as u64
    }

    /// For how many the broker waits.
    pub(in crate::rabbitmq) fn unacknowledged(&self) -> usize {
        self.entries.len() - self.acked_singly
    }

    /// A delivery has come.
    pub(in crate::rabbitmq) fn open(&mut self, tag: DeliveryTag) {
        // One passed over, were there any, would stay open and come again.
        while self.acked_up_to + (self.entries.len() as u64) < tag {
            self.entries.push_back(DeliveryState::Open);
        }
    }

    /// Its outcome is safe.
    pub(in crate::rabbitmq) fn settle(&mut self, tag: DeliveryTag) {
        let entry = tag
            .checked_sub(self.acked_up_to + 1)
            .and_then(|place| self.entries.get_mut(usize::try_from(place).ok()?));
        if let Some(entry @ DeliveryState::Open) = entry {
            *entry = DeliveryState::Settled;
            self.settled += 1;
        }
    }

    /// Deliveries that are settled and not yet acknowledged to the broker.
    pub(in crate::rabbitmq) fn unflushed(&self) -> usize {
        self.settled
    }

    /// Takes all acknowledgements that can be sent.
    pub(in crate::rabbitmq) fn take_all(&mut self) -> Acknowledgements {
        self.take_but(0)
    }

    /// Takes the prefix, and of what is settled beyond it the oldest until no more than so many are left.
    pub(in crate::rabbitmq) fn take_but(&mut self, most: usize) -> Acknowledgements {
        let mut acknowledgements = self.take_prefix();
        let mut tags = (self.acked_up_to + 1..).zip(&mut self.entries);
        while self.settled > most
            && let Some((tag, entry)) = tags.next()
        {
            if *entry == DeliveryState::Settled {
                *entry = DeliveryState::Acked;
                self.settled -= 1;
                self.acked_singly += 1;
                acknowledgements.single.push(tag);
            }
        }
        acknowledgements
    }

    /// Takes what one acknowledgement covers: all up to the oldest delivery that is open.
    fn take_prefix(&mut self) -> Acknowledgements {
        let mut acknowledgements = Acknowledgements::default();
        while let Some(entry) = self.entries.front()
            && *entry != DeliveryState::Open
        {
            self.acked_up_to += 1;
            // One that was acknowledged singly needs no further acknowledgement, unless others of the prefix do.
            if *entry == DeliveryState::Settled {
                self.settled -= 1;
                acknowledgements.up_to = Some(self.acked_up_to);
            } else {
                self.acked_singly -= 1;
            }
            self.entries.pop_front();
        }
        acknowledgements
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_settled_prefix_is_told_at_once_and_stragglers_singly() {
        let mut tracker = AckTracker::default();
        (1..=6).for_each(|tag| tracker.open(tag));
        for tag in [1, 2, 4, 6] {
            tracker.settle(tag);
        }
        let prefix = |tag| Acknowledgements { up_to: Some(tag), single: vec![] };
        assert_eq!(tracker.take_but(2), prefix(2));
        assert_eq!(tracker.unflushed(), 2);
        let single = |tag| Acknowledgements { up_to: None, single: vec![tag] };
        assert_eq!(tracker.take_but(1), single(4), "the oldest first");
        assert_eq!(tracker.take_all(), single(6));
        tracker.settle(3);
        assert_eq!(tracker.take_prefix(), prefix(3));
        tracker.settle(5);
        assert_eq!(tracker.take_all(), prefix(5));
        assert_eq!(tracker.unflushed(), 0);
        assert!(tracker.entries.is_empty());
    }

    proptest! {
        /// RabbitMQ closes the channel when a tag is acknowledged twice, or one that it doesn't know.
        #[test]
        fn every_delivery_is_told_once_after_it_was_settled_and_never_before(
            steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>()), 1..300),
        ) {
            let mut tracker = AckTracker::default();
            let (mut open, mut settled) = (BTreeSet::new(), BTreeSet::new());
            // What the broker still waits for.
            let mut unacked = BTreeSet::new();
            let mut last = 0;
            for (step, pick) in steps {
                match step {
                    0 => {
                        last += 1;
                        tracker.open(last);
                        open.insert(last);
                        unacked.insert(last);
                    }
                    1 if !open.is_empty() => {
                        let tag = *pick.get(&open.iter().copied().collect::<Vec<_>>());
                        open.remove(&tag);
                        settled.insert(tag);
                        tracker.settle(tag);
                    }
                    _ => {
                        let most = if step == 3 { 0 } else { pick.index(10) };
                        let before = tracker.unflushed();
                        let Acknowledgements { up_to, single } = tracker.take_but(most);
                        if let Some(up_to) = up_to {
                            let told: Vec<_> = unacked.range(..=up_to).copied().collect();
                            prop_assert!(told.contains(&up_to), "{up_to} was told before");
                            for tag in told {
                                prop_assert!(settled.contains(&tag), "{tag} is not settled");
                                unacked.remove(&tag);
                            }
                        }
                        let told_singly = single.len();
                        for tag in single {
                            prop_assert!(settled.contains(&tag) && unacked.remove(&tag));
                        }
                        prop_assert_eq!(tracker.unflushed(), unacked.len() - open.len());
                        prop_assert_eq!(tracker.unacknowledged(), unacked.len());
                        prop_assert_eq!(tracker.acknowledged(), last - unacked.len() as u64);
                        prop_assert!(most > 0 || unacked == open);
                        prop_assert!(tracker.unflushed() <= most, "too many are kept from the broker");
                        prop_assert!(before > most || told_singly == 0, "told one by one too soon");
                    }
                }
            }
        }
    }
}
