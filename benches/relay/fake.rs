//! The fake SNS in a process of its own, told what to do over its standard input.
//!
//! ```text
//! expect 1000 20   counts anew, answers after 20 ms; says `reached ...` at message 1,000
//! counts           expects nothing any more; says `counts ...`
//! ```

use std::process::Stdio;
use std::time::Duration;

use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::Result;
use crate::fake_sns::FakeSns;
use crate::process::cpu_of;

/// The process, as the harness sees it. Killed when dropped.
pub(crate) struct Fake {
    pub url: String,
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What it has counted since the last [`Fake::expect`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub requests: u64,
    pub messages: u64,
    pub connections: u64,
    pub most_in_flight: u64,
}

impl Fake {
    pub(crate) async fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("fake")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let commands = child.stdin.take().ok_or("no stdin")?;
        let mut answers = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let url = answers.next_line().await?.ok_or("the fake SNS did not start")?;
        Ok(Self { url, child, commands, answers })
    }

    /// Counts anew, towards `messages`, and answers after `latency` from now on.
    pub(crate) async fn expect(&mut self, messages: u64, latency: Duration) -> Result<()> {
        let command = format!("expect {messages} {}\n", latency.as_millis());
        Ok(self.commands.write_all(command.as_bytes()).await?)
    }

    /// Waits until the expected messages were accepted.
    pub(crate) async fn reached(&mut self) -> Result<Counts> {
        self.answer("reached ").await
    }

    pub(crate) async fn counts(&mut self) -> Result<Counts> {
        self.commands.write_all(b"counts\n").await?;
        self.answer("counts ").await
    }

    async fn answer(&mut self, kind: &str) -> Result<Counts> {
        loop {
            let line = self.answers.next_line().await?.ok_or("the fake SNS is gone")?;
            // What was reached when nobody waited any more is old news.
            if let Some(counts) = line.strip_prefix(kind) {
                return Counts::parse(counts);
            }
        }
    }

    /// CPU time that it took so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(Pid::from_raw(i32::try_from(self.child.id().ok_or("gone")?)?))
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        drop(self.commands);
        self.child.wait().await?;
        Ok(())
    }
}

impl Counts {
    fn parse(line: &str) -> Result<Self> {
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [requests, messages, connections, most_in_flight] = numbers[..] else {
            return Err("the fake SNS counts oddly".into());
        };
        Ok(Self { requests, messages, connections, most_in_flight })
    }
}

/// The process itself: serves until its standard input closes.
pub(crate) async fn serve() -> Result<()> {
    let sns = FakeSns::start();
    println!("{}", sns.url());
    let mut commands = standard_input();
    let mut expected = None;
    let mut counts = sns.watch();
    loop {
        let reached = async {
            match expected {
                Some(messages) => counts.wait_for(|counts| counts.messages >= messages).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            counts = reached => {
                expected = None;
                say("reached", *counts?);
            }
            command = commands.recv() => match command.as_deref().map(words).as_deref() {
                None => return Ok(()),
                Some(["expect", messages, latency]) => {
                    sns.set_latency(Duration::from_millis(latency.parse()?));
                    sns.reset_counts();
                    expected = Some(messages.parse()?);
                }
                Some(_) => {
                    expected = None;
                    say("counts", sns.counts());
                }
            },
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn say(kind: &str, counts: crate::fake_sns::Counts) {
    let crate::fake_sns::Counts { requests, messages, connections, most_in_flight, .. } = counts;
    println!("{kind} {requests} {messages} {connections} {most_in_flight}");
}

/// Its lines, until it closes.
fn standard_input() -> mpsc::UnboundedReceiver<String> {
    let (to, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
