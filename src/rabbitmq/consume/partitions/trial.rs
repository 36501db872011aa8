//! The trial of an event of which workers may be dying: what other workers wrote down of it is read, and what this one does with it is
//! written down, in a queue that is there only where there was such an event.
//!
//! A worker that ends while it has the event can't say so. So it says beforehand that it begins, and takes that back when it hands the
//! event on, or has lived with it for a while, as with one whose topic is held.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use lapin::options::{BasicGetOptions, BasicNackOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::Partitions;
use super::ledger::{Entry, Fingerprint, Ledger};
use super::suspect::{by_count, by_evidence};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::{bounded, on_channel};
use crate::rabbitmq::consume::PATIENCE_BEFORE_CLOSE;
use crate::rabbitmq::consume::consumer::Arrived;
use crate::rabbitmq::consume::settler::Settling;
use crate::rabbitmq::fleet::author;
use crate::rabbitmq::publish::confirmed_publisher::ConfirmedPublisher;
use crate::rabbitmq::topology::exclusive_queue;
use crate::rabbitmq::topology::partitions::suspects;
use crate::signature::SigningKey;

/// How the connection of a trial shows on RabbitMQ's side.
const PURPOSE: &str = "suspects";

/// For all that is known of an event, and the record that it is begun.
const EXAMINE_WITHIN: Duration = Duration::from_secs(20);

/// The queue has room for as many.
const MOST_RECORDS: usize = 1_000;

/// A worker that has lived so long with an event does not die of it: further ones come, and others may be tried.
const LIVES_ON: Duration = Duration::from_secs(10);

/// Between two looks at whether the event is settled.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// For the record that a worker has the event no more, while nobody waits for it; a broker may be away for a while.
const HAND_BACK_WITHIN: Duration = Duration::from_mins(1);
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The same for a session that ends in order, which waits for it.
const SESSION_WAITS: Duration = Duration::from_secs(1);

/// Why the event is a dead letter, if it is to be one.
type Verdict = Option<Box<str>>;

/// The trial of one event, from its delivery until others may follow. What it does it does in a task, so that whoever waits for it may
/// be dropped. When this is dropped, the event is handed back.
#[derive(Debug)]
pub(super) struct Trial {
    /// Until it is handed out.
    arrived: Option<Box<Arrived>>,
    verdict: oneshot::Receiver<Verdict>,
    /// Dropped when the session ends.
    session: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What a trial knows of its event.
struct Case {
    partitions: Rc<Partitions>,
    settling: Rc<Settling>,
    suspects: String,
    fingerprint: Fingerprint,
    tag: u64,
    /// How often it was delivered before.
    count: i64,
    /// The broker may have the record that it is begun.
    may_be_begun: Cell<bool>,
}

impl Trial {
    /// Tries the first event of a session, which was delivered `count` times before.
    pub(super) fn begin(
        partitions: &Rc<Partitions>,
        settling: &Rc<Settling>,
        queue: &str,
        arrived: Arrived,
        count: i64,
    ) -> Self {
        let (delivery, _) = &arrived;
        let id = delivery.properties.message_id().as_ref().map(ShortString::as_str);
        let key = delivery.routing_key.as_str();
        let case = Case {
            suspects: suspects::name_of(&settling.source.queue),
            fingerprint: Fingerprint::of(queue, key, id, &delivery.data),
            tag: delivery.delivery_tag,
            partitions: Rc::clone(partitions),
            settling: Rc::clone(settling),
            count,
            may_be_begun: Cell::new(false),
        };
        let ((decide, verdict), (session, ended)) = (oneshot::channel(), oneshot::channel());
        let task = tokio::task::spawn_local(case.run(decide, ended));
        Self { arrived: Some(Box::new(arrived)), verdict, session, task }
    }

    /// Waits until the event is to be handed out, and after that until others may be, which is `None`: it is settled then, or does no
    /// harm. May be dropped while it waits; not to be asked again after `None`.
    pub(super) async fn next(&mut self) -> Option<(Box<Arrived>, Verdict)> {
        if self.arrived.is_some() {
            let verdict = (&mut self.verdict).await.unwrap_or_default();
            return self.arrived.take().map(|it| (it, verdict));
        }
        let _ = (&mut self.task).await;
        None
    }

    /// The session ends in order. Waits for a moment until that is written down, unless the event is settled.
    pub(super) async fn hand_back(self) {
        let Self { session, task, .. } = self;
        drop(session);
        let _ = timeout(SESSION_WAITS, task).await;
    }
}

impl Case {
    async fn run(self, decide: oneshot::Sender<Verdict>, mut ended: oneshot::Receiver<()>) {
        // Few at once: each is blamed for what another one does.
        let partitions = Rc::clone(&self.partitions);
        let _turn = tokio::select! {
            biased;
            _ = &mut ended => return,
            turn = partitions.trials.acquire() => turn,
        };
        let examined = match timeout(EXAMINE_WITHIN, self.examine(&mut ended)).await {
            Ok(examined) => examined,
            Err(_) => Err(SourceError::Failed(format!(
                "queue `{}`: RabbitMQ did not answer within {EXAMINE_WITHIN:?}",
                self.suspects
            ))),
        };
        let publisher = match examined {
            Ok(Examined::Begun(publisher)) => publisher,
            Ok(Examined::Over) => return,
            Ok(Examined::Condemned(workers)) => {
                let _ = decide.send(Some(by_evidence(workers, self.count)));
                return;
            }
            Err(error) => {
                self.partitions.suspects_unknown(&self.settling.source.name, &error);
                let limit = self.partitions.broker.config().delivery_limit;
                let _ = decide.send(by_count(self.count, limit));
                if self.may_be_begun.get() {
                    tokio::task::spawn_local(async move { self.hand_back(None).await });
                }
                return;
            }
        };
        tracing::info!(
            event = "suspect_begun",
            source = self.settling.source.name,
            queue = self.suspects,
            deliveries = self.count,
            "the first event of a partition came back again and again: it is published alone"
        );
        // If the session has ended, it is handed back.
        let _ = decide.send(None);
        tokio::select! {
            biased;
            () = self.settled() => {
                // Its acknowledgement is to be with the broker before anything happens to this worker.
                let _ = timeout(PATIENCE_BEFORE_CLOSE, &mut ended).await;
                // Else it would speak against another event with the same content.
                tokio::task::spawn_local(async move { self.hand_back(Some(publisher)).await });
            }
            // It may have been settled at the same time.
            _ = &mut ended => if !self.is_settled() {
                self.hand_back(Some(publisher)).await;
            },
            // Nobody waits for it, however long that takes.
            () = sleep(LIVES_ON) => {
                tokio::task::spawn_local(async move { self.hand_back(Some(publisher)).await });
            }
        }
    }

    async fn connect(&self) -> Result<Box<ConfirmedPublisher>, SourceError> {
        ConfirmedPublisher::open(&self.partitions.broker, PURPOSE).await.map(Box::new)
    }

    /// Reads what is known, and writes down that the event is begun, if it is to be.
    async fn examine(&self, ended: &mut oneshot::Receiver<()>) -> Result<Examined, SourceError> {
        let broker = &self.partitions.broker;
        let publisher = self.connect().await?;
        if broker.config().declare {
            suspects::declare(publisher.connection(), broker.config(), &self.suspects).await?;
        }
        let mut ledger = Ledger::of(self.fingerprint.clone());
        // What one has got the others don't see.
        let lock = suspects::lock_of(&self.settling.source.queue);
        match exclusive_queue::lock(publisher.connection(), &lock).await {
            // Who may not wait reads all the same.
            Ok(()) | Err(SourceError::AccessRefused(_)) => {}
            Err(error) => return Err(error),
        }
        let read = async |channel: &Channel| self.read(channel, &mut ledger).await;
        on_channel(publisher.connection(), read).await?;
        exclusive_queue::unlock(publisher.connection(), &lock).await;
        if let Some(workers) = ledger.condemns() {
            publisher.close().await;
            return Ok(Examined::Condemned(workers));
        }
        if matches!(ended.try_recv(), Err(TryRecvError::Closed)) {
            return Ok(Examined::Over);
        }
        self.may_be_begun.set(true);
        self.write(&publisher, Entry::Begun).await?;
        Ok(Examined::Begun(publisher))
    }

    /// Reads all records, and puts them back.
    async fn read(&self, channel: &Channel, ledger: &mut Ledger) -> Result<(), SourceError> {
        let amqp = self.partitions.broker.config();
        for _ in 0..MOST_RECORDS {
            let options = BasicGetOptions { no_ack: false };
            let get = channel.basic_get(self.suspects.as_str().into(), options);
            let got = bounded(&format!("reading queue `{}`", self.suspects), get).await?;
            let Some(record) = got else { break };
            let is_believed = author::check(amqp, &record.properties, |key, signature| {
                key.verifies_for_fleet(signature, &self.suspects, &record.data)
            });
            if is_believed.is_ok() {
                ledger.take(&record.data);
            }
        }
        // Before another worker reads.
        let all = BasicNackOptions { multiple: true, requeue: true };
        bounded(&format!("queue `{}`", self.suspects), channel.basic_nack(0, all)).await
    }

    async fn write(&self, to: &ConfirmedPublisher, entry: Entry) -> Result<(), SourceError> {
        let broker = &self.partitions.broker;
        let record = self.fingerprint.record(entry);
        let body = record.as_bytes();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let sign = |it: &SigningKey| it.sign_for_fleet(&self.suspects, body);
        let properties = author::vouched_on(broker, properties, sign);
        let sent = to.publish_unless_blocked(("", &self.suspects), (body, properties)).await;
        sent.map_err(|error| error.of_queue(&self.suspects))
    }

    /// Writes down that this worker lives, and has the event no more, or longer than it would take to die of it.
    async fn hand_back(&self, mut publisher: Option<Box<ConfirmedPublisher>>) {
        let until = Instant::now() + HAND_BACK_WITHIN;
        loop {
            let written = async {
                let open = match publisher.take() {
                    Some(open) => open,
                    None => self.connect().await?,
                };
                self.write(&open, Entry::HandedBack).await?;
                open.close().await;
                Ok::<_, SourceError>(())
            };
            match written.await {
                Ok(()) => return,
                Err(error) if Instant::now() >= until => {
                    tracing::debug!(event = "suspect_not_handed_back", %error, "that a suspected event was handed back is not written down");
                    return;
                }
                Err(_) => sleep(TRY_AGAIN).await,
            }
        }
    }

    fn is_settled(&self) -> bool {
        self.settling.tracker.borrow().acked_up_to() >= self.tag
    }

    async fn settled(&self) {
        while !self.is_settled() {
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// What comes of a look at the records.
enum Examined {
    /// The event is written down as begun.
    Begun(Box<ConfirmedPublisher>),
    /// So many workers ended with it.
    Condemned(usize),
    /// The session has ended meanwhile.
    Over,
}
