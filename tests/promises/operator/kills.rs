//! A replay that is killed at any moment loses nothing.

use std::collections::BTreeMap;

use super::{expect, ids, on_both, stand};
use crate::support::{dlq, dlq_program, message_id, wait_for};

const LETTERS: usize = 1500;

/// What may be on its way, unconfirmed, or confirmed and not acknowledged yet.
const UNDER_WAY: usize = 256;

/// Kills three replays, the later the more they have sent, and lets a fourth finish.
async fn survive(queue_type: &str) {
    let stand = stand("replay-kills", queue_type).await;
    stand.bury_numbers(0..LETTERS).await;
    let (queue, dead) = (stand.queue(), stand.dead_letter_queue());
    for kill in 1..=3_u32 {
        let before = stand.ready(&queue).await;
        let replay = dlq_program(&stand, &["replay", "--rate", "1000/s"]).start();
        let what = format!("replay {kill} to be under way");
        let enough = async || (stand.ready(&queue).await >= before + 80 * kill).then_some(());
        wait_for(&what, enough).await;
        replay.crash().await;
        // What it held is back, and acknowledged is at most what was sent.
        wait_for("the letters that it held", async || {
            let (sent, left) = (stand.ready(&queue).await, stand.ready(&dead).await);
            (left > 0 && (sent + left) as usize >= LETTERS).then_some(())
        })
        .await;
    }
    let left = stand.ready(&dead).await as usize;
    // All that are left, in order, and all behind those that are gone.
    let listed = dlq(&stand, &["list", "--each", "--json"]).await;
    let listed: Vec<String> = listed.stdout.lines().map(listed_id).collect();
    assert_eq!(listed, ids(LETTERS - left..LETTERS), "{queue_type}");
    expect(&dlq(&stand, &["replay", "--watch", "0s"]).await, 0, &["replayed"]);
    expect(&dlq(&stand, &["list"]).await, 0, &["no dead letters in"]);
    let sent = stand.drain(&queue, stand.ready(&queue).await as usize).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for delivery in &sent {
        *times.entry(message_id(delivery)).or_default() += 1;
    }
    assert_eq!(times.len(), LETTERS, "{queue_type}: letters are lost");
    let repeated = sent.len() - LETTERS;
    assert!(repeated <= 3 * UNDER_WAY, "{repeated} were sent more than once");
    stand.leave_nothing().await;
}

fn listed_id(line: &str) -> String {
    let letter: serde_json::Value = serde_json::from_str(line).unwrap();
    letter["message_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn fifteen_hundred_letters_survive_three_kills_of_their_replay() {
    on_both(survive).await;
}
