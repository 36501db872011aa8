//! An Amazon SNS of our own for what no emulator offers: speed, and faults on demand.
//!
//! It speaks the part of the Query protocol that the worker uses (`Publish`, `PublishBatch`,
//! `GetTopicAttributes`), over plain HTTP on the loopback, and keeps to SNS's limits. It
//! runs on a thread of its own, so that it answers whatever a test does with its runtime.
//!
//! ```ignore
//! let sns = FakeSns::start();
//! sns.record();
//! sns.fail_requests(next(2, RequestFault::THROTTLING));
//! // ... a worker with `sns_host = sns.url()` ...
//! sns.until(|counts| counts.messages == 10).await;
//! assert_eq!(sns.accepted()[0].body, "...");
//! ```

#![allow(dead_code, unused_imports, reason = "each of the binaries that share it uses a part")]
#![allow(unreachable_pub, reason = "it is a module of each binary, not a library")]
#![allow(clippy::unwrap_used, reason = "where the fake can't go on, neither can its test")]

mod answer;
mod faults;
mod http;
mod limits;
mod query;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

pub use faults::{EntryFault, RequestFault, next, share};
pub use query::{Attribute, Message, Request};

use faults::Rule;

/// For the counts to become what a test wants. Reached only by a test that fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running fake; it ends when this is dropped.
pub struct FakeSns {
    port: u16,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What has happened since the start or the last [`FakeSns::reset_counts`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// `Publish` and `PublishBatch` requests that came in, whatever became of them.
    pub requests: u64,
    /// Messages accepted.
    pub messages: u64,
    /// Requests under way now, held or unanswered ones included.
    pub in_flight: u64,
    /// The most that were ever under way at once.
    pub most_in_flight: u64,
}

/// What the handle and the connections have in common.
struct Shared {
    settings: Mutex<Settings>,
    accepted: Mutex<Vec<Message>>,
    signed: Mutex<BTreeSet<(String, String)>>,
    signers: Mutex<BTreeMap<u64, String>>,
    counts: watch::Sender<Counts>,
}

struct Settings {
    latency: Duration,
    /// From so many accepted messages on, another latency.
    later: Option<(u64, Duration)>,
    jitter: Duration,
    record: bool,
    max_bytes: usize,
    request_rule: Option<Rule<Request, RequestFault>>,
    entry_rule: Option<Rule<Message, EntryFault>>,
    explanation: Option<Explanation>,
}

/// What is said of a refusal, as XML, by the request's head and its form.
type Explanation = Box<dyn Fn(&str, &str) -> String + Send>;

impl FakeSns {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// Starts one on a port of your choice, for example where another was dropped.
    pub fn start_on(port: u16) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))
            .unwrap_or_else(|error| panic!("the fake SNS can't listen on port {port}: {error}"));
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            settings: Mutex::new(Settings {
                latency: Duration::ZERO,
                later: None,
                jitter: Duration::ZERO,
                record: false,
                max_bytes: limits::MAX_BYTES,
                request_rule: None,
                entry_rule: None,
                explanation: None,
            }),
            accepted: Mutex::default(),
            signed: Mutex::default(),
            signers: Mutex::default(),
            counts: watch::Sender::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = server::serve(listener, serving) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { port, shared, stop: Some(stop), thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request takes so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        let mut settings = self.settings();
        (settings.latency, settings.later) = (latency, None);
    }

    /// Every request takes so long once that many messages are accepted, until [`Self::set_latency`]: whoever waits
    /// for them finds the others not accepted yet, however late.
    pub fn set_latency_after(&self, messages: u64, latency: Duration) {
        self.settings().later = Some((messages, latency));
    }

    /// Every request takes up to so much longer, drawn each time: requests overtake each other.
    pub fn set_jitter(&self, jitter: Duration) {
        self.settings().jitter = jitter;
    }

    /// The topics' `MaximumMessageSize`.
    pub fn set_max_bytes(&self, bytes: usize) {
        self.settings().max_bytes = bytes;
    }

    /// Keeps what it accepts from now on, for [`Self::accepted`].
    pub fn record(&self) {
        self.settings().record = true;
    }

    /// Asks `rule` about every request. It replaces the rule before.
    ///
    /// [`next`] and [`share`] make common rules; a closure can look at the request.
    pub fn fail_requests(
        &self,
        rule: impl FnMut(&Request) -> Option<RequestFault> + Send + 'static,
    ) {
        self.settings().request_rule = Some(Box::new(rule));
    }

    /// Every request meets this fault, and is counted, whatever it asks for.
    pub fn fail_and_count(&self, fault: RequestFault) -> impl Fn() -> usize + use<> {
        let asked = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&asked);
        self.fail_requests(move |_| {
            counting.fetch_add(1, Ordering::Relaxed);
            Some(fault)
        });
        move || asked.load(Ordering::Relaxed)
    }

    /// Asks `rule` about every entry of a batch, and about every single publish.
    pub fn fail_entries(&self, rule: impl FnMut(&Message) -> Option<EntryFault> + Send + 'static) {
        self.settings().entry_rule = Some(Box::new(rule));
    }

    /// Refusals say this from now on: it is made of the request's head and its form, and is written into the
    /// answer's XML as it is.
    pub fn explain(&self, explanation: impl Fn(&str, &str) -> String + Send + 'static) {
        self.settings().explanation = Some(Box::new(explanation));
    }

    /// No fault any more. What is held unanswered stays so.
    pub fn heal(&self) {
        let mut settings = self.settings();
        settings.request_rule = None;
        settings.entry_rule = None;
    }

    /// What was accepted while recording, in that order.
    pub fn accepted(&self) -> Vec<Message> {
        self.shared.accepted.lock().unwrap().clone()
    }

    /// The same without the first of them.
    pub fn accepted_after(&self, first: usize) -> Vec<Message> {
        self.shared.accepted.lock().unwrap()[first..].to_vec()
    }

    /// What was accepted while recording and was not taken before, in that order. It is forgotten here, so that what
    /// runs for long does not keep all.
    pub fn take_accepted(&self) -> Vec<Message> {
        std::mem::take(&mut *self.shared.accepted.lock().unwrap())
    }

    /// Which key's id signed requests about which topic, while recording.
    pub fn signed(&self) -> BTreeSet<(String, String)> {
        self.shared.signed.lock().unwrap().clone()
    }

    /// Which key's id signed each request that publishes, by its number, while recording.
    pub fn signers(&self) -> BTreeMap<u64, String> {
        self.shared.signers.lock().unwrap().clone()
    }

    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// Starts counting anew; what is under way stays counted as such.
    pub fn reset_counts(&self) {
        self.shared.counts.send_modify(|counts| {
            let in_flight = counts.in_flight;
            *counts = Counts { in_flight, most_in_flight: in_flight, ..Counts::default() };
        });
    }

    /// The counts as they change; they do so as long as the fake lives.
    pub fn watch(&self) -> watch::Receiver<Counts> {
        self.shared.counts.subscribe()
    }

    /// Waits until the counts are as wanted, and fails the test if they never are.
    pub async fn until(&self, wanted: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.watch();
        let wanted = tokio::time::timeout(PATIENCE, counts.wait_for(wanted)).await;
        let Ok(counts) = wanted else {
            panic!("waited {PATIENCE:?} for the fake SNS in vain: {:?}", self.counts());
        };
        *counts.expect("the sender lives as long as the fake")
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.shared.settings.lock().unwrap()
    }
}

impl Drop for FakeSns {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panics only after a bug in the fake, which has failed the test already.
            let _ = thread.join();
        }
    }
}
