//! How long a script has the worker's thread, at its worst: docs/performance.md says what for. What a script can do is
//! in `crates/core/src/plugin/script/tests/worst.rs`, and each goes on until the bounds end it.
//!
//! It is the processor's time, the least of several calls, so that what else the machine does adds nothing.

use std::time::Duration;

use event_pusher_sns::event::{Event, Message, MessageKind, Meta};
use event_pusher_sns::plugin::{Bounds, Plugin, Script};
use jid::Jid;
use nix::time::ClockId;

#[path = "../../crates/core/src/plugin/script/tests/worst.rs"]
mod worst;

use worst::{LETTERS, Metadata, Worst};

/// As the worker has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLS: usize = 7;
const SHOWN: usize = 20;

fn main() {
    let mut all = Vec::new();
    for Worst { name, metadata, script, .. } in worst::all() {
        let script = Script::compile("worst.rhai", &script)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let slowest =
            LETTERS.iter().map(|letters| (least(&script, letters, metadata), *letters)).max();
        all.extend(slowest.map(|(took, letters)| (took, letters, name)));
    }
    all.sort_unstable();
    println!(
        "processor time of one call that goes on until its bounds end it, the longest of {}:\n",
        all.len()
    );
    println!("| ms | text of | over and over |\n| --- | --- | --- |");
    let shown = if std::env::args().any(|it| it == "--all") { all.len() } else { SHOWN };
    for (took, letters, name) in all.iter().rev().take(shown) {
        println!("| {:.2} | `{}` | `{name}` |", took.as_secs_f64() * 1e3, letters.escape_debug());
    }
}

fn least(script: &Script, letters: &str, metadata: Metadata) -> Duration {
    let text = letters.repeat(Bounds::TEXT / letters.len());
    let event = Event::Message(message(&text, metadata));
    let call = || {
        let began = now();
        assert!(script.keep(&event).is_err(), "it ends by its bounds, or in an error");
        now().saturating_sub(began)
    };
    (0..CALLS).map(|_| call()).min().unwrap_or_default()
}

fn now() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("a clock that Linux has").into()
}

/// With JIDs almost as long as they may be.
fn message(text: &str, metadata: Metadata) -> Message<'_> {
    let part = "x".repeat(1000);
    let jid = Jid::new(&format!("{part}@example/{part}")).expect("a JID");
    let timestamp = "2026-01-31T12:00:00Z".parse().ok();
    let meta = Meta { timestamp, metadata: metadata.json(), ..Meta::default() };
    Message { kind: MessageKind::Chat, from: jid.clone(), to: jid, body: text.into(), meta }
}
