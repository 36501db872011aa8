//! What the page says of the dead letters' number while nobody looks at it.

use super::worker_on;
use crate::fake_sns::FakeSns;
use crate::support::{Admin, Stand, wait_for};

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
    worker.stop().await;
    stand.leave_nothing().await;
}
