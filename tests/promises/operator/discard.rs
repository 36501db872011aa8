//! Discarding is for good, so it asks.

use super::{expect, ids, on_both, stand};
use crate::support::{dlq, dlq_program};

#[tokio::test]
async fn those_that_a_filter_means_are_discarded_and_the_others_stay_in_order() {
    on_both(async |queue_type| {
        let stand = stand("discard", queue_type).await;
        stand.bury_numbers(0..100).await;
        let filter = ["--user", "user-3@localhost", "--limit", "8"];
        let ended = dlq(&stand, &[&["discard", "--yes"], &filter[..]].concat()).await;
        expect(&ended, 0, &["discarded 8 dead letters\n"]);
        stand.has_ready(&stand.dead_letter_queue(), 92).await;
        let left = ids((0..100).filter(|number| number % 10 != 3 || *number > 73));
        assert_eq!(stand.drain_dead_letters(92).await, left, "{queue_type}");
        stand.leave_nothing().await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_discarded_without_a_filter_or_all_nor_where_nobody_can_be_asked() {
    let stand = stand("discard-careful", "quorum").await;
    stand.bury_numbers(0..5).await;
    expect(&dlq(&stand, &["discard", "--yes"]).await, 2, &["--all"]);
    expect(&dlq(&stand, &["discard", "--all", "--reason", "rejected"]).await, 2, &["--all"]);
    expect(&dlq(&stand, &["discard", "--all"]).await, 2, &["confirm with --yes"]);
    let none = dlq(&stand, &["discard", "--yes", "--reason", "rejected"]).await;
    expect(&none, 0, &["none of the 5 dead letters"]);
    assert_eq!(stand.drain_dead_letters(5).await, ids(0..5));
    expect(&dlq(&stand, &["discard", "--all", "--yes"]).await, 0, &["no dead letters in"]);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn at_a_terminal_it_asks_with_the_count_and_does_what_it_is_told() {
    for (answer, code, left) in [("n\n", 0, 5), ("\n", 0, 5), ("y\n", 0, 0), ("yes\n", 0, 0)] {
        let stand = stand("discard-asks", "quorum").await;
        stand.bury_numbers(0..5).await;
        let program = dlq_program(&stand, &["discard", "--all"]);
        let (ended, asked) = program.run_at_terminal("xterm", Some(("[y/N] ", answer))).await;
        let question = format!("Discard 5 dead letters of `{}`?", stand.dead_letter_queue());
        assert!(asked.contains(&question), "{asked:?}");
        let said = if left == 0 { "discarded 5 dead letters" } else { "nothing was discarded" };
        expect(&ended, code, &[said]);
        stand.has_ready(&stand.dead_letter_queue(), left).await;
        stand.drain_dead_letters(left as usize).await;
        stand.leave_nothing().await;
    }
}

#[tokio::test]
async fn what_is_exported_first_can_be_imported_back() {
    on_both(async |queue_type| {
        let directory = tempfile::tempdir().unwrap();
        let stand = stand("discard-export", queue_type).await;
        std::fs::write(directory.path().join("stand.toml"), stand.configuration()).unwrap();
        stand.bury_numbers(0..300).await;
        let run = async |arguments: &[&str]| {
            dlq_program(&stand, arguments).within(directory.path()).run().await
        };
        let export = ["--export", "gone.jsonl", "--until", "2026-01-31T02:03:20Z"];
        let ended = run(&[&["discard", "--yes"], &export[..]].concat()).await;
        expect(&ended, 0, &["discarded 200 dead letters; gone.jsonl contains them"]);
        stand.has_ready(&stand.dead_letter_queue(), 100).await;
        let again = run(&[&["discard", "--yes"], &export[..]].concat()).await;
        expect(&again, 1, &["gone.jsonl already exists"]);
        expect(&run(&["import", "gone.jsonl"]).await, 0, &["imported 200 of 200"]);
        let order = ids((200..300).chain(0..200));
        assert_eq!(stand.drain_dead_letters(300).await, order, "{queue_type}");
        stand.leave_nothing().await;
    })
    .await;
}
