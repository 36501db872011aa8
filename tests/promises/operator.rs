//! What an operator's commands promise about dead letters, on queues of both types.

mod archive;
mod bad;
mod canary;
mod discard;
mod kills;
mod list;
mod look;
mod many;
mod priority;
mod replay;
mod show;
mod walk;

use crate::support::{Ended, Stand};

/// Tries the same on queues of both types, at once.
async fn on_both(promise: impl AsyncFn(&str)) {
    futures_util::future::join(promise("quorum"), promise("classic")).await;
}

/// A stand with a dead-letter queue of its own.
pub async fn stand(name: &str, queue_type: &str) -> Stand {
    declared(Stand::new(&format!("{name}-{queue_type}")).await, queue_type).await
}

/// The same for a stand on another broker.
async fn declared(stand: Stand, queue_type: &str) -> Stand {
    stand.declare_all(queue_type).await;
    stand
}

/// Message ids in order.
fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(crate::support::id).collect()
}

/// Fails with all that the program said unless it ended so, with these texts.
pub fn expect(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.all());
    for text in texts {
        assert!(ended.all().contains(text), "no {text:?} in\n{}", ended.all());
    }
}
