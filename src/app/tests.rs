//! The whole worker between queues and topics in memory, under a paused clock: what `run` wires together, without a
//! broker, a network or a second of waiting. The ports in memory may be believed, since `tests/promises/ports` asks of
//! them what it asks of RabbitMQ and SNS.

mod formats;
mod holds;
mod order;
mod refusals;
mod service;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use self::service::Service;
use super::wiring::Wiring;
use crate::admin::Status;
use crate::config::{Config, Inputs};
use crate::event::Envelope;
use crate::observe::metrics::{Metrics, Totals};
use crate::pipeline::memory::MemoryQueue;
use crate::plugin::Plugins;
use crate::publish::Publisher;
use crate::publish::memory::under_a_paused_clock;

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

/// Longer than anything takes that ends at all.
const PATIENCE: Duration = Duration::from_hours(24);

/// A worker at work.
struct Simulation {
    /// By source.
    queues: BTreeMap<String, MemoryQueue>,
    sns: Service,
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
        let waiting = async {
            while !is_so(self) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("waited in vain for {what}: {}", self.totals()));
    }

    /// Waits until so many events have ended for good.
    async fn settles(&self, count: u64) {
        let ended = |it: &Self| it.totals().ended() - it.totals().handed_back >= count;
        self.until(&format!("{count} outcomes"), ended).await;
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
    let files = [("base.toml", CONFIGURATION), ("own.toml", settings)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let inputs = Inputs { files, environment: Vec::new() };
    let config = Config::load(&inputs, &plugins.names().collect::<Vec<_>>()).unwrap();
    let metrics = Arc::new(Metrics::new());
    let (queue, sns) = earlier.unzip();
    let sns = sns.unwrap_or_default();
    let router = Rc::new(config.router(plugins).unwrap());
    let wiring = Wiring::new(&config, router, Arc::clone(&metrics), None, sns.clone());
    let queue =
        || queue.clone().unwrap_or_else(|| MemoryQueue::with_prefetch(config.amqp.prefetch));
    let named = config.amqp.sources.iter().map(|it| (it.name.clone(), queue()));
    let (queues, publisher) = (named.collect(), Rc::clone(&wiring.publisher));
    let simulation = Simulation { queues, sns, metrics, publisher };
    let (ask, stop) = watch::channel(false);
    let (status_sender, _status) = watch::channel(Status::starting());
    under_a_paused_clock(async {
        let queue_of =
            |source: &crate::config::Source, _: &_| simulation.queues[&source.name].clone();
        let testing = async {
            test(&simulation).await;
            ask.send_replace(true);
        };
        tokio::join!(wiring.run(&config, queue_of, stop, status_sender), testing);
    });
    let totals = simulation.totals();
    assert_eq!((totals.in_flight, totals.unaccounted()), (0, 0), "{totals}");
    totals
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
