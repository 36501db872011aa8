//! Takes RabbitMQ's counts of deliveries out of what is kept of a message: they change with each delivery, and are not
//! the producer's.

use super::walk::Walk;
use crate::headers::COUNTS;

/// A table's entries, without the counts among those that can be read.
pub(super) fn without_counts(mut table: Vec<u8>) -> Vec<u8> {
    let mut counts = Vec::new();
    let mut walk = Walk::new(&mut table);
    while let Some((entry, name)) = walk.entry() {
        if COUNTS.iter().any(|it| it.as_bytes() == walk.bytes(name.clone())) {
            counts.push(entry);
        }
    }
    for entry in counts.into_iter().rev() {
        table.drain(entry);
    }
    table
}

/// Properties with their flags, without the counts in their headers; as they are, where those are not found.
pub(super) fn properties_without_counts(mut properties: Vec<u8>) -> Vec<u8> {
    let Some(range) = Walk::new(&mut properties).find_headers() else { return properties };
    let table = without_counts(properties[range.clone()].to_vec());
    let Ok(length) = u32::try_from(table.len()) else { return properties };
    properties.splice(range.start - 4..range.end, [&length.to_be_bytes()[..], &table].concat());
    properties
}
