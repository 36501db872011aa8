//! A replay that is cut short at any moment, by whatever it may be, loses nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join;

use super::{declared, expect, ids, on_both, stand};
use crate::support::{
    Door, Ended, OwnBroker, Proxy, Running, Stand, dlq, dlq_program, message_id, wait_for,
};

const LETTERS: usize = 1500;

/// What may be on its way, unconfirmed, or confirmed and not acknowledged yet.
const UNDER_WAY: usize = 256;

/// Starts a replay and waits until it has sent so many more than were sent before.
async fn under_way(stand: &Stand, uri: &str, more: u32) -> Running {
    let before = stand.ready(&stand.queue()).await;
    let replay = dlq_program(stand, &["replay", "--rate", "100/s"]).with("AMQP__URI", uri).start();
    arrive(stand, before + more).await;
    replay
}

async fn arrive(stand: &Stand, count: u32) {
    let enough = async || (stand.ready(&stand.queue()).await >= count).then_some(());
    wait_for("the replay to be under way", enough).await;
}

/// Waits until what a replay held is back: acknowledged is at most what was sent.
async fn is_back(stand: &Stand) -> usize {
    wait_for("the letters that it held", async || {
        let sent = stand.ready(&stand.queue()).await;
        let left = stand.ready(&stand.dead_letter_queue()).await;
        (left > 0 && (sent + left) as usize >= LETTERS).then_some(left as usize)
    })
    .await
}

/// Lets a last replay finish, and counts: each letter was sent, and few more than once.
async fn account(stand: Stand, most_repeated: usize, queue_type: &str) {
    let left = is_back(&stand).await;
    // All that are left, in order, and all behind those that are gone.
    let listed = dlq(&stand, &["list", "--each", "--json"]).await;
    let listed: Vec<String> = listed.stdout.lines().map(listed_id).collect();
    assert_eq!(listed, ids(LETTERS - left..LETTERS), "{queue_type}");
    expect(&dlq(&stand, &["replay", "--watch", "0s"]).await, 0, &["replayed"]);
    expect(&dlq(&stand, &["list"]).await, 0, &["no dead letters in"]);
    let queue = stand.queue();
    let sent = stand.drain(&queue, stand.ready(&queue).await as usize).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for delivery in &sent {
        *times.entry(message_id(delivery)).or_default() += 1;
    }
    assert_eq!(times.len(), LETTERS, "{queue_type}: letters are lost");
    let repeated = sent.len() - LETTERS;
    assert!(repeated <= most_repeated, "{queue_type}: {repeated} were sent more than once");
    stand.leave_nothing().await;
}

fn listed_id(line: &str) -> String {
    let letter: serde_json::Value = serde_json::from_str(line).unwrap();
    letter["message_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn fifteen_hundred_letters_survive_three_kills_of_their_replay() {
    on_both(async |queue_type| {
        let stand = stand("replay-kills", queue_type).await;
        stand.bury_numbers(0..LETTERS).await;
        for kill in 1..=3 {
            under_way(&stand, &stand.amqp_uri, 80 * kill).await.crash().await;
            is_back(&stand).await;
        }
        account(stand, 3 * UNDER_WAY, queue_type).await;
    })
    .await;
}

/// How many letters are said to be sent and not confirmed.
fn unconfirmed(ended: &Ended) -> usize {
    let line = ended.stdout.lines().find(|line| line.contains("sent but not confirmed"));
    line.map_or(0, |line| line.split_whitespace().next().unwrap().parse().unwrap())
}

const TO_DO: [&str; 2] = ["run the replay again", "not replayed; "];

#[tokio::test]
async fn they_survive_two_cuts_of_its_connections() {
    on_both(async |queue_type| {
        let stand = stand("replay-cuts", queue_type).await;
        stand.bury_numbers(0..LETTERS).await;
        for _ in 0..2 {
            let proxy = Proxy::start(&stand.amqp_uri, Door::Open).await;
            let uri = proxy.instead_of(&stand.amqp_uri);
            let replay = under_way(&stand, &uri, 100).await;
            // From now on some are always sent and not confirmed yet.
            proxy.delay(Duration::from_millis(200));
            arrive(&stand, stand.ready(&stand.queue()).await + 20).await;
            proxy.set(Door::Silent);
            drop(proxy);
            let ended = replay.wait().await;
            expect(&ended, 1, &TO_DO);
            assert!(unconfirmed(&ended) > 1, "{}", ended.all());
            is_back(&stand).await;
        }
        account(stand, 2 * UNDER_WAY, queue_type).await;
    })
    .await;
}

#[tokio::test]
async fn they_survive_a_crash_of_the_broker() {
    let broker = OwnBroker::single().await;
    let uri = broker.uri(0);
    let full = async |queue_type: &str| {
        let stand = Stand::on(&format!("replay-crash-{queue_type}"), &uri).await;
        let stand = declared(stand, queue_type).await;
        stand.bury_numbers(0..LETTERS).await;
        stand
    };
    let (quorum, classic) = join(full("quorum"), full("classic")).await;
    // Both at once, so that neither has sent all when the other is under way.
    let replays = join(under_way(&quorum, &uri, 100), under_way(&classic, &uri, 100)).await;
    broker.kill(0).await;
    for replay in [replays.0, replays.1] {
        expect(&replay.wait().await, 1, &TO_DO);
    }
    broker.start_again(0).await;
    // It may forget acknowledgements that it had not written down.
    account(quorum.again().await, LETTERS, "quorum").await;
    account(classic.again().await, LETTERS, "classic").await;
}
