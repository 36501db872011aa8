//! The number of dead letters, counted while a page is open.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::{OperatorContext, Watchers};

/// Between two questions for the number of letters, while somebody watches.
const COUNT_EVERY: Duration = Duration::from_secs(3);

/// After a failure to ask, and after the last page is closed until the connection is.
const COUNT_AGAIN: Duration = Duration::from_secs(10);

/// Asks how many letters there are, as long as somebody watches.
pub(super) async fn keep(context: Rc<OperatorContext>, mut watchers: watch::Receiver<Watchers>) {
    let count = &context.count;
    while watchers.wait_for(|watchers| watchers.are_any()).await.is_ok() {
        let show = |letters| {
            if !context.is_looking.get() {
                count.send_replace(letters);
            }
        };
        tokio::select! {
            Err(trouble) = context.dead_letters.count(COUNT_EVERY, show) => {
                tracing::debug!(event = "page_count_failed", error = %trouble, "cannot count the dead letters");
                count.send_replace(None);
                sleep(COUNT_AGAIN).await;
            }
            () = nobody_watches(watchers.clone()) => drop(count.send_replace(None)),
        }
    }
}

async fn nobody_watches(mut watchers: watch::Receiver<Watchers>) {
    loop {
        if watchers.wait_for(|watchers| !watchers.are_any()).await.is_err() {
            return;
        }
        let again = watchers.wait_for(|watchers| watchers.are_any());
        if tokio::time::timeout(COUNT_AGAIN, again).await.is_err() {
            return;
        }
    }
}
