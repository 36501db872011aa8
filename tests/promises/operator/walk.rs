//! The walk through an outage in docs/dead-letters.md: its commands, and what they say.

use std::path::Path;

use crate::support::{GENTLY, Letter, Stand, Worker, dlq_program};

use super::stand;

const DOCUMENT: &str = include_str!("../../../docs/dead-letters.md");

/// The first id that the document names, and those after it.
const IDS: [&str; 2] = ["3f1c9a77e0b2", "d86a1f5be903"];

/// A command of the document, and the lines that it shows after it.
#[derive(Debug)]
struct Step {
    command: String,
    shown: Vec<String>,
}

fn steps(section: &str) -> Vec<Step> {
    let (_, section) = DOCUMENT.split_once(&format!("## {section}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for block in section.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.into(), shown: Vec::new() }),
                None => steps.last_mut().unwrap().shown.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Without numbers, ids and the spaces of columns, which are another night's.
fn outline(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let is_id = word.len() == 12 && word.chars().all(|c| c.is_ascii_hexdigit());
        if is_id { "ID".to_owned() } else { without_numbers(word) }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn without_numbers(word: &str) -> String {
    let parts = word.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty());
    let masked = parts.collect::<Vec<_>>().join("#");
    if masked.len() == word.len() { masked } else { format!("#{masked}") }
}

/// The document's names for the test's own.
fn with_names(text: &str, stand: &Stand) -> String {
    text.replace("`event-pusher-sns.dead`", &format!("`{}`", stand.dead_letter_queue()))
        .replace("`event-pusher-sns`", &format!("`{}`", stand.queue()))
        .replace("chat.events", &stand.exchange())
        .replace("arn:aws:sns:eu-west-1:123456789012:private-messages", &stand.topic_arn("pm"))
}

/// What is there in the morning.
async fn bury_the_night(stand: &Stand) {
    let refused = |number| {
        Letter::number(stand, number)
            .saying("error", "gave up after 3 attempts: InternalError: try again")
    };
    stand.bury((600..638).map(refused)).await;
    let garbage = |number: usize| {
        let time = format!("2026-01-31T09:10:{number:02}Z");
        let mut letter = Letter { body: b"garbage".into(), ..Letter::number(stand, number) }
            .saying("reason", "undecodable")
            .saying("error", "line 1, column 1: the payload is not JSON: expected value")
            .saying("failed-at", &time);
        letter.headers = letter
            .headers
            .inner()
            .clone()
            .into_iter()
            .filter(|(name, _)| name.as_str() != "event-pusher-topic")
            .collect::<std::collections::BTreeMap<_, _>>()
            .into();
        letter
    };
    stand.bury((2..4).map(garbage)).await;
}

async fn walk(step: &Step, stand: &Stand, directory: &Path, ids: &mut Vec<String>) {
    let mut command = step.command.clone();
    for (named, found) in IDS.iter().zip(ids.iter()) {
        command = command.replace(named, found);
    }
    let words: Vec<_> = command.split_whitespace().collect();
    assert_eq!(words[..2], ["event-pusher-sns", "dead-letters"], "{command}");
    let program = dlq_program(stand, &words[2..]).within(directory);
    // A worker gives up soon, so that the canary's fate is known soon.
    let program =
        program.with("SNS__ATTEMPT_TIMEOUT_MS", "200").with("SNS__CONNECT_TIMEOUT_MS", "200");
    let ended = program.run().await;
    assert_eq!(ended.code, Some(0), "{command}: {}", ended.all());
    let mut said = ended.stdout.lines();
    for shown in step.shown.iter().filter(|line| *line != "…") {
        let expected = outline(&with_names(shown, stand));
        let found = said.any(|line| outline(line) == expected);
        assert!(found, "{command} does not say {expected:?} there, but\n{}", ended.all());
    }
    let such = ended.stdout.lines().filter_map(|line| line.trim().strip_prefix("such as"));
    ids.extend(such.map(|id| id.trim().to_owned()));
}

#[tokio::test]
async fn the_outage_at_night_goes_as_the_document_says() {
    let stand = stand("walk", "quorum").await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("stand.toml"), stand.configuration()).unwrap();
    bury_the_night(&stand).await;
    let worker = Worker::start_with(&stand, &GENTLY).await;
    let steps = steps("An outage at night");
    assert!(steps.len() >= 8, "the walk is not where it was: {steps:#?}");
    let mut ids = Vec::new();
    for step in &steps {
        walk(step, &stand, directory.path(), &mut ids).await;
    }
    stand.receive("pm", 38).await;
    worker.stop().await;
    assert_eq!(stand.take_dead_letters(2).await.len(), 2);
    stand.leave_nothing().await;
}

#[test]
fn every_option_that_the_document_names_is_one() {
    let help = ["list", "show", "replay", "export", "discard"].map(|command| {
        let output = std::process::Command::new(crate::support::binary())
            .args(["dead-letters", command, "--help"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    let options = DOCUMENT.split(|c: char| c.is_whitespace() || "`,;.|()".contains(c));
    for option in options.filter(|word| word.starts_with("--") && word.len() > 4) {
        assert!(help.iter().any(|help| help.contains(option)), "no command has {option}");
    }
}
