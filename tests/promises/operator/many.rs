//! A long dead-letter queue: looking at it takes bounded memory, and a few that are replayed leave
//! all others as they were, to be replayed in their order. `make dead-letters` does it with 100,000
//! and shows the figures.

use std::time::Instant;

use super::{expect, ids, stand};
use crate::support::{Stand, dlq, dlq_program, message_id, number_from};

/// Unless `EVENT_PUSHER_DEAD_LETTERS` says otherwise.
const COUNT: usize = 2000;

/// A look takes no more than this, however many there are.
const MOST_KIB: u64 = 64 * 1024;

/// Runs the command, which has to end well and say this, and shows its figures. Returns the most
/// memory that it took, in KiB.
async fn measured(stand: &Stand, what: &str, command: &[&str], says: &str) -> u64 {
    let began = Instant::now();
    let (ended, peak) = dlq_program(stand, command).start().wait_measured().await;
    let took = began.elapsed().as_secs_f64();
    expect(&ended, 0, &[says]);
    println!("{what}: {took:.1} s, {} MiB at most", peak / 1024);
    peak
}

#[tokio::test]
async fn ten_out_of_many_leave_the_others_in_place_and_in_order() {
    // One after the other, so that neither makes the other's figures.
    for queue_type in ["quorum", "classic"] {
        let asked = number_from("EVENT_PUSHER_DEAD_LETTERS");
        let count = asked.map_or(COUNT, |count| usize::try_from(count).unwrap());
        let stand = stand("many", queue_type).await;
        for first in (0..count).step_by(10_000) {
            stand.bury_numbers(first..count.min(first + 10_000)).await;
        }
        let all = format!("{count} dead letters in");
        let peak =
            measured(&stand, &format!("{queue_type}: list of {count}"), &["list"], &all).await;
        assert!(peak < MOST_KIB, "{queue_type}: a look at {count} took {peak} KiB");

        let chosen: Vec<_> = (0..10).map(|it| it * (count / 13) + 77).collect();
        let names = ids(chosen.iter().copied());
        let filter: Vec<_> = names.iter().flat_map(|name| ["--id", name]).collect();
        let dry = dlq(&stand, &[&["replay", "--dry-run"], &*filter].concat()).await;
        expect(&dry, 0, &[&format!("     10  would go to queue `{}`\n", stand.queue())]);
        let replay = [&["replay", "--watch", "0s"], &*filter].concat();
        let what = format!("{queue_type}: replay of 10 of {count}");
        measured(&stand, &what, &replay, "replayed 10 of 10 dead letters").await;
        let sent = stand.drain(&stand.queue(), 10).await;
        assert_eq!(sent.iter().map(message_id).collect::<Vec<_>>(), names);

        stand.has_ready(&stand.dead_letter_queue(), u32::try_from(count - 10).unwrap()).await;
        let rest = format!("replayed {0} of {0} dead letters", count - 10);
        let what = format!("{queue_type}: replay of the rest");
        measured(&stand, &what, &replay[..3], &rest).await;
        let left = ids((0..count).filter(|number| !chosen.contains(number)));
        let sent = stand.drain(&stand.queue(), count - 10).await;
        // Not by `assert_eq`, which would print them all.
        assert!(sent.iter().map(message_id).eq(left), "{queue_type}: another order");
        stand.leave_nothing().await;
    }
}
