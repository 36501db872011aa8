//! A process under measurement: its words, its CPU time, its memory.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::time::ClockId;
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::Result;

/// For a process to start, or to end when told to.
const PATIENCE: Duration = Duration::from_secs(40);

/// Killed when dropped.
pub(crate) struct Measured {
    child: Child,
    pid: Pid,
    lines: mpsc::UnboundedReceiver<String>,
    last: String,
}

impl Measured {
    /// Starts it. It is to say on its standard error how far it is.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            // A bare loop leaves when this closes, so that it can't outlive a killed harness.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A terminal's Ctrl-C is for the harness alone, which ends the others.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id().ok_or("gone at once")?)?);
        let mut said = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
        let (to, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = said.next_line().await {
                let _ = to.send(line);
            }
        });
        Ok(Self { child, pid, lines, last: String::new() })
    }

    /// Waits for a line with `text`, for as long as a start may take.
    pub(crate) async fn says_soon(&mut self, text: &str) -> Result<()> {
        let waited = timeout(PATIENCE, self.says(text)).await;
        waited.unwrap_or_else(|_| Err(format!("never said {text:?}; last: {}", self.last).into()))
    }

    /// Waits for a line with `text`.
    pub(crate) async fn says(&mut self, text: &str) -> Result<()> {
        while let Some(line) = self.lines.recv().await {
            self.last = line;
            if self.last.contains(text) {
                return Ok(());
            }
        }
        Err(format!("ended; its last words: {}", self.last).into())
    }

    /// Waits until it has ended, which is an error.
    pub(crate) async fn ends(&mut self) -> Result<()> {
        // A NUL is in no line.
        self.says("\0").await
    }

    /// CPU time so far, of all its threads, in user and system mode.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(self.pid)
    }

    /// The most memory that was resident at once.
    pub(crate) fn peak_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|it| it.trim().strip_suffix(" kB")).ok_or("no VmHWM")?;
        Ok(kib.trim().parse::<u64>()? * 1024)
    }

    /// Asks it to end, and returns all the CPU time that it took, and its last words.
    pub(crate) async fn stop(mut self) -> Result<(Duration, String)> {
        drop(self.child.stdin.take());
        kill(self.pid, Signal::SIGTERM)?;
        timeout(PATIENCE, self.ended()).await.map_err(|_| "does not end")??;
        // Ended, but not reaped yet: its clock can still be read.
        let cpu = self.cpu()?;
        self.child.wait().await?;
        while let Some(line) = self.lines.recv().await {
            self.last = line;
        }
        Ok((cpu, self.last))
    }

    async fn ended(&self) -> Result<()> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        while waitid(Id::Pid(self.pid), look)? == WaitStatus::StillAlive {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

/// CPU time of a process so far; its clock can be read until it is reaped.
pub(crate) fn cpu_of(pid: Pid) -> Result<Duration> {
    Ok(ClockId::pid_cpu_clock_id(pid)?.now()?.into())
}
