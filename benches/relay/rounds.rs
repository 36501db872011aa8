//! Who runs, in which order, and what one run measures.

use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::broker::Stand;
use crate::fake::Fake;
use crate::loops::Kind;
use crate::process::Measured;
use crate::{Arguments, Result};

const WARM_UP: u64 = 5000;

/// Below this a run has failed; above it, it ends in bounded time.
const SLOWEST_EVENTS_PER_S: u64 = 500;

/// A quorum queue can lose acknowledgements that came just before their channel closed;
/// the worker waits as long by itself.
const SETTLE: Duration = Duration::from_millis(500);

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contestant {
    /// As in docs/performance.md.
    pub letter: char,
    pub title: &'static str,
    pub latency_ms: u64,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Loop(Kind),
    Worker(Set),
}

/// Settings on top of a worker's defaults.
type Set = &'static [(&'static str, &'static str)];

/// What one run showed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// From the start of consumption to the last event: accepted by the fake SNS, or,
    /// where nothing is published, acknowledged.
    pub seconds: f64,
    /// From the start of consumption to the end of the process.
    pub cpu: Duration,
    pub peak_bytes: u64,
    pub requests: u64,
    pub messages: u64,
    pub connections: u64,
    pub most_in_flight: u64,
    /// What the fake SNS took meanwhile: its own limit.
    pub fake_cpu: Duration,
    /// Events in the queue again when the process was gone.
    pub came_back: u32,
    pub dead_letters: u32,
    /// The last line that the process said.
    pub report: String,
}

/// A run's sample, or why it has none.
pub(crate) type Run = std::result::Result<Sample, String>;

const PER_KEY: Set = &[("SNS__ORDERING", "per-key")];

/// The default of 100 requests carries at most 50,000 events/s at 20 ms.
const LARGE_POOL: Set = &[("SNS__POOL_SIZE", "250")];

/// All contestants that `only` names; nobody named is everybody.
pub(crate) fn contestants(only: &[String]) -> Vec<Contestant> {
    let all = [
        ('a', "lapin, acks in blocks, nothing published", What::Loop(Kind::Consume), &[0][..]),
        ('b', "lapin + SDK, batches, acks one by one", What::Loop(Kind::Publish), &[0, 20]),
        ('c', "worker, default settings", What::Worker(&[]), &[0, 20]),
        ('d', "worker, ordering per-key", What::Worker(PER_KEY), &[0, 20]),
        ('e', "worker, pool_size 250", What::Worker(LARGE_POOL), &[0, 20]),
    ];
    all.into_iter()
        .flat_map(|(letter, title, what, latencies)| {
            let with = move |&latency_ms| Contestant { letter, title, latency_ms, what };
            latencies.iter().map(with)
        })
        .filter(|it| only.is_empty() || only.iter().any(|name| it.is_called(name)))
        .collect()
}

impl Contestant {
    pub(crate) fn name(&self) -> String {
        format!("{}@{}", self.letter, self.latency_ms)
    }

    fn is_called(&self, name: &str) -> bool {
        name == self.name() || name.len() == 1 && name.starts_with(self.letter)
    }

    fn publishes(&self) -> bool {
        self.what != What::Loop(Kind::Consume)
    }
}

/// What all runs have in common.
pub(crate) struct Bench<'a> {
    pub stand: &'a Stand,
    pub arguments: &'a Arguments,
    /// For the worker's configuration; removed when dropped.
    folder: TempDir,
    /// The workers' own HTTP server, so that it never meets somebody else's.
    pub address: String,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(stand: &'a Stand, arguments: &'a Arguments) -> Result<Self> {
        Ok(Self { stand, arguments, folder: tempfile::tempdir()?, address: free_address()? })
    }

    /// Starts a worker, which declares the queues, and sends some events through.
    pub(crate) async fn warm_up(&self, fake: &mut Fake) -> Result<()> {
        eprintln!("warming up with {WARM_UP} events");
        let mut worker = self.start_worker(fake, &[])?;
        worker.says_soon("consuming").await.map_err(|error| format!("the worker {error}"))?;
        fake.expect(WARM_UP, Duration::ZERO).await?;
        self.stand.add(WARM_UP).await?;
        timeout(limit(WARM_UP), fake.reached())
            .await
            .map_err(|_| "the worker does not relay; try `make demo`")??;
        worker.stop().await?;
        Ok(())
    }

    /// Runs everybody in turn, so that what changes on the machine meets all alike.
    /// Returns each contestant's runs.
    pub(crate) async fn rounds(
        &self,
        fake: &mut Fake,
        contestants: &[Contestant],
    ) -> Result<Vec<Vec<Run>>> {
        let mut runs = vec![Vec::new(); contestants.len()];
        for round in 1..=self.arguments.rounds {
            for (contestant, runs) in contestants.iter().zip(&mut runs) {
                self.stand.refill(self.arguments.events).await?;
                let run = self.run(fake, contestant).await.map_err(|error| error.to_string());
                self.announce(round, contestant, &run);
                runs.push(run);
            }
        }
        Ok(runs)
    }

    async fn run(&self, fake: &mut Fake, contestant: &Contestant) -> Result<Sample> {
        fake.expect(self.arguments.events, Duration::from_millis(contestant.latency_ms)).await?;
        let mut process = match contestant.what {
            What::Loop(kind) => self.start_loop(fake, kind)?,
            What::Worker(set) => self.start_worker(fake, set)?,
        };
        process.says_soon("consuming").await?;
        let (began, cpu_before, fake_before) = (Instant::now(), process.cpu()?, fake.cpu()?);
        let limit = limit(self.arguments.events);
        let finished = timeout(limit, finish(fake, &mut process, contestant)).await;
        let Ok(ended) = finished else {
            let messages = fake.counts().await?.messages;
            return Err(format!("only {messages} messages in {limit:?}").into());
        };
        let seconds = ended?.duration_since(began).as_secs_f64();
        let peak_bytes = process.peak_bytes()?;
        let (cpu, report) = process.stop().await?;
        let counts = fake.counts().await?;
        Ok(Sample {
            seconds,
            cpu: cpu.saturating_sub(cpu_before),
            peak_bytes,
            requests: counts.requests,
            messages: counts.messages,
            connections: counts.connections,
            most_in_flight: counts.most_in_flight,
            fake_cpu: fake.cpu()?.saturating_sub(fake_before),
            came_back: self.stand.ready(&self.stand.queue()).await?,
            dead_letters: self.stand.ready(&self.stand.dead_letter_queue()).await?,
            report,
        })
    }

    fn start_loop(&self, fake: &Fake, kind: Kind) -> Result<Measured> {
        let mut command = Command::new(std::env::current_exe()?);
        let events = self.arguments.events.to_string();
        command.args(["loop", kind.name(), &self.stand.queue(), &events, &fake.url]);
        Measured::start(command)
    }

    /// A worker with its defaults, but for its own settings and for what `--set` says.
    pub(crate) fn start_worker(&self, fake: &Fake, own: Set) -> Result<Measured> {
        let file = self.folder.path().join("worker.toml");
        std::fs::write(&file, self.stand.configuration(&fake.url, &self.address))?;
        let mut command = Command::new(&self.arguments.worker);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("EVENT_PUSHER__") {
                command.env_remove(name);
            }
        }
        let set = self.arguments.set.iter().filter_map(|it| it.split_once('='));
        for (key, value) in own.iter().copied().chain(set) {
            command.env(format!("EVENT_PUSHER__{key}"), value);
        }
        command.arg("run").arg("--config").arg(file);
        Measured::start(command)
    }

    fn announce(&self, round: usize, contestant: &Contestant, run: &Run) {
        let name = contestant.name();
        let said = match run {
            Ok(sample) => format!("{:.2} s", sample.seconds),
            Err(error) => format!("failed: {error}"),
        };
        eprintln!("round {round} of {}  {name:<5} {said}", self.arguments.rounds);
    }
}

/// Waits until the last event is through, and returns when that was.
async fn finish(
    fake: &mut Fake,
    process: &mut Measured,
    contestant: &Contestant,
) -> Result<Instant> {
    if contestant.publishes() {
        tokio::select! {
            reached = fake.reached() => { reached?; }
            ended = process.ends() => ended?,
        }
    }
    let published = Instant::now();
    let What::Loop(_) = contestant.what else { return Ok(published) };
    process.says("drained").await?;
    let drained = Instant::now();
    sleep(SETTLE).await;
    Ok(if contestant.publishes() { published } else { drained })
}

fn limit(events: u64) -> Duration {
    Duration::from_secs(30 + events / SLOWEST_EVENTS_PER_S)
}

/// An address that nobody listens to.
fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
