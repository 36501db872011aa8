//! Places for workers, in each of which there is one at a time, and what happened to those that were there.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::Size;
use super::excuses::{Excuse, Mishap};
use super::plan::Plan;
use crate::fake_sns::FakeSns;
use crate::partitions::{PARTITIONS, PER_KEY};
use crate::support::{Stand, Supervised, binary, wait_for};

/// What fails is soon held, and soon tried again, so that faults of some seconds have an effect and leave no dead letter.
const SETTINGS: [(&str, &str); 10] = [
    PER_KEY,
    ("LOG__FILTER", "info"),
    ("SNS__POOL_SIZE", "4"),
    ("SNS__ATTEMPT_TIMEOUT_MS", "2000"),
    ("SNS__CONNECT_TIMEOUT_MS", "2000"),
    ("SNS__PUBLISH_RETRY_COUNT", "2"),
    ("SNS__PUBLISH_RETRY_TIME_MS", "10"),
    ("OUTAGE__THRESHOLD", "1"),
    ("OUTAGE__HAND_BACK_AFTER_S", "7"),
    ("OUTAGE__PROBE_MAX_MS", "1000"),
];

pub struct Workers {
    pub slots: Vec<Slot>,
    /// A folder of each slot, with its configuration and the log of all that were in it.
    folder: RefCell<TempDir>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Away,
    Works,
    Frozen,
}

pub struct Slot {
    number: usize,
    folder: PathBuf,
    command: RefCell<Command>,
    worker: RefCell<Option<Supervised>>,
    state: Cell<State>,
    /// Workers that were in this place.
    lives: Cell<usize>,
    mishaps: RefCell<Vec<Mishap>>,
    stops: Cell<usize>,
}

impl Workers {
    pub fn new(stand: &Stand, sns: &FakeSns, size: &Size) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("fleet-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let (url, partitions) = (sns.url(), size.partitions.to_string());
        // A worker that says nothing is missed after 8 to 12 s.
        let uri = format!("{}?heartbeat=4", stand.amqp_uri);
        let own = [("SNS__SNS_HOST", &*url), (PARTITIONS, &*partitions), ("AMQP__URI", &*uri)];
        let settings = [&SETTINGS[..], &own].concat();
        let slot = |number| {
            let folder = folder.path().join(format!("worker-{number}"));
            fs::create_dir(&folder).unwrap();
            let file = folder.join("worker.toml");
            fs::write(&file, stand.configuration()).unwrap();
            let mut command = Command::new(binary());
            command.arg("run").arg("--config").arg(file);
            command
                .envs(settings.iter().map(|(key, value)| (format!("EVENT_PUSHER__{key}"), value)));
            Slot {
                number,
                folder,
                command: RefCell::new(command),
                worker: RefCell::default(),
                state: Cell::new(State::Away),
                lives: Cell::default(),
                mishaps: RefCell::default(),
                stops: Cell::default(),
            }
        };
        let slots = (0..size.workers).map(slot).collect();
        Self { slots, folder: RefCell::new(folder) }
    }

    /// Starts the first of them, and waits until all of these consume.
    pub async fn begin(&self, first: usize) {
        self.slots[..first].iter().for_each(Slot::arrive);
        for slot in &self.slots[..first] {
            let consumes = async || {
                assert!(!slot.has_ended_by_itself(), "a worker did not begin: {}", slot.log());
                (slot.count("consuming") > 0).then_some(())
            };
            wait_for("the workers to consume", consumes).await;
        }
    }

    /// Stops all in order.
    pub async fn stop(&self) {
        for slot in &self.slots {
            slot.ask_to_stop();
        }
        for slot in &self.slots {
            slot.has_ended().await;
        }
    }

    /// Ends whoever is still there at once.
    pub async fn end(&self) {
        for slot in &self.slots {
            slot.signal(Signal::SIGKILL);
        }
        for slot in &self.slots {
            slot.has_ended().await;
        }
    }

    /// For people: how many of them are there.
    pub fn describe(&self) -> String {
        let count = |state| self.slots.iter().filter(|slot| slot.state.get() == state).count();
        let (works, frozen) = (count(State::Works), count(State::Frozen));
        format!("{works} of {} workers work, {frozen} frozen", self.slots.len())
    }

    pub fn mishaps(&self) -> Vec<Mishap> {
        self.slots.iter().flat_map(|slot| slot.mishaps.borrow().clone()).collect()
    }

    pub fn stops(&self) -> usize {
        self.slots.iter().map(|slot| slot.stops.get()).sum()
    }

    pub fn lives(&self) -> usize {
        self.slots.iter().map(|slot| slot.lives.get()).sum()
    }

    /// How often a line of an event was logged, by all of them.
    pub fn count(&self, event: &str) -> usize {
        self.slots.iter().map(|slot| slot.count(event)).sum()
    }

    /// Those that work by what was done to them, and have ended all the same.
    pub fn ended_by_themselves(&self) -> Vec<String> {
        let ended = self.slots.iter().filter(|slot| slot.has_ended_by_itself());
        ended.map(|slot| format!("{}: {}", slot.name(), slot.last_line())).collect()
    }

    /// Leaves the logs where they are, with what was planned, and says where that is.
    pub fn keep_logs(&self, plan: &Plan) -> PathBuf {
        let mut folder = self.folder.borrow_mut();
        folder.disable_cleanup(true);
        let planned = format!("{:#?}\n{:#?}\n", plan.troubles, plan.weather);
        fs::write(folder.path().join("plan"), planned).unwrap();
        folder.path().to_owned()
    }
}

impl Slot {
    /// Of the worker that is here; it signs by that.
    fn name(&self) -> String {
        format!("W{}L{}", self.number, self.lives.get())
    }

    pub fn arrive(&self) {
        self.lives.set(self.lives.get() + 1);
        let mut command = self.command.borrow_mut();
        command.env("EVENT_PUSHER__SNS__ACCESS_KEY_ID", self.name());
        *self.worker.borrow_mut() = Some(Supervised::start(&command, &self.folder));
        self.state.set(State::Works);
    }

    pub async fn kill(&self) {
        let at = Instant::now();
        self.signal(Signal::SIGKILL);
        self.has_a_mishap(Excuse::Killed, at);
        self.has_ended().await;
    }

    pub async fn stop(&self) {
        self.ask_to_stop();
        self.stops.set(self.stops.get() + 1);
        self.has_ended().await;
    }

    fn ask_to_stop(&self) {
        // One that has ended by itself is to be found.
        if !self.has_ended_by_itself() {
            self.signal(Signal::SIGTERM);
            self.state.set(State::Away);
        }
    }

    /// Stands still as long as `lasts` does.
    pub async fn freeze(&self, lasts: impl Future<Output = ()>) {
        let from = Instant::now();
        self.signal(Signal::SIGSTOP);
        self.state.set(State::Frozen);
        lasts.await;
        self.signal(Signal::SIGCONT);
        self.state.set(State::Works);
        self.has_a_mishap(Excuse::Frozen, from);
    }

    fn has_a_mishap(&self, excuse: Excuse, from: Instant) {
        let mishap = Mishap { worker: self.name(), excuse, from, to: Instant::now() };
        self.mishaps.borrow_mut().push(mishap);
    }

    async fn has_ended(&self) {
        let ended = async || (!self.runs()).then_some(());
        wait_for("a worker to end", ended).await;
        if self.state.get() != State::Works {
            self.state.set(State::Away);
        }
    }

    fn runs(&self) -> bool {
        self.worker.borrow_mut().as_mut().is_some_and(Supervised::runs)
    }

    fn has_ended_by_itself(&self) -> bool {
        self.state.get() == State::Works && !self.runs()
    }

    fn signal(&self, signal: Signal) {
        if let Some(worker) = self.worker.borrow_mut().as_mut() {
            worker.signal(signal);
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn count(&self, event: &str) -> usize {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == event).count()
    }

    fn last_line(&self) -> String {
        self.log().lines().next_back().unwrap_or_default().to_owned()
    }
}
