//! The whole worker between queues and topics in memory, under a paused clock: what `run` wires together, without a
//! broker, a network or a second of waiting. The ports in memory may be believed, since `tests/promises/ports` asks of
//! them what it asks of RabbitMQ and SNS.

mod faults;
mod formats;
mod handing_back;
mod holds;
mod incidents;
mod log;
mod mod_event_pusher_sns;
mod order;
mod pauses;
mod refusals;
mod reports;
mod service;
mod shutdown;
mod storm;
mod topics;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use self::log::Log;
use self::service::Service;
use super::wiring::Wiring;
use crate::admin::Status;
use crate::config::{Config, Inputs, Source};
use crate::event::Envelope;
use crate::observe::metrics::{Metrics, Totals};
use crate::pipeline::memory::{MemoryQueue, QueueOptions};
use crate::plugin::Plugins;
use crate::publish::memory::under_a_paused_clock;
use crate::publish::{PauseGate, Publisher};

/// What every simulation has, before its own settings.
const CONFIGURATION: &str = r#"
    [sns]
    region = "us-east-1"
    account_id = "123456789012"
    presence_updates_topic = "presence"
    pm_messages_topic = "pm"
    muc_messages_topic = "muc"
    [admin]
    listen = ""
"#;

/// Longer than anything takes that comes true at all.
const PATIENCE: Duration = Duration::from_hours(3);

/// Longer than any simulation.
const DAY: Duration = Duration::from_hours(24);

/// A worker at work.
struct Simulation {
    /// By source.
    queues: BTreeMap<String, MemoryQueue>,
    sns: Service,
    log: Log,
    metrics: Arc<Metrics>,
    publisher: Rc<Publisher<Service>>,
}

impl Simulation {
    /// The queue of the only source.
    fn queue(&self) -> &MemoryQueue {
        let [queue] = self.queues.values().collect::<Vec<_>>()[..] else { panic!("one source") };
        queue
    }

    fn publish(&self, events: impl IntoIterator<Item = Envelope>) {
        events.into_iter().for_each(|event| self.queue().publish(event));
    }

    fn totals(&self) -> Totals {
        self.metrics.reading().totals()
    }

    /// Waits for something, as long as it may take on the paused clock.
    async fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        let waiting = async {
            while !is_so(self) {
                // What takes an hour need not be looked at each moment.
                let pause = began.elapsed() / 20;
                sleep(pause.clamp(Duration::from_millis(10), Duration::from_secs(5))).await;
            }
        };
        let waited = timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("waited in vain for {what}: {}", self.totals()));
    }

    /// Waits until so many events have ended for good.
    async fn settles(&self, count: u64) {
        let ended = |it: &Self| it.totals().ended() - it.totals().handed_back >= count;
        self.until(&format!("{count} outcomes"), ended).await;
    }

    /// Waits for the first line of an event, by the event's name.
    async fn logs(&self, event: &str) -> Value {
        self.until(event, |it| it.log.count(event) > 0).await;
        self.log.all(event).remove(0)
    }

    /// Waits until a topic has so many different messages, each of which has come once.
    async fn has_once(&self, topic: &str, count: usize) {
        self.until("all messages", |it| it.sns.distinct(topic) == count).await;
        assert_eq!(self.sns.of(topic).len(), count, "some came twice");
    }

    /// What is held now.
    fn held(&self) -> Vec<String> {
        self.publisher.open_circuits().iter().map(|it| it.circuit.to_string()).collect()
    }
}

/// Runs a worker with these settings (TOML, besides [`CONFIGURATION`]) while `test` does something, then stops it.
/// Nothing may be left in flight, and all that was received has ended.
fn simulate(settings: &str, plugins: &Plugins, test: impl AsyncFnOnce(&Simulation)) -> Totals {
    simulate_on(settings, plugins, None, test)
}

/// The same on the queue and the SNS of an earlier worker.
fn simulate_on(
    settings: &str,
    plugins: &Plugins,
    earlier: Option<(MemoryQueue, Service)>,
    test: impl AsyncFnOnce(&Simulation),
) -> Totals {
    simulate_and_stop(settings, plugins, earlier, test).0
}

/// The same. Also returns how long it took to stop.
fn simulate_and_stop(
    settings: &str,
    plugins: &Plugins,
    earlier: Option<(MemoryQueue, Service)>,
    test: impl AsyncFnOnce(&Simulation),
) -> (Totals, Duration) {
    let pauses = Rc::new(PauseGate::under_a_paused_clock());
    simulate_pausing(settings, plugins, earlier, pauses, test)
}

/// Where operators have paused this.
fn simulate_with(pauses: Rc<PauseGate>, test: impl AsyncFnOnce(&Simulation)) {
    simulate_pausing("", &Plugins::default(), None, pauses, test);
}

fn simulate_pausing(
    settings: &str,
    plugins: &Plugins,
    earlier: Option<(MemoryQueue, Service)>,
    pauses: Rc<PauseGate>,
    test: impl AsyncFnOnce(&Simulation),
) -> (Totals, Duration) {
    let files = [("base.toml", CONFIGURATION), ("own.toml", settings)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let inputs = Inputs { files, environment: Vec::new() };
    let config = Config::load(&inputs, &plugins.names().collect::<Vec<_>>()).unwrap();
    let (log, metrics) = (Log::default(), Arc::new(Metrics::new()));
    let _logging = log.begin();
    let (queue, sns) = earlier.unzip();
    let sns = sns.unwrap_or_default();
    let router = Rc::new(config.router(plugins).unwrap());
    let wiring = Wiring::new(&config, router, Arc::clone(&metrics), None, sns.clone(), pauses);
    let queue =
        |source| queue.clone().unwrap_or_else(|| MemoryQueue::new(options_of(&config, source)));
    let named = config.amqp.sources.iter().map(|it| (it.name.clone(), queue(it)));
    let (queues, publisher) = (named.collect(), Rc::clone(&wiring.publisher));
    let simulation = Simulation { queues, sns, log, metrics, publisher };
    let (ask, stop) = watch::channel(false);
    let (status_sender, _status) = watch::channel(Status::starting());
    let took = under_a_paused_clock(async {
        let queue_of = |source: &Source, _: &_| simulation.queues[&source.name].clone().into();
        let testing = async {
            test(&simulation).await;
            ask.send_replace(true);
            Instant::now()
        };
        let working = timeout(DAY, wiring.run(&config, queue_of, stop, status_sender));
        let (stopped, asked) = tokio::join!(working, testing);
        stopped.expect("the worker does not stop");
        asked.elapsed()
    });
    let totals = simulation.totals();
    assert_eq!((totals.in_flight, totals.unaccounted()), (0, 0), "{totals}");
    (totals, took)
}

/// As the worker declares and consumes it.
fn options_of(config: &Config, source: &Source) -> QueueOptions {
    QueueOptions {
        prefetch: Some(config.amqp.prefetch),
        delivery_limit: Some(config.amqp.delivery_limit),
        parked_for: source.parking.as_ref().map(|parking| parking.time),
    }
}

/// An event in our own format.
fn event(value: &Value) -> Envelope {
    Envelope { payload: value.to_string().into_bytes(), ..Envelope::default() }
}

fn message(kind: &str, from: &str, to: &str, text: &str) -> Envelope {
    event(&serde_json::json!({
        "type": kind, "from_user_id": from, "to_user_id": to, "message": text,
    }))
}

fn chat(number: usize) -> Envelope {
    message("chat", "ann@h", "bob@h", &number.to_string())
}

fn room(number: usize) -> Envelope {
    message("groupchat", "ann@h", "room@conference.h", &number.to_string())
}
