//! The binary, running.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::{Exit, PATIENCE, Stand, wait_for};

/// A worker process. It is killed when dropped, so that no test leaves one behind.
pub struct Worker {
    child: Child,
    log: Arc<Mutex<Log>>,
    reading: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

/// What a worker wrote, and what tests ask of it again and again.
#[derive(Default)]
struct Log {
    lines: Vec<Line>,
    /// Lines that say how an event ended.
    settled: usize,
}

struct Line {
    /// The name of what happened, which the lines of libraries lack.
    event: Option<String>,
    text: String,
    /// The line itself if it is not JSON.
    json: Value,
}

impl Line {
    fn new(text: String) -> Self {
        let json = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
        let event = match &json {
            Value::String(text) => {
                text.split_once("event=\"").and_then(|(_, it)| it.split('"').next())
            }
            json => json["event"].as_str(),
        };
        Self { event: event.map(ToOwned::to_owned), text, json }
    }
}

impl Log {
    fn push(&mut self, line: String) {
        let line = Line::new(line);
        self.settled += usize::from(line.json.get("outcome").is_some());
        self.lines.push(line);
    }

    fn of<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Value> {
        let lines = self.lines.iter().filter(move |line| line.event.as_deref() == Some(event));
        lines.map(|line| &line.json)
    }
}

impl Worker {
    /// Starts a worker on the stand and waits until it consumes.
    pub async fn start(stand: &Stand) -> Self {
        Self::start_with(stand, &[]).await
    }

    /// The same, with `SECTION__KEY` settings on top of the stand's configuration.
    pub async fn start_with(stand: &Stand, settings: &[(&str, &str)]) -> Self {
        let worker = Self::spawn(stand, binary(), settings);
        worker.consumes().await;
        worker
    }

    /// Has the topology made, so that the queue can be filled before anybody takes from it: while it is being
    /// filled a worker may be quicker than whoever fills it.
    pub async fn create_queue(stand: &Stand, settings: &[(&str, &str)]) {
        Self::start_with(stand, settings).await.stop().await;
    }

    /// A worker from a binary with a plugin of its own; see `examples/custom_plugin.rs`.
    pub async fn start_with_plugin(stand: &Stand, plugin: &str) -> Self {
        let worker = Self::spawn(stand, custom_plugin(), &[("SNS__PLUGIN_MODULE", plugin)]);
        worker.consumes().await;
        worker
    }

    /// Waits until a source consumes.
    async fn consumes(&self) {
        wait_for("a worker that consumes", async || self.find("consuming")).await;
    }

    /// Starts a worker without waiting for anything.
    pub fn spawn(stand: &Stand, binary: PathBuf, settings: &[(&str, &str)]) -> Self {
        Self::spawn_by(stand, Command::new(binary), settings)
    }

    /// The same by a command that takes the program's arguments.
    pub fn spawn_by(stand: &Stand, mut command: Command, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("worker.toml");
        std::fs::write(&file, stand.configuration()).unwrap();
        let mut child = command
            .arg("run")
            .arg("--config")
            .arg(&file)
            .envs(settings.iter().map(|(key, value)| (format!("EVENT_PUSHER__{key}"), value)))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Log>>::default();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let writing = Arc::clone(&log);
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                writing.lock().unwrap().push(line);
            }
        });
        Self { child, log, reading, _directory: directory }
    }

    /// All that it logged so far.
    pub fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().lines.iter().map(|line| line.json.clone()).collect()
    }

    /// Waits for the first line of an event, by the event's name; see `docs/logs.md`.
    pub async fn logged(&self, event: &str) -> Value {
        self.logged_times(event, 1).await
    }

    /// Waits until an event is logged for the so-many-th time, and returns that line.
    pub async fn logged_times(&self, event: &str, times: usize) -> Value {
        let what = format!("a line of the event `{event}`, number {times}");
        let look = async || self.log.lock().unwrap().of(event).nth(times - 1).cloned();
        let found = tokio::time::timeout(PATIENCE, wait_for(&what, look));
        found.await.unwrap_or_else(|_elapsed| {
            panic!("{what} never came; the log is {:#?}", self.log());
        })
    }

    /// The first line of an event, if there is one.
    pub fn find(&self, event: &str) -> Option<Value> {
        self.log.lock().unwrap().of(event).next().cloned()
    }

    /// All lines of an event.
    pub fn all(&self, event: &str) -> Vec<Value> {
        self.log.lock().unwrap().of(event).cloned().collect()
    }

    /// How many lines an event has.
    pub fn count(&self, event: &str) -> usize {
        self.log.lock().unwrap().of(event).count()
    }

    /// Whether any line shows a secret, a text of an event, or a name that is none of this worker's business.
    pub fn shows(&self, text: &str) -> bool {
        self.log.lock().unwrap().lines.iter().any(|line| line.text.contains(text))
    }

    /// Lines that say how an event ended.
    pub fn settled(&self) -> usize {
        self.log.lock().unwrap().settled
    }

    /// Waits until so many events have ended.
    pub async fn settles(&self, count: usize) {
        let what = format!("{count} outcomes");
        wait_for(&what, async || (self.settled() >= count).then_some(())).await;
    }

    /// The most memory that was resident at once, in KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().try_into().unwrap()), signal).unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("the worker is gone already")
    }

    /// For how long its thread has been ready to run without getting a processor.
    pub fn starved(&self) -> Duration {
        let times = std::fs::read_to_string(format!("/proc/{}/schedstat", self.id())).unwrap();
        Duration::from_nanos(times.split(' ').nth(1).unwrap().parse().unwrap())
    }

    /// Asks it to stop, as Kubernetes does, and waits until it has.
    pub async fn stop(self) -> Exit {
        self.signal(Signal::SIGTERM);
        self.wait().await
    }

    /// Ends it as a crash of the machine does.
    pub async fn crash(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it ends by itself.
    pub async fn wait(mut self) -> Exit {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.expect("the worker does not end").unwrap();
        self.reading.await.unwrap();
        let log = self.log.lock().unwrap();
        let last = log.lines.last().map(|line| line.json.clone()).unwrap_or_default();
        let panicked = log.of("panicked").next().is_some();
        Exit { status, last, panicked }
    }
}

/// The program under test: the one that was built with the tests, unless `EVENT_PUSHER_PROGRAM` names
/// another one, such as an optimised one that is to be measured.
pub fn binary() -> PathBuf {
    let other = std::env::var_os("EVENT_PUSHER_PROGRAM");
    other.map_or_else(built, PathBuf::from)
}

fn built() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_event-pusher-sns"))
}

/// The example with plugins of its own.
pub fn custom_plugin() -> PathBuf {
    built().with_file_name("examples").join("custom_plugin")
}
