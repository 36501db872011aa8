//! The binary, run to its end with an environment that is the test's alone.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::worker::binary;
use super::{LOOK_AGAIN, PATIENCE};

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
        Self::of(binary(), arguments)
    }

    /// The same with another binary, such as one with plugins.
    pub fn of(binary: PathBuf, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary);
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

    /// Sets a variable that is not the program's own.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs in a directory of the test's own.
    pub fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs it with standard input and error at a terminal of that kind. As soon as that shows the first text
    /// of `answer`, the second is typed. Returns all that it showed.
    pub async fn run_at_terminal(
        mut self,
        kind: &str,
        answer: Option<(&'static str, &'static str)>,
    ) -> (Ended, String) {
        let size = Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        self.command.env("TERM", kind).stdin(slave.try_clone().unwrap()).stderr(slave);
        let running = self.start();
        let shown = tokio::task::spawn_blocking(move || {
            let (mut terminal, mut shown, mut some) = (File::from(master), Vec::new(), [0; 4096]);
            let mut answer = answer;
            // Once nobody has the other end any more, reading fails.
            while let Ok(count @ 1..) = terminal.read(&mut some) {
                shown.extend_from_slice(&some[..count]);
                // What comes after it may be read with it, or not yet.
                let asked = |asked: &str| String::from_utf8_lossy(&shown).contains(asked);
                if let Some((_, typed)) = answer.take_if(|(question, _)| asked(question)) {
                    terminal.write_all(typed.as_bytes()).unwrap();
                }
            }
            String::from_utf8_lossy(&shown).into_owned()
        });
        (running.wait().await, shown.await.unwrap())
    }

    /// With these bytes to read from standard input.
    pub fn with_input(mut self, input: &[u8]) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input).unwrap();
        file.rewind().unwrap();
        self.command.stdin(file);
        self
    }

    /// With this as its standard output.
    pub fn with_output(mut self, output: File) -> Self {
        self.command.stdout(output);
        self
    }

    /// With this as its standard error.
    pub fn with_errors(mut self, errors: File) -> Self {
        self.command.stderr(errors);
        self
    }

    /// Allows it so many KiB of memory of its own.
    pub fn with_memory(self, kib: usize) -> Self {
        let Self { command: inner, directory } = self;
        let inner = inner.as_std();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -d {kib} && exec \"$@\""), "sh"]);
        command.arg(inner.get_program()).args(inner.get_args());
        command.env_clear().current_dir(&directory).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, directory }
    }

    pub async fn run(self) -> Ended {
        self.start().wait().await
    }

    /// Starts it without waiting for anything. It is killed when dropped.
    pub fn start(mut self) -> Running {
        Running { child: self.command.spawn().unwrap(), _directory: self.directory }
    }
}

/// The program while it runs.
pub struct Running {
    child: Child,
    _directory: tempfile::TempDir,
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the program has ended already");
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }

    /// Whether it hears this signal itself.
    pub fn catches(&self, signal: Signal) -> bool {
        let id = self.child.id().expect("the program has ended already");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|it| u64::from_str_radix(it.trim(), 16).ok()).unwrap_or(0);
        mask & (1 << (signal as i32 - 1)) != 0
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends it as a crash of the machine does.
    pub async fn crash(mut self) {
        self.child.kill().await.unwrap();
    }

    /// How it ended, and the most memory that was resident at once, in KiB.
    pub async fn wait_measured(self) -> (Ended, u64) {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let mut peak = 0;
        let measuring = async {
            loop {
                let status = std::fs::read_to_string(&status).unwrap_or_default();
                let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let kib = high.and_then(|it| it.trim().strip_suffix(" kB")?.parse().ok());
                peak = kib.unwrap_or(peak);
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let ended = tokio::select! {
            ended = self.wait() => ended,
            () = measuring => unreachable!("it measures for ever"),
        };
        (ended, peak)
    }

    pub async fn wait(self) -> Ended {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait_with_output()).await;
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
