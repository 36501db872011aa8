//! The binary, run to its end with an environment that is the test's alone.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::PATIENCE;
use super::worker::binary;

/// A command to be run.
pub struct Program {
    command: Command,
    directory: tempfile::TempDir,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// Runs in an empty directory. It inherits nothing: a developer's own variables must not count.
    pub fn new(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.args(arguments).env_clear().current_dir(&directory).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, directory }
    }

    /// Writes a file where it runs.
    pub fn with_file(self, name: &str, text: &str) -> Self {
        let path = self.directory().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Sets `EVENT_PUSHER__{key}`.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.command.env(format!("EVENT_PUSHER__{key}"), value);
        self
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub async fn run(mut self) -> Ended {
        let ended = tokio::time::timeout(PATIENCE, self.command.output()).await;
        let output = ended.expect("the program does not end").unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("it printed what is not UTF-8");
        Ended {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ended {
    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The only line on standard output that has `text` in it.
    pub fn line(&self, text: &str) -> &str {
        let found: Vec<_> = self.stdout.lines().filter(|line| line.contains(text)).collect();
        assert_eq!(found.len(), 1, "lines with {text:?} in\n{}", self.stdout);
        found[0]
    }
}
