//! The program itself, in a process of its own, and what it logs.

use std::collections::BTreeMap;
use std::env;
use std::process::{ExitStatus, Stdio};

use event_pusher_sns::config::ENVIRONMENT_PREFIX;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{Instant, timeout, timeout_at};

use crate::PATIENCE;
use crate::settings::Settings;
use crate::trouble::Trouble;

const BINARY: &str = "event-pusher-sns";

/// A running worker. It is killed if nobody gets around to stopping it.
pub(crate) struct Worker {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    /// The last thing it said that was no event's outcome.
    last: String,
    stopped: bool,
}

/// How the events ended, by the worker's own word; the queues are asked as well.
#[derive(Default)]
pub(crate) struct Ends {
    pub published: Vec<String>,
    /// Id → reason.
    pub skipped: BTreeMap<String, String>,
    pub dead_lettered: usize,
}

impl Ends {
    fn count(&self) -> usize {
        self.published.len() + self.skipped.len() + self.dead_lettered
    }
}

impl Worker {
    pub(crate) fn start(settings: &Settings) -> Result<Self, Trouble> {
        // target/debug/examples/demo → target/debug/event-pusher-sns
        let demo = env::current_exe().map_err(|error| Trouble::new("no own path", error))?;
        let binary = demo.ancestors().nth(2).unwrap_or(&demo).join(BINARY);
        let mut command = Command::new(&binary);
        // What the reader has set for a worker of his own is not for this one.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with(ENVIRONMENT_PREFIX) {
                command.env_remove(name);
            }
        }
        command
            .args(["run", "--config"])
            .arg(&settings.file)
            .envs(settings.overrides.iter().cloned())
            // One JSON object a line, with a line for each event.
            .env("EVENT_PUSHER__LOG__FORMAT", "json")
            .env("EVENT_PUSHER__LOG__FILTER", "info,event_pusher_sns=debug")
            .env("EVENT_PUSHER__ADMIN__LISTEN", "")
            // Whoever presses Ctrl-C wants to go.
            .env("EVENT_PUSHER__SHUTDOWN__GRACE_MS", "3000")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // A terminal's Ctrl-C is for us; the worker is told once, by us.
            .process_group(0);
        let missing = |error: std::io::Error| {
            let what = format!("can't start {}: {error}", binary.display());
            Trouble::with_remedy(what, "`cargo build` builds it")
        };
        let mut child = command.spawn().map_err(missing)?;
        let stderr = child.stderr.take().ok_or_else(|| Trouble::new("worker", "no log"))?;
        let log = BufReader::new(stderr).lines();
        Ok(Self { child, log, last: String::new(), stopped: false })
    }

    /// Waits until it takes events.
    pub(crate) async fn consumes(&mut self) -> Result<(), Trouble> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.next(deadline, "it doesn't begin to consume").await?;
            if line["event"] == "consuming" {
                return Ok(());
            }
            if line["level"] == "ERROR" {
                return Err(self.complaint("it can't consume"));
            }
        }
    }

    /// Waits until so many events have ended in some way.
    pub(crate) async fn ends(&mut self, count: usize) -> Result<Ends, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        let mut ends = Ends::default();
        while ends.count() < count {
            let missing = format!("{} of {count} events have no outcome", count - ends.count());
            let line = self.next(deadline, &missing).await?;
            let text = |field: &str| line[field].as_str().unwrap_or("?").to_owned();
            match line["outcome"].as_str() {
                Some("published") => ends.published.push(text("id")),
                Some("skipped") => _ = ends.skipped.insert(text("id"), text("reason")),
                Some(_) => ends.dead_lettered += 1,
                None => {}
            }
        }
        Ok(ends)
    }

    /// Asks it to stop, as an orchestrator would, and returns the last thing it says. Does
    /// nothing if it has ended already.
    pub(crate) async fn stop(&mut self) -> Result<String, Trouble> {
        if !self.stopped
            && let Some(id) = self.child.id()
        {
            self.stopped = true;
            // It may end by itself at this very moment.
            let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGTERM);
        }
        let ended = timeout(PATIENCE, async {
            while let Ok(Some(line)) = self.log.next_line().await {
                self.read(&line);
            }
            self.child.wait().await
        });
        match ended.await {
            Ok(Ok(status)) if status.success() => Ok(self.last.clone()),
            Ok(Ok(status)) => Err(self.ended(status)),
            Ok(Err(error)) => Err(Trouble::new("the worker can't be waited for", error)),
            Err(_) => {
                let _ = self.child.kill().await;
                Err(self.complaint(&format!("told to stop, it still ran after {PATIENCE:?}")))
            }
        }
    }

    /// Its next line, or null for what is not JSON.
    async fn next(&mut self, deadline: Instant, overdue: &str) -> Result<Value, Trouble> {
        match timeout_at(deadline, self.log.next_line()).await {
            Ok(Ok(Some(line))) => Ok(self.read(&line)),
            Ok(Ok(None)) => {
                let status = self.child.wait().await;
                Err(status.map_or_else(|e| Trouble::new("worker", e), |it| self.ended(it)))
            }
            Ok(Err(error)) => Err(Trouble::new("the worker's log can't be read", error)),
            Err(_) => Err(self.complaint(&format!("{overdue} after {PATIENCE:?}"))),
        }
    }

    fn read(&mut self, line: &str) -> Value {
        let entry: Value = serde_json::from_str(line).unwrap_or_default();
        match (&entry["message"], &entry["error"]) {
            (Value::String(message), Value::String(error)) => {
                self.last = format!("{message}: {error}");
            }
            (Value::String(message), _) => self.last.clone_from(message),
            _ if entry.is_null() => self.last = format!("{}\n  {line}", self.last),
            _ => {}
        }
        entry
    }

    fn ended(&self, status: ExitStatus) -> Trouble {
        self.complaint(&format!("it ended by itself ({status})"))
    }

    fn complaint(&self, what: &str) -> Trouble {
        let last = if self.last.is_empty() { "nothing" } else { &self.last };
        Trouble::with_remedy(
            format!("the worker: {what}; the last thing that it said: {last}"),
            "if you have changed config/demo.toml, try it as it was; otherwise this is a bug",
        )
    }
}
