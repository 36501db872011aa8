//! Looks that are many, wait long for each other, or wait in vain for the broker.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_pusher_sns::dead_letters::Filter;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::super::{expect, ids, on_both, stand};
use super::{hold, library, stalled};
use crate::support::{Door, Proxy, dlq, dlq_program};

#[tokio::test]
async fn thirty_looks_in_a_row_lose_reorder_and_spend_nothing() {
    on_both(look_thirty_times).await;
}

async fn look_thirty_times(queue_type: &str) {
    let stand = stand("looks", queue_type).await;
    stand.bury_numbers(0..300).await;
    let mut count = 300;
    for look in 1..=30 {
        if look == 5 {
            // It is killed while it holds everything, and has sent but the first.
            let arguments = ["replay", "--rate", "0.01/s", "--id", "m-7", "--id", "m-9"];
            let replay = dlq_program(&stand, &arguments).start();
            stand.has_ready(&stand.queue(), 1).await;
            replay.crash().await;
            stand.drain(&stand.queue(), 1).await;
            // The kill may have come before the acknowledgement.
            let back = async || {
                Some(stand.ready(&stand.dead_letter_queue()).await).filter(|count| *count > 0)
            };
            count = crate::support::wait_for("what it held", back).await;
            assert!((299..=300).contains(&count), "{queue_type}: {count} are left of 300");
        } else if look % 10 == 5 {
            // Nor does the next have to wait until what this one held is back.
            LocalSet::new().run_until(async { hold(&stand).await.abort() }).await;
        }
        let ended = dlq(&stand, &["list"]).await;
        let count = format!("{count} dead letters");
        expect(&ended, 0, &[&count, "  retries_exhausted: gave up after 3 attempts"]);
        assert_eq!(ended.stderr, "", "{ended:?}");
    }
    let expected = ids((0..300).filter(|number| *number != 7 || count == 300));
    assert_eq!(stand.drain_dead_letters(expected.len()).await, expected, "{queue_type}");
    stand.leave_nothing().await;
}

/// After which a look gave up once.
const FORMER_PATIENCE: Duration = Duration::from_secs(12);

#[tokio::test]
async fn a_look_is_the_only_one_and_the_next_waits_for_it_but_not_for_ever() {
    on_both(async |queue_type| {
        let stand = stand("looks-two", queue_type).await;
        stand.bury_numbers(0..50).await;
        let together = LocalSet::new();
        together
            .run_until(async {
                let holding = hold(&stand).await;
                let (told, (_keep, stop)) = (Cell::new(0), watch::channel(false));
                let tell = Arc::new(AtomicUsize::new(0));
                let counting = Arc::clone(&tell);
                let impatient = library(&stand).waiting(Duration::from_millis(500), move |_| {
                    counting.fetch_add(1, Ordering::SeqCst);
                });
                let refused =
                    Box::pin(impatient.list(&Filter::default(), &stop, |_| told.set(1))).await;
                let refused = refused.unwrap_err().to_string();
                for part in ["another command", "try again"] {
                    assert!(refused.contains(part), "{refused}");
                }
                assert_eq!(
                    (tell.load(Ordering::SeqCst), told.get()),
                    (2, 0),
                    "a wait, and its end"
                );
                let proxy = Proxy::start(&stand.amqp_uri, Door::Open).await;
                let waiting = dlq_program(&stand, &["list"])
                    .with("AMQP__URI", &proxy.instead_of(&stand.amqp_uri))
                    .start();
                proxy.takes(1).await;
                // Longer than any wait was before this one.
                tokio::time::sleep(FORMER_PATIENCE).await;
                holding.abort();
                expect(&waiting.wait().await, 0, &["50 dead letters", "waiting: another command"]);
            })
            .await;
        assert_eq!(stand.drain_dead_letters(50).await, ids(0..50));
        stand.leave_nothing().await;
    })
    .await;
}

#[tokio::test]
async fn a_look_that_cannot_see_everything_says_so_and_shows_no_sum() {
    on_both(async |queue_type| {
        let stand = stand("looks-silence", queue_type).await;
        let (proxy, looking, _) = stalled(&stand).await;
        let ended = looking.wait().await;
        expect(&ended, 1, &["messages have come, and then nothing for 20 s; try again"]);
        assert_eq!(ended.stdout, "", "{ended:?}");
        drop(proxy);
        stand.has_ready(&stand.dead_letter_queue(), 1000).await;
        assert_eq!(stand.drain_dead_letters(1000).await, ids(0..1000), "{queue_type}");
        stand.leave_nothing().await;
    })
    .await;
}
