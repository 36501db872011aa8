//! Prometheus' own judgement.

#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs promtool, the system's or ours, and fails with what it says unless it is content.
pub(crate) fn promtool(arguments: &[&str], input: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join(".services/debian/promtool/usr/bin/promtool");
    let program = if own.exists() { own } else { "promtool".into() };
    let mut command = Command::new(&program);
    command.args(arguments).current_dir(root);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("no promtool ({error}); `scripts/services install` brings it")
    });
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}
