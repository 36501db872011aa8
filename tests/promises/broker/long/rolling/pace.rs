//! A producer that publishes at an even pace, and knows all nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout};

use super::silence::Gaps;
use crate::support::Event;
use crate::support::raw::{Raw, RawPublisher};

/// Ten events together, ten times a second.
const EVERY: Duration = Duration::from_millis(100);
const TOGETHER: u32 = 10;

/// For the broker to confirm, and for a node to answer.
const CONFIRM: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(2);

pub(super) struct Pace {
    published: Arc<AtomicU32>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Paced>,
}

/// What a producer has done.
pub(super) struct Paced {
    pub(super) published: u32,
    /// Events whose confirmation was lost, and that may be in the queue twice.
    pub(super) again: usize,
    pub(super) silence: String,
}

impl Pace {
    /// Publishes chat events that are numbered, each of one of so many senders in turn.
    pub(super) fn begin(exchange: &str, nodes: &[String], keys: u32) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let published = Arc::<AtomicU32>::default();
        let (counter, exchange, nodes) =
            (Arc::clone(&published), exchange.to_owned(), nodes.to_vec());
        let task = tokio::spawn(async move {
            let mut link = Link { nodes, next: 0, publisher: None };
            let (mut ticks, mut gaps) = (interval(EVERY), Gaps::begin());
            let (mut number, mut again) = (0, 0);
            while !*stopped.borrow_and_update() {
                ticks.tick().await;
                let messages: Vec<_> =
                    (number..number + TOGETHER).map(|number| message(number, keys)).collect();
                again += link.publish(&exchange, messages).await;
                number += TOGETHER;
                counter.store(number, Ordering::Relaxed);
                gaps.heard();
            }
            let silence = format!("the broker confirmed nothing {}", gaps.told());
            Paced { published: number, again, silence }
        });
        Self { published, stop, task }
    }

    /// How many events the broker has confirmed.
    pub(super) fn published(&self) -> u32 {
        self.published.load(Ordering::Relaxed)
    }

    pub(super) async fn end(self) -> Paced {
        self.stop.send_replace(true);
        self.task.await.unwrap()
    }
}

fn message(number: u32, keys: u32) -> Raw {
    let key = number % keys;
    let (from, to) = (format!("a{key}@localhost"), format!("b{key}@localhost"));
    Raw::new(Event::chat(&from, &to, &number.to_string()).payload)
}

/// A connection to the first node that takes it.
struct Link {
    nodes: Vec<String>,
    next: usize,
    publisher: Option<RawPublisher>,
}

impl Link {
    /// Publishes until each is confirmed, in this order. Returns how many were sent again.
    async fn publish(&mut self, exchange: &str, mut messages: Vec<Raw>) -> usize {
        let mut again = 0;
        let began = Instant::now();
        loop {
            if let Some(publisher) = &mut self.publisher {
                let left = publisher.publish_all(exchange, &messages, CONFIRM).await;
                if left.is_empty() {
                    return again;
                }
                messages = left.into_iter().map(|place| messages[place].clone()).collect();
                again += messages.len();
            }
            assert!(began.elapsed() < crate::support::PATIENCE, "no node confirms anything");
            self.publisher = self.connect().await;
        }
    }

    async fn connect(&mut self) -> Option<RawPublisher> {
        let node = &self.nodes[self.next % self.nodes.len()];
        self.next += 1;
        let connected = timeout(CONNECT, RawPublisher::try_connect(node)).await;
        let connected = connected.ok().and_then(Result::ok);
        if connected.is_none() {
            tokio::time::sleep(crate::support::LOOK_AGAIN).await;
        }
        connected
    }
}
