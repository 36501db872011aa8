//! Numbers with their nouns, as the page writes them.

use crate::text::grouped;

pub(super) fn dead_letters(count: u64) -> String {
    grouped_noun(count, "dead letter", "dead letters")
}

pub(super) fn deliveries(count: u64) -> String {
    grouped_noun(count, "delivery", "deliveries")
}

/// `1 delivery`, `2,000 deliveries`, as the page writes all numbers.
fn grouped_noun(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}
