//! Looking leaves letters as they were, however often and however it ends.

mod long;

use std::rc::Rc;
use std::time::{Duration, Instant};

use event_pusher_sns::config::{Config, Inputs};
use event_pusher_sns::dead_letters::{DeadLetters, Filter};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_local;

use super::{expect, ids, on_both, stand};
use crate::support::{Door, Event, GENTLY, Proxy, Stand, Worker, dlq, dlq_program};

fn library(stand: &Stand) -> DeadLetters {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("stand.toml");
    std::fs::write(&file, stand.configuration()).unwrap();
    let inputs = Inputs::read(&[file], "gone.toml".as_ref(), []).unwrap();
    let config = Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap();
    DeadLetters::new(config.amqp, "test".to_owned())
}

/// Holds a look until the task that it runs in ends.
async fn hold(stand: &Stand) -> tokio::task::JoinHandle<()> {
    let (keep, stop) = watch::channel(false);
    let dead_letters = Rc::new(library(stand));
    let (tell, told) = oneshot::channel();
    let holding = spawn_local(async move {
        let may = async |_| {
            tell.send(()).unwrap();
            std::future::pending().await
        };
        dead_letters.discard(&Filter::default(), &stop, may).await.unwrap();
        drop(keep);
    });
    told.await.unwrap();
    holding
}

#[tokio::test]
async fn a_worker_goes_on_while_its_dead_letters_are_looked_at() {
    let stand = Stand::new("looks-worker").await;
    let worker = Worker::start_with(&stand, &GENTLY).await;
    let total = 100;
    let publishing = async {
        for number in 0..total {
            let id = crate::support::id(number);
            stand.publish(Event::new(&b"no event"[..]).identified(&id)).await;
            stand.publish(Event::chat("alice@localhost", "bob@localhost", &id)).await;
        }
    };
    let looking = async {
        for _ in 0..5 {
            expect(&dlq(&stand, &["list"]).await, 0, &["in `"]);
        }
    };
    futures_util::future::join(publishing, looking).await;
    stand.receive("pm", total).await;
    stand.has_ready(&stand.dead_letter_queue(), 100).await;
    // The worker dead-letters several at a time, so each is known, and their places are not.
    let before: Vec<String> = listed(&stand).await;
    expect(&dlq(&stand, &["list"]).await, 0, &["100 dead letters"]);
    assert_eq!(listed(&stand).await, before);
    assert_eq!(stand.drain_dead_letters(total).await, before);
    let exit = worker.stop().await;
    assert_eq!(exit.totals().published, 100, "{exit:?}");
    stand.leave_nothing().await;
}

/// So long a pause amid what arrives must be no end, and so many bytes amid all.
const PAUSE: Duration = Duration::from_secs(6);
const AMID: usize = 128 * 1024;

/// A look at a thousand letters, through a door that lets the first few hundred through.
async fn stalled(stand: &Stand) -> (Proxy, crate::support::Running, Instant) {
    stand.bury_numbers(0..1000).await;
    let proxy = Proxy::start(&stand.amqp_uri, Door::Ajar(AMID)).await;
    let uri = proxy.instead_of(&stand.amqp_uri);
    let program = dlq_program(stand, &["list", "--json"]).with("AMQP__URI", &uri);
    let looking = program.start();
    stand.has_ready(&stand.dead_letter_queue(), 0).await;
    (proxy, looking, Instant::now())
}

#[tokio::test]
async fn a_broker_that_pauses_does_not_make_a_look_miss_any() {
    on_both(async |queue_type| {
        let stand = stand("looks-pause", queue_type).await;
        let (proxy, looking, began) = stalled(&stand).await;
        tokio::time::sleep_until((began + PAUSE).into()).await;
        proxy.set(Door::Open);
        expect(&looking.wait().await, 0, &["\"letters\":1000,"]);
        stand.has_ready(&stand.dead_letter_queue(), 1000).await;
        assert_eq!(stand.drain_dead_letters(1000).await, ids(0..1000), "{queue_type}");
        stand.leave_nothing().await;
    })
    .await;
}

/// The message ids of what is listed, in order.
async fn listed(stand: &Stand) -> Vec<String> {
    let ended = dlq(stand, &["list", "--each", "--json"]).await;
    let id = |line: &str| {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        letter["message_id"].as_str().unwrap().to_owned()
    };
    ended.stdout.lines().map(id).collect()
}
