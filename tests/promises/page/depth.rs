//! What the page says of the dead letters' number while nobody looks at it.

use futures_util::StreamExt;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;

use super::letters::open_page;
use super::worker_on;
use crate::fake_sns::FakeSns;
use crate::support::{Admin, Scrape, Stand, wait_for};

/// The headline that the status has, as soon as it has this level.
async fn headline(admin: &Admin, level: &str) -> String {
    wait_for(level, async || {
        let status = admin.read("/api/status", &[]).await.json();
        let headline = &status["frame"]["headline"];
        (headline["level"] == level).then(|| headline["title"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test]
async fn the_number_of_dead_letters_is_known_though_no_page_is_open_and_never_green_if_not() {
    let (stand, sns) = (Stand::new("page-depth").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    headline(&admin, "good").await;
    stand.bury_numbers(0..3).await;
    let title = headline(&admin, "attention").await;
    assert_eq!(title, "3 dead letters to handle; no other problem");
    let letters = "event_pusher_dead_letters_queued";
    let metrics = admin.read("/metrics", &[]).await.body;
    assert!(metrics.lines().any(|it| it.starts_with(letters) && it.ends_with(" 3")), "{metrics}");
    // A queue that is gone has no number, and nobody can say that all is well.
    stand.delete(&stand.dead_letter_queue()).await;
    let title = headline(&admin, "unknown").await;
    assert!(title.ends_with("the number of dead letters is not known"), "{title}");
    // Somebody has created it again, and the worker finds it by itself.
    stand.declare_all("quorum").await;
    headline(&admin, "good").await;
    assert_eq!(worker.count("consuming"), 1, "in the same session");
    worker.stop().await;
    stand.leave_nothing().await;
}

/// RabbitMQ counts as ready what nobody holds: none, while a look or a replay has them all.
#[tokio::test]
async fn letters_that_somebody_reads_are_never_called_none() {
    let (stand, sns) = (Stand::new("page-held-letters").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    let metric = "dead_letters_queued";
    stand.bury_numbers(0..3).await;
    let letters =
        async || admin.read("/api/status", &[]).await.json()["frame"]["dead_letters"].clone();
    wait_for("three letters", async || (letters().await == 3).then_some(())).await;
    let watched = open_page(&admin).await;
    let channel = stand.another_channel().await;
    let (queue, arguments) = (stand.dead_letter_queue(), FieldTable::default());
    let options = BasicConsumeOptions::default();
    let holding = channel.basic_consume(queue.as_str().into(), "".into(), options, arguments);
    let mut holding = holding.await.unwrap();
    for _ in 0..3 {
        holding.next().await.unwrap().unwrap();
    }
    wait_for("that nobody knows", async || {
        let headline = admin.read("/api/status", &[]).await.json()["frame"]["headline"].clone();
        assert_ne!(headline["level"], "good", "{headline}");
        (headline["level"] == "unknown").then_some(())
    })
    .await;
    admin.shows("no number", |it: &Scrape| !it.has(metric, &[])).await;
    channel.close(200, "bye".into()).await.unwrap();
    assert_eq!(headline(&admin, "attention").await, "3 dead letters to handle; no other problem");
    admin.shows("three", |it: &Scrape| it.sum(metric, &[]) == 3).await;
    drop(watched);
    worker.stop().await;
    stand.purge(&queue).await;
    stand.leave_nothing().await;
}
