//! An event that panics the code costs itself, and nothing else.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use event_pusher_sns::config::{Config, Inputs};
use event_pusher_sns::observe::metrics::{Metrics, Totals};
use event_pusher_sns::observe::monitor::Monitor;
use event_pusher_sns::pipeline::relay::Relay;
use event_pusher_sns::pipeline::worker::Worker;
use event_pusher_sns::plugin::{Plugin, PluginError, Plugins};
use event_pusher_sns::publish;
use event_pusher_sns::publish::MemoryTopics;
use event_pusher_sns::publish::hold::WaitBudget;
use event_pusher_sns::rabbitmq::connection::Broker;
use event_pusher_sns::rabbitmq::consume::RabbitQueue;
use event_pusher_sns::rabbitmq::publish::dead_letter_exchange::DeadLetterExchange;
use jid::Jid;
use tokio::sync::watch;

use crate::support::{Event, Stand, header, wait_for};

const EVE: &str = "eve@h";

/// Has a bug, which Eve finds.
struct Buggy;

impl Plugin for Buggy {
    fn user_guid<'a>(&self, user: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        assert_ne!(user.to_bare().as_str(), EVE, "a bug");
        Ok(Cow::Owned(user.to_bare().to_string()))
    }
}

/// Works on the stand until `done`, in this process, with topics in memory.
async fn work(stand: &Stand, done: impl AsyncFnOnce(&Metrics)) -> Totals {
    let plugins = Plugins::default().register("buggy", Buggy);
    let files = vec![("stand.toml".to_owned(), stand.configuration())];
    let set = [("EVENT_PUSHER__SNS__PLUGIN_MODULE".to_owned(), "buggy".to_owned())];
    let inputs = Inputs { files, environment: set.into_iter().collect() };
    let config = Config::load(&inputs, &plugins.names().collect::<Vec<_>>()).unwrap();
    let source = config.amqp.sources[0].clone();
    let topics = Rc::new(publish::stack(&config.sns, &config.outage, MemoryTopics::default()));
    let router = Rc::new(config.router(&plugins).unwrap());
    let broker = Rc::new(Broker::new(config.amqp, "panics".to_owned()));
    let dead_letters = Rc::new(DeadLetterExchange::new(Rc::clone(&broker)));
    let metrics = Arc::new(Metrics::new());
    let worker = Worker {
        name: source.name.clone(),
        budget: WaitBudget::new(&source, 10, Duration::from_mins(1)),
        relay: Relay::new(source.format, router, topics),
        source: RabbitQueue::new(broker, source, dead_letters),
        monitor: Rc::new(Monitor::new("test", Arc::clone(&metrics))),
        grace: Duration::from_secs(10),
    };
    let (ask, stop) = watch::channel(false);
    let done = async {
        done(&metrics).await;
        ask.send_replace(true);
    };
    tokio::task::LocalSet::new().run_until(async { tokio::join!(worker.run(stop), done) }).await;
    metrics.reading().totals()
}

#[tokio::test]
async fn an_event_that_panics_the_code_is_dead_and_the_worker_lives_on() {
    let stand = Stand::new("panics").await;
    let events = async |metrics: &Metrics| {
        // It is declared last, when all else is there and bound.
        let declared = async || stand.has_queue(&stand.held_queue()).await.then_some(());
        wait_for("the queues", declared).await;
        for user in ["ann@h", EVE, "bob@h"] {
            stand.publish(Event::presence(user, true).identified(user)).await;
        }
        let letter = stand.take_dead_letters(1).await.remove(0);
        assert_eq!(letter.properties.message_id().as_ref().unwrap().as_str(), EVE);
        assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some("panicked"));
        let error = header(&letter, "event-pusher-error").unwrap();
        assert!(!error.contains("a bug"), "a panic's message may quote the event: {error}");
        stand.publish(Event::presence("carol@h", true)).await;
        // What the broker has sent and the worker has not taken, a stop would hand back.
        let published = || metrics.reading().totals().published;
        wait_for("Carol", async || (published() == 3).then_some(())).await;
    };
    let totals = Box::pin(work(&stand, events)).await;
    assert_eq!((totals.received, totals.published, totals.handed_back), (4, 3, 0), "{totals}");
    stand.leave_nothing().await;
}
