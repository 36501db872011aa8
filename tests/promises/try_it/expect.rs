//! `--expect`: a policy's unit test.

use super::{SAMPLES, arn, expect, program, tried};

#[tokio::test]
async fn what_was_shown_once_is_expected_from_then_on() {
    let expected = tried(&["--json"], SAMPLES.as_bytes()).await.stdout;
    let expecting = |arguments: &[&str], samples: &str, expected: &str| {
        let arguments = [&["--expect", "e.jsonl"], arguments].concat();
        program(&arguments).with_file("e.jsonl", expected).with_input(samples.as_bytes())
    };
    let ended = expecting(&[], SAMPLES, &expected).run().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "✓ 6 events, all as expected\n"));
    // Comments on both sides change nothing.
    let (samples, commented) = (format!("# more\n{SAMPLES}"), format!("# why\n\n{expected}"));
    expect(&expecting(&[], &samples, &commented).run().await, 0, &["all as expected"]);
    // With --json the lines are the same, and the verdict stands beside them.
    let ended = expecting(&["--json"], SAMPLES, &expected).run().await;
    assert_eq!((&*ended.stdout, &*ended.stderr), (&*expected, "✓ 6 events, all as expected\n"));
    // Policy changes.
    let changed = expecting(&[], SAMPLES, &expected).with("SNS__PRESENCE_UPDATES_TOPIC", "other");
    let parts = [
        "✗ line 2 (expected at e.jsonl:1)\n    topic\n",
        &format!("      expected \"{}\"\n      found    \"{}\"\n", arn("presences"), arn("other")),
        "✗ 6 events: 1 not as expected\n",
    ];
    expect(&changed.run().await, 1, &parts);
    // Events change.
    let ended = expecting(&[], &SAMPLES.replace("Hi!", "Ho!"), &expected).run().await;
    let parts = ["✗ line 4 (expected at e.jsonl:2)\n    body.message\n", "\"Hi!\"", "\"Ho!\""];
    expect(&ended, 1, &parts);
    let fewer: String = SAMPLES.split_inclusive('\n').take(4).collect();
    let parts = ["✗ e.jsonl:3: expected, but", "0 not as expected, 4 missing"];
    expect(&expecting(&[], &fewer, &expected).run().await, 1, &parts);
    let fewer: String = expected.split_inclusive('\n').take(5).collect();
    let ended = expecting(&[], SAMPLES, &fewer).run().await;
    expect(&ended, 1, &["✗ line 9: not in the expected file\n    found {"]);
    // What is expected may be a dead letter.
    let dead = tried(&["--json"], b"{}").await.stdout;
    expect(&expecting(&[], "{}", &dead).run().await, 0, &["✓ 1 event, all as expected"]);
    let ended = expecting(&[], SAMPLES, "{}\nnonsense\n").run().await;
    expect(&ended, 1, &["e.jsonl:2: ", "write one JSON object per line"]);
}

#[tokio::test]
async fn a_files_expectation_is_the_one_that_names_it() {
    let presence =
        |user: &str| format!(r#"{{"type":"presence","user_id":"{user}@b","present":true}}"#);
    let folder = |expected: &str| {
        program(&["s", "--expect", "e"])
            .with_file("s/a", &presence("a"))
            .with_file("s/b", &presence("b"))
            .with_file("e", expected)
    };
    let shown = program(&["s", "--json"]).with_file("s/a", &presence("a"));
    let a = shown.with_file("s/b", &presence("b")).run().await.stdout;
    let reversed: Vec<_> = a.lines().rev().collect();
    expect(&folder(&reversed.join("\n")).run().await, 0, &["✓ 2 events, all as expected"]);
    let ended = folder(a.lines().next().unwrap()).run().await;
    expect(&ended, 1, &["✗ b: not in the expected file", "1 not as expected"]);
}
