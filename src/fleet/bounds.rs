//! Bounds on numbers and texts of other workers.

use crate::limits::LONGEST_OF_FLEET;
use crate::untrusted::one_line;

/// The largest rate, and the largest backlog.
const FASTEST: f64 = 1e12;

/// A number of a rate or an amount, as far as it is believed.
pub(super) fn within(number: f64) -> f64 {
    if number.is_finite() { number.clamp(0.0, FASTEST) } else { 0.0 }
}

/// In one visible line of bounded length.
pub(super) fn shorten(text: &mut String) {
    *text = one_line(text, LONGEST_OF_FLEET);
}
