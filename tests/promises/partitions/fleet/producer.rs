//! Sends the plan's events at an even pace.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::account::Account;
use super::plan::Plan;
use crate::order::conversations::routed_event_of;
use crate::support::Stand;

const TICK: Duration = Duration::from_millis(100);

/// Confirmed together, at most.
const TOGETHER: usize = 250;

/// Sends all, each event after the one before it of the same key, and enters what the broker has confirmed.
pub async fn produce(plan: &Plan, stand: &Stand, began: Instant, account: &RefCell<Account>) {
    let mut next = vec![0; plan.size.keys()];
    let mut left = plan.keys.iter().copied();
    let mut at = Duration::ZERO;
    let mut sent = 0;
    while left.len() > 0 {
        at = (at + TICK).min(plan.size.lasts);
        sleep_until(began + at).await;
        let share = at.as_secs_f64() / plan.size.lasts.as_secs_f64();
        // The share is at most 1, and less than a million millions of events.
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let due = (plan.size.events as f64 * share).round() as usize;
        while sent < due {
            let together: Vec<_> = left.by_ref().take(TOGETHER.min(due - sent)).collect();
            let events = together.iter().map(|key| {
                next[*key] += 1;
                routed_event_of(*key, next[*key] - 1)
            });
            stand.publish_all(events).await;
            sent += together.len();
            for key in together {
                account.borrow_mut().sent(key);
            }
        }
    }
}
