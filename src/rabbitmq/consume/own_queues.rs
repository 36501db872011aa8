//! Says what is wrong with queues that are used as they are (`amqp.declare = false`): at a worker's start, and again when they may have
//! been created anew.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::config::Source;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::arguments::{self, QueueArguments};
use crate::rabbitmq::topology::consumer_timeout;
use crate::rabbitmq::topology::fitness::{self, Fitness, JUDGE_AGAIN, Judgement};
use crate::rabbitmq::topology::order_arguments::OrderArguments;
use crate::rabbitmq::topology::stream::{self, Purpose};

/// What is known of a source's queue that is used as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsedAsIs {
    /// Only one of its consumers gets messages. `None`: that can't be told.
    pub(super) is_single_active: Option<bool>,
    /// How long its consumer may hold a delivery, where the broker goes by that.
    pub(super) timeout: Option<Duration>,
}

/// What is known of a source's queues, from one session to the next.
#[derive(Debug, Default)]
pub(super) struct OwnQueues {
    /// All sources have the same dead-letter queue; one of them says what is wrong with it.
    judges_dead_letters: bool,
    /// By name.
    judged: RefCell<BTreeMap<String, Judged>>,
}

#[derive(Debug, Clone, Default)]
struct Judged {
    judgement: Judgement,
    /// What the arguments for order mean, where they are not as `run` would declare them.
    deviation: Option<String>,
    /// How long a consumer may hold a delivery, where the arguments can't be told.
    hidden_timeout: Option<Duration>,
    /// When that was found, if it holds still.
    at: Option<Instant>,
}

/// Where the queues are looked at.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) broker: &'a Broker,
    pub(super) connection: &'a BrokerConnection,
    pub(super) source: &'a Source,
}

impl OwnQueues {
    /// Of the source that says what is wrong with the dead-letter queue, too.
    pub(super) fn with_dead_letters() -> Self {
        Self { judges_dead_letters: true, ..Self::default() }
    }

    /// All is judged again at the next session, as on another version of the broker, on which it means something else. What was logged
    /// before is not logged again.
    pub(super) fn doubt(&self) {
        for judged in self.judged.borrow_mut().values_mut() {
            judged.at = None;
        }
    }

    /// Looks at all queues of the source, as a session begins, and logs what is wrong with them. Returns what is known of the source's own.
    ///
    /// # Errors
    ///
    /// A queue that the source publishes to is a stream.
    pub(super) async fn look(&self, place: Place<'_>) -> Result<UsedAsIs, SourceError> {
        let Place { broker, connection, source } = place;
        for (purpose, queue) in stream::targets(broker.config(), source) {
            self.look_at(place, purpose, queue).await?;
        }
        let Judged { judgement, hidden_timeout, .. } =
            self.look_at(place, Purpose::Events, &source.queue).await?;
        let timeout = match &judgement.known {
            Some(known) => consumer_timeout::of(connection, known.kind(), broker.config()),
            None => hidden_timeout,
        };
        let is_single_active = judgement.known.as_ref().map(fitness::is_single_active);
        Ok(UsedAsIs { is_single_active, timeout })
    }

    /// Looks again from time to time at those that the source publishes to: only its own queue ends the session if it is deleted.
    pub(super) async fn keep_looking(&self, place: Place<'_>) {
        loop {
            sleep(JUDGE_AGAIN).await;
            for (purpose, queue) in stream::targets(place.broker.config(), place.source) {
                if let Err(refusal) = self.look_at(place, purpose, queue).await {
                    // The next session will be refused.
                    let judgement = Judgement { known: None, problem: Some(refusal.to_string()) };
                    self.note(place.source, queue, Judged { judgement, ..Judged::default() });
                }
            }
        }
    }

    async fn look_at(
        &self,
        place: Place<'_>,
        purpose: Purpose,
        queue: &str,
    ) -> Result<Judged, SourceError> {
        let Place { connection, .. } = place;
        let before = self.judged.borrow().get(queue).cloned().unwrap_or_default();
        match (&before.judgement.known, before.at) {
            // RabbitMQ logs nothing of this question.
            (Some(known), Some(_)) if arguments::is_still(connection, queue, known).await => {
                return Ok(before);
            }
            // Of the questions that follow it does.
            (None, Some(at)) if at.elapsed() < JUDGE_AGAIN => return Ok(before),
            _ => {}
        }
        if purpose != Purpose::Events {
            stream::refuse(connection, [(purpose, queue)]).await?;
        }
        let judged = self.judge(place, purpose).await;
        // Else that nothing is known is the connection's fault.
        if connection.status().connected() {
            self.note(place.source, queue, judged.clone());
        }
        Ok(judged)
    }

    /// Logs a problem, unless that is known.
    fn note(&self, source: &Source, queue: &str, mut judged: Judged) {
        judged.at = Some(Instant::now());
        let mut all = self.judged.borrow_mut();
        let before = all.remove(queue).unwrap_or_default();
        let problem = judged.judgement.problem.clone();
        if let Some(problem) = problem.filter(|it| before.judgement.problem.as_ref() != Some(it)) {
            tracing::warn!(
                event = "queue_unfit",
                source = source.name,
                queue,
                problem,
                "queue that is used as it is (amqp.declare = false) has not the arguments that keep every event"
            );
        }
        let deviation = judged.deviation.as_ref();
        if let Some(deviation) = deviation.filter(|it| before.deviation.as_ref() != Some(it)) {
            log_deviation(source, deviation);
        }
        if judged.judgement.known.is_none() {
            // It may be what it was.
            judged.judgement.problem = judged.judgement.problem.or(before.judgement.problem);
            judged.deviation = before.deviation;
        }
        all.insert(queue.to_owned(), judged);
    }

    async fn judge(&self, place: Place<'_>, purpose: Purpose) -> Judged {
        let Place { broker, connection, source } = place;
        let judgement = match (purpose, &source.parking) {
            (Purpose::Events, _) => return judge_events(place).await,
            // Where the queue does not exist, nothing is parked, as `check` says.
            (Purpose::Parked, Some(parking)) => {
                fitness::parking(broker.config(), connection, source, parking)
                    .await
                    .unwrap_or_default()
            }
            (Purpose::Parked, None) => Judgement::default(),
            (Purpose::DeadLetters, _) => self.judge_dead_letters(place).await,
        };
        Judged { judgement, ..Judged::default() }
    }

    async fn judge_dead_letters(&self, place: Place<'_>) -> Judgement {
        let Place { broker, connection, .. } = place;
        let queue = &broker.config().dead_letter_queue;
        let ours = topology::dead_letter_arguments(broker.config().queue_type);
        let ours = QueueArguments::durable(ours);
        if !self.judges_dead_letters {
            let is_ours = connection.server().refuses_wrong_arguments()
                && arguments::is_still(connection, queue, &ours).await;
            return Judgement { known: is_ours.then_some(ours), problem: None };
        }
        let known = fitness::known(connection, queue, ours).await.ok();
        let problem = known.as_ref().and_then(fitness::of_dead_letters);
        Judgement { known, problem }
    }
}

async fn judge_events(Place { broker, connection, source }: Place<'_>) -> Judged {
    let (amqp, queue) = (broker.config(), &source.queue);
    let ours = QueueArguments::durable(topology::queue_arguments(amqp, source));
    let Ok(known) = fitness::known(connection, queue, ours).await else {
        let hidden_timeout = consumer_timeout::of_hidden(connection, queue, amqp).await;
        return Judged { hidden_timeout, ..Judged::default() };
    };
    let problem = match fitness::events(amqp, connection, &known).await {
        Fitness::Unfit(problem) => Some(problem),
        Fitness::Fit | Fitness::Unknown(_) => None,
    };
    let deviation = OrderArguments::deviation_of(&known, source);
    let judgement = Judgement { known: Some(known), problem };
    Judged { judgement, deviation, ..Judged::default() }
}

/// A queue has other arguments for order than `run` would declare.
pub(super) fn log_deviation(source: &Source, deviation: &str) {
    tracing::warn!(
        event = "queue_adopted",
        source = source.name,
        queue = source.queue,
        deviation,
        "queue was declared with other arguments for order, and is used as it is"
    );
}
