//! The same messages among the dead letters: commands work, and nothing of them is lost.

use super::kinds::all;
use crate::support::raw::{Raw, RawPublisher, long, short};
use crate::support::{Stand, dlq_program, header};

#[tokio::test]
async fn dead_letters_that_no_client_can_read_are_listed_exported_replayed_and_discarded() {
    let on = async |queue_type: &str| {
        commands_work(Stand::new(&format!("poison-dead-{queue_type}")).await, queue_type).await;
    };
    futures_util::future::join(on("quorum"), on("classic")).await;
}

async fn commands_work(stand: Stand, queue_type: &str) {
    stand.declare_all(queue_type).await;
    stand.bury_numbers(0..3).await;
    let mut publisher = RawPublisher::connect(&stand.amqp_uri).await;
    let poison = all();
    for bad in &poison {
        publisher.publish(&stand.dead_letter_queue(), &bad.message(bad.name)).await;
    }
    let count = poison.len() + 3;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("stand.toml"), stand.configuration()).unwrap();
    let run = async |arguments: &[&str]| {
        let ended = dlq_program(&stand, arguments).within(directory.path()).run().await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        ended
    };

    let listed = run(&["list"]).await;
    assert!(listed.stdout.contains(&format!("{count} dead letters")), "{}", listed.stdout);
    run(&["export", "dead.jsonl"]).await;
    let archive = std::fs::read_to_string(directory.path().join("dead.jsonl")).unwrap();
    // 0xff is `/w==` in base64, which is how bytes are exported.
    let original = r#""event-pusher-original-message-id":{"bytes":"/w=="}"#;
    assert!(archive.contains(original), "{archive}");

    // Each is known again, however often it was looked at.
    let imported = run(&["import", "dead.jsonl"]).await;
    assert!(imported.all().contains(&format!("imported 0 of {count}")), "{}", imported.all());

    // The repaired form fits into a frame, whatever came on top.
    let queue = stand.queue();
    let replayed = run(&["replay", "--to-queue", &queue]).await;
    assert!(replayed.all().contains(&format!("replayed {count} of {count}")), "{}", replayed.all());
    stand.has_ready(&queue, u32::try_from(count).unwrap()).await;
    let bodies: Vec<_> = stand.drain(&queue, count).await.into_iter().map(|it| it.data).collect();
    for bad in &poison {
        assert!(bodies.contains(&bad.message(bad.name).body), "{} was lost", bad.name);
    }

    for bad in &poison {
        publisher.publish(&stand.dead_letter_queue(), &bad.message(bad.name)).await;
    }
    let discarded = run(&["discard", "--all", "--yes"]).await;
    let said = format!("discarded {} dead letters", poison.len());
    assert!(discarded.all().contains(&said), "{}", discarded.all());
    stand.has_ready(&stand.dead_letter_queue(), 0).await;
    stand.leave_nothing().await;
}

/// Its own bytes are in a header twice: as bytes, and within the whole table.
#[tokio::test]
async fn a_dead_letter_whose_headers_fill_a_frame_can_be_replayed() {
    let stand = Stand::new("poison-full").await;
    stand.declare_all("quorum").await;
    let text = [b"S", &*long(&b"x".repeat(129_000))].concat();
    let deep = (0..40).fold(text, |inner, _| [b"A", &*long(&inner)].concat());
    let deep = [&short(b"n"), &*deep].concat();
    let mut publisher = RawPublisher::connect(&stand.amqp_uri).await;
    publisher.publish(&stand.dead_letter_queue(), &Raw::new("full").with_headers(&deep)).await;
    let queue = stand.queue();
    let ended = dlq_program(&stand, &["replay", "--to-queue", &queue]).run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let replayed = stand.drain(&queue, 1).await;
    let dropped = header(&replayed[0], "event-pusher-dropped-headers").unwrap();
    assert_eq!(dropped, "event-pusher-original-headers, n");
    stand.leave_nothing().await;
}
