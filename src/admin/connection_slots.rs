//! Limits the connections to the admin addresses: a number of slots for each class of connection, and the client with the
//! most connections makes room.
//!
//! A connection whose request has not arrived yet has a slot of the class `Arriving`. The head of the request decides on
//! the final class; so neither a client that keeps its request back nor one that asks for the page takes the slot of a
//! health probe. Where all slots of a class are taken, the new connection gets a slot and another connection is closed:
//! one of those that keep something back, of the client that has the most, its oldest.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::limits::{ANONYMOUS_CONNECTIONS, ARRIVING_CONNECTIONS, PROBES, TRUSTED_CONNECTIONS};

/// Slots of all classes where open files suffice.
const ALL_CONNECTIONS: usize =
    ANONYMOUS_CONNECTIONS + ARRIVING_CONNECTIONS + PROBES + TRUSTED_CONNECTIONS;

/// What a connection is for, by its request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The head has not come yet.
    Arriving,
    /// Health or metrics.
    Probe,
    /// The page, by somebody who has not logged in.
    Anonymous,
    /// The page, by somebody who has.
    Trusted,
}

impl Class {
    const fn most(self) -> usize {
        match self {
            Self::Arriving => ARRIVING_CONNECTIONS,
            Self::Probe => PROBES,
            Self::Anonymous => ANONYMOUS_CONNECTIONS,
            Self::Trusted => TRUSTED_CONNECTIONS,
        }
    }
}

/// How far a connection has come; those of the first kind make room first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The request is not there whole.
    Sending,
    /// It is, and its answer is on its way.
    Answered,
    /// Its answer is one that lasts.
    Lasting,
}

/// The slots of all connections to the admin addresses.
#[derive(Debug, Clone)]
pub(super) struct ConnectionSlots(Arc<Mutex<Register>>);

#[derive(Debug)]
struct Register {
    /// Slots of all classes.
    most: usize,
    next: u64,
    taken: BTreeMap<u64, OccupiedSlot>,
}

#[derive(Debug)]
struct OccupiedSlot {
    client: IpAddr,
    class: Class,
    phase: Phase,
    leave: Arc<Notify>,
}

/// A connection's slot, free again when this goes.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    slots: ConnectionSlots,
    id: u64,
    leave: Arc<Notify>,
}

impl ConnectionSlots {
    /// So many slots of all classes: fewer than there are by default where open files are few.
    pub(super) fn within(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Register { most, next: 0, taken: BTreeMap::new() })))
    }

    /// A slot among those that arrive.
    pub(super) fn take(&self, client: IpAddr) -> ConnectionSlot {
        let leave = Arc::<Notify>::default();
        let mut register = self.register();
        register.make_room(Class::Arriving);
        let id = register.next;
        register.next += 1;
        let (class, phase) = (Class::Arriving, Phase::Sending);
        register.taken.insert(
            id,
            OccupiedSlot { client: network(client, 128), class, phase, leave: Arc::clone(&leave) },
        );
        ConnectionSlot { slots: self.clone(), id, leave }
    }

    fn register(&self) -> std::sync::MutexGuard<'_, Register> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionSlot {
    /// Its head has come.
    pub(super) fn becomes(&self, class: Class) {
        let mut register = self.slots.register();
        match register.taken.get(&self.id) {
            Some(taken) if taken.class != class => register.make_room(class),
            // It has such a slot, or was told to leave already.
            _ => return,
        }
        if let Some(taken) = register.taken.get_mut(&self.id) {
            taken.class = class;
        }
    }

    pub(super) fn comes_to(&self, phase: Phase) {
        if let Some(taken) = self.slots.register().taken.get_mut(&self.id) {
            taken.phase = phase;
        }
    }

    /// Waits until another one needs its slot.
    pub(super) async fn is_needed(&self) {
        self.leave.notified().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots.register().taken.remove(&self.id);
    }
}

impl Register {
    fn most_of(&self, class: Class) -> usize {
        (class.most() * self.most / ALL_CONNECTIONS).max(1)
    }

    /// Sends one away if all slots of the class are taken.
    fn make_room(&mut self, class: Class) {
        let of_class = || self.taken.iter().filter(|(_, it)| it.class == class);
        if of_class().count() < self.most_of(class) {
            return;
        }
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (_, it) in of_class() {
            *counts.entry(it.client).or_default() += 1;
        }
        let goes = of_class().min_by_key(|(id, it)| {
            (it.phase, std::cmp::Reverse(counts.get(&it.client).copied()), **id)
        });
        let goes = goes.map(|(id, _)| *id);
        if let Some(taken) = goes.and_then(|id| self.taken.remove(&id)) {
            taken.leave.notify_one();
        }
    }
}

/// An address as the client that it stands for: an IPv6 host has a /64 to choose from. An IPv4 address keeps its first
/// `bits`, at most 32.
pub(super) fn network(address: IpAddr, bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(it) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V4((it.to_bits() & mask).into())
        }
        IpAddr::V6(it) => IpAddr::V6((it.to_bits() & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    fn is_there(slots: &ConnectionSlots, slot: &ConnectionSlot) -> bool {
        slots.register().taken.contains_key(&slot.id)
    }

    #[test]
    fn one_more_than_there_are_places_sends_the_oldest_of_whoever_has_the_most_away() {
        for class in [Class::Arriving, Class::Probe, Class::Anonymous, Class::Trusted] {
            let slots = ConnectionSlots::within(ALL_CONNECTIONS);
            let enter = |number| {
                let slot = slots.take(client(number));
                slot.becomes(class);
                slot
            };
            let modest = enter(1);
            let greedy: Vec<_> = (1..class.most()).map(|_| enter(2)).collect();
            assert!(is_there(&slots, &modest) && greedy.iter().all(|it| is_there(&slots, it)));
            let another = enter(3);
            assert!(!is_there(&slots, &greedy[0]), "{class:?}");
            assert!(is_there(&slots, &another) && is_there(&slots, &modest), "{class:?}");
            assert!(greedy[1..].iter().all(|it| is_there(&slots, it)), "{class:?}");
            drop(another);
            let last = enter(3);
            assert!(is_there(&slots, &greedy[1]) && is_there(&slots, &last), "{class:?}");
        }
    }

    #[test]
    fn who_keeps_a_request_back_goes_before_who_waits_for_an_answer() {
        let slots = ConnectionSlots::within(ALL_CONNECTIONS);
        let enter = |phase| {
            let slot = slots.take(client(1));
            slot.becomes(Class::Anonymous);
            slot.comes_to(phase);
            slot
        };
        let (lasting, answered) = (enter(Phase::Lasting), enter(Phase::Answered));
        let sending: Vec<_> = (2..ANONYMOUS_CONNECTIONS).map(|_| enter(Phase::Sending)).collect();
        let more: Vec<_> = (0..sending.len()).map(|_| enter(Phase::Answered)).collect();
        assert!(sending.iter().all(|it| !is_there(&slots, it)));
        assert!(is_there(&slots, &lasting) && is_there(&slots, &answered));
        let last = enter(Phase::Answered);
        assert!(!is_there(&slots, &answered) && is_there(&slots, &lasting));
        assert!(is_there(&slots, &more[0]) && is_there(&slots, &last));
    }

    #[test]
    fn an_address_stands_for_its_network() {
        let of = |text: &str, bits| network(text.parse().unwrap(), bits).to_string();
        assert_eq!(of("10.1.2.3", 24), "10.1.2.0");
        assert_eq!(of("10.1.2.3", 128), "10.1.2.3");
        assert_eq!(of("::ffff:10.1.2.3", 24), "10.1.2.0");
        assert_eq!(of("2001:db8:1:2:3:4:5:6", 128), "2001:db8:1:2::");
    }
}
