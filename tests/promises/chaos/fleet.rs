//! Workers that share a queue, each with a network of its own.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Door, Proxy, Stand, Supervised, binary, wait_for};

pub struct Fleet {
    slots: Vec<Slot>,
}

/// A place for a worker; there is one in it at any time but between an end and the next start.
struct Slot {
    network: Proxy,
    /// Its configuration, and the log of all workers that were in this place.
    folder: TempDir,
    command: Command,
    worker: Option<Supervised>,
}

impl Fleet {
    pub async fn start(stand: &Stand, count: usize, settings: &[(&str, &str)]) -> Self {
        let mut slots = Vec::new();
        for _ in 0..count {
            slots.push(Slot::new(stand, settings).await);
        }
        let mut fleet = Self { slots };
        for slot in 0..count {
            fleet.launch(slot);
        }
        for slot in &fleet.slots {
            let consumes = async || (slot.count("consuming") > 0).then_some(());
            wait_for("the workers to consume", consumes).await;
        }
        fleet
    }

    /// Between the worker and the broker; it outlives the workers in this place.
    pub fn network(&self, slot: usize) -> &Proxy {
        &self.slots[slot].network
    }

    pub fn launch(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        slot.worker = Some(Supervised::start(&slot.command, slot.folder.path()));
    }

    /// SIGKILL.
    pub fn kill(&mut self, slot: usize) {
        self.slots[slot].running().signal(Signal::SIGKILL);
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        slot.running().signal(Signal::SIGTERM);
        let ended = async || (!slot.worker.as_mut()?.runs()).then_some(());
        wait_for("a worker to stop", ended).await;
        slot.worker = None;
    }

    /// How often a worker has begun to consume: at each start, and after each lost connection.
    pub fn sessions(&self) -> usize {
        self.slots.iter().map(|slot| slot.count("consuming")).sum()
    }

    /// How often a worker was stopped while SNS did not answer within the grace, so that what it had
    /// in flight went back to the queue.
    pub fn stops_in_vain(&self) -> usize {
        self.slots.iter().map(|slot| slot.count("grace_over")).sum()
    }

    /// Ids of the events that a worker has said it skips.
    pub fn skipped(&self) -> Vec<u32> {
        let lines = self.slots.iter().flat_map(|slot| slot.all("settled"));
        lines.filter(|line| line["outcome"] == "skipped").filter_map(|line| id_of(&line)).collect()
    }
}

impl Slot {
    async fn new(stand: &Stand, settings: &[(&str, &str)]) -> Self {
        let network = Proxy::start(&stand.amqp_uri, Door::Open).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("worker.toml");
        fs::write(&file, stand.configuration()).unwrap();
        let uri = format!("{}?heartbeat=4", network.instead_of(&stand.amqp_uri));
        let mut command = Command::new(binary());
        command.arg("run").arg("--config").arg(file).env("EVENT_PUSHER__AMQP__URI", uri);
        command.envs(settings.iter().map(|(key, value)| (format!("EVENT_PUSHER__{key}"), value)));
        Self { network, folder, command, worker: None }
    }

    /// The worker, which no fault may have ended but the plan's own.
    fn running(&mut self) -> &mut Supervised {
        let runs = self.worker.as_mut().is_some_and(Supervised::runs);
        assert!(runs, "a worker has ended by itself: {}", self.last_line());
        self.worker.as_mut().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// All lines of an event, of all workers that were in this place.
    fn all(&self, event: &str) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == event).collect()
    }

    fn count(&self, event: &str) -> usize {
        self.all(event).len()
    }

    fn last_line(&self) -> String {
        self.log().lines().next_back().unwrap_or_default().to_owned()
    }
}

fn id_of(line: &Value) -> Option<u32> {
    line["id"].as_str()?.parse().ok()
}
