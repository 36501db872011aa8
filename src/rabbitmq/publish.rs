//! Publishes what is to be safe in a queue: mandatory and confirmed.

pub mod dead_letter_exchange;
pub(crate) mod outlet;
pub(crate) mod pending_confirms;
pub(crate) mod publishing_room;
pub(crate) mod solo_channels;
