//! Keeps events of what operators have paused from being published, and tells sources when to stop consuming.
//!
//! A pause is no hold: nothing probes, no circuit opens, and it ends at its time or by an operator's command.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::arn::TopicArn;
use crate::fleet::pauses::{Change, Command, Ignored, Pause, PausedTargets, Target};

/// For an attempt to read what is paused, while it is not known whether there is a broker.
const ATTEMPTED_WITHIN: Duration = Duration::from_secs(5);

/// A source that begins waits for so long at most to learn what is paused. A broker that has just begun answers for its queues
/// some seconds before its streams can be read.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);

/// How often the clock is read while something is paused: pauses end by the clock, which may be set.
const LOOK: Duration = Duration::from_secs(1);

/// What is paused in the fleet.
pub struct PauseGate {
    targets: RefCell<PausedTargets>,
    /// Those that have not ended.
    running: watch::Sender<Vec<Pause>>,
    /// Whether there are any: what each event asks.
    any: Cell<bool>,
    knowledge: watch::Sender<Knowledge>,
    /// A source wants to begin and does not know what is paused.
    asked: Notify,
    warned: Cell<bool>,
    /// Events that wait, by topic.
    waiting: RefCell<HashMap<TopicArn, Rc<()>>>,
    clock: Box<dyn Fn() -> Timestamp>,
}

/// What a worker knows of the fleet's pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    /// Nothing yet, after so many failures to read.
    Unknown(u64),
    /// All.
    Known,
    /// Nobody can pause anything here.
    Without,
}

impl Default for PauseGate {
    /// Nothing is paused, and nobody can pause anything.
    fn default() -> Self {
        Self::by_clock(Timestamp::now)
    }
}

impl PauseGate {
    fn by_clock(clock: impl Fn() -> Timestamp + 'static) -> Self {
        let (targets, any, asked, warned, waiting) = Default::default();
        Self {
            targets,
            running: watch::Sender::new(Vec::new()),
            any,
            knowledge: watch::Sender::new(Knowledge::Without),
            asked,
            warned,
            waiting,
            clock: Box::new(clock),
        }
    }

    /// By the clock of tokio, which tests pause.
    #[cfg(test)]
    pub(crate) fn under_a_paused_clock() -> Self {
        let began = RefCell::new(None);
        Self::by_clock(move || {
            let began = *began.borrow_mut().get_or_insert_with(tokio::time::Instant::now);
            let passed = jiff::SignedDuration::try_from(began.elapsed()).unwrap();
            Timestamp::from_second(1_800_000_000).unwrap() + passed
        })
    }

    /// The time by which pauses end.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// From now on it is not known what is paused, until it is [learnt](Self::learnt).
    pub fn expect(&self) {
        self.knowledge.send_replace(Knowledge::Unknown(0));
    }

    /// Reading what is paused has failed. What was known before stays.
    pub fn failed(&self) {
        self.knowledge.send_modify(|it| {
            if let Knowledge::Unknown(failures) = it {
                *failures += 1;
            }
        });
    }

    /// Nobody can pause anything. What was known before stays.
    pub fn does_without(&self) {
        self.knowledge.send_modify(|it| {
            if matches!(it, Knowledge::Unknown(_)) {
                *it = Knowledge::Without;
            }
        });
    }

    /// All commands of before make this state: those that come now are new. A pause that is known and of which these commands say
    /// nothing stays: RabbitMQ has forgotten it, as where somebody deletes the stream or fills it.
    pub fn learnt(&self, mut targets: PausedTargets) {
        let before = self.running();
        for pause in
            before.iter().filter(|it| !targets.tells_of(&it.target)).cloned().collect::<Vec<_>>()
        {
            let Pause { target, by, until, .. } = &pause;
            tracing::warn!(
                event = "pause_forgotten",
                what = %target,
                %by,
                %until,
                "RabbitMQ no longer has a pause that this worker knows: it goes on until its end here, and workers that start don't know it; \
                 pause it again, or resume it"
            );
            targets.keep(pause);
        }
        self.targets.replace(targets);
        self.refresh();
        let running = self.running();
        running.iter().filter(|it| !before.contains(it)).for_each(log_paused);
        let is_over = |it: &&Pause| !running.iter().any(|now| now.target == it.target);
        for Pause { target, .. } in before.iter().filter(is_over) {
            let by = "an operator, while this worker could not read";
            tracing::info!(event = "resumed", what = %target, by, "resumed by an operator");
        }
        self.knowledge.send_replace(Knowledge::Known);
    }

    /// Does what a command of this fleet says.
    ///
    /// # Errors
    ///
    /// Why it has no effect.
    pub fn apply(&self, command: &Command, fleet: &str) -> Result<(), Ignored> {
        let change = self.targets.borrow_mut().apply(command, fleet)?;
        match &change {
            Change::None => return Ok(()),
            Change::Paused(pause) => log_paused(pause),
            Change::Resumed(Pause { target, .. }) => {
                tracing::info!(event = "resumed", what = %target, by = %command.by, "resumed by an operator");
            }
        }
        self.refresh();
        Ok(())
    }

    /// Brings up to date what is running.
    fn refresh(&self) {
        let running = self.targets.borrow().running(self.now());
        self.any.set(!running.is_empty());
        self.running.send_if_modified(|before| {
            let is_other = *before != running;
            *before = running;
            is_other
        });
    }

    /// Ends pauses at their time.
    pub async fn end_in_time(&self) {
        let mut changed = self.running.subscribe();
        loop {
            let before = changed.borrow_and_update().clone();
            let now = self.now();
            for Pause { target, by, .. } in before.iter().filter(|it| it.until <= now) {
                tracing::info!(event = "pause_over", what = %target, %by, "a pause has ended at its time");
            }
            if before.iter().any(|it| it.until <= now) {
                self.refresh();
                continue;
            }
            let left = before.iter().map(|it| it.until.duration_since(now)).min();
            let left = left.map(|it| Duration::try_from(it).unwrap_or_default().min(LOOK));
            tokio::select! {
                _ = changed.changed() => {}
                () = sleep(left.unwrap_or(LOOK)), if left.is_some() => {}
            }
        }
    }

    /// Waits until it is known what is paused, or until an attempt to read it has failed, for some seconds at most.
    pub async fn attempted(&self) {
        let mut knowledge = self.knowledge.subscribe();
        let before = *knowledge.borrow_and_update();
        if matches!(before, Knowledge::Unknown(_)) {
            self.asked.notify_one();
            let attempted = knowledge.wait_for(|it| *it != before);
            let _ = timeout(ATTEMPTED_WITHIN, attempted).await;
        }
    }

    /// Waits until it is known what is paused, however often it can't be read, for some seconds at most; once in the life of a
    /// worker, since without it a worker would be silent for as long at each session.
    pub async fn known(&self) {
        if self.is_known() || self.warned.get() {
            return;
        }
        self.asked.notify_one();
        let mut knowledge = self.knowledge.subscribe();
        let known = knowledge.wait_for(|it| !matches!(it, Knowledge::Unknown(_)));
        if timeout(KNOWN_WITHIN, known).await.is_err() && !self.warned.replace(true) {
            tracing::warn!(
                event = "pauses_unknown",
                "what is paused in the fleet could not be read in time; the worker consumes, and stops what is paused when it knows"
            );
        }
    }

    /// Whether nothing more is to be learnt.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(*self.knowledge.borrow(), Knowledge::Unknown(_))
    }

    /// Waits until a source asks what is paused and that is not known.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// What is paused now.
    #[must_use]
    pub fn running(&self) -> Vec<Pause> {
        self.running.borrow().clone()
    }

    /// Whether a topic is paused by itself.
    #[must_use]
    pub fn pauses_topic(&self, topic: &TopicArn) -> bool {
        self.any.get() && is_topic_in(&self.running.borrow(), topic)
    }

    /// Whether a source, or everything, is paused.
    #[must_use]
    pub fn pauses_source(&self, source: &str) -> bool {
        self.any.get() && is_source_in(&self.running.borrow(), source)
    }

    /// Waits until a topic is not paused.
    pub async fn topic_resumed(&self, topic: &TopicArn) {
        let mut running = self.running.subscribe();
        // Whoever could resume it being gone, there is nothing left to publish for.
        let _ = running.wait_for(|it| !is_topic_in(it, topic)).await;
    }

    /// Waits until a source, or everything, is paused.
    pub async fn source_paused(&self, source: &str) {
        let _ = self.running.subscribe().wait_for(|it| is_source_in(it, source)).await;
    }

    /// Waits until neither a source nor everything is paused.
    pub async fn source_resumed(&self, source: &str) {
        let _ = self.running.subscribe().wait_for(|it| !is_source_in(it, source)).await;
    }

    /// Counts an event among those that wait for a topic, for as long as this is kept.
    pub(super) fn wait(&self, topic: &TopicArn) -> Rc<()> {
        Rc::clone(self.waiting.borrow_mut().entry(topic.clone()).or_default())
    }

    /// How many events of this worker wait for a topic that is paused.
    #[must_use]
    pub fn waiting(&self, topic: &str) -> usize {
        let waiting = self.waiting.borrow();
        let of_it = waiting.iter().filter(|(it, _)| it.as_str() == topic);
        of_it.map(|(_, count)| Rc::strong_count(count) - 1).sum()
    }
}

fn is_topic_in(running: &[Pause], topic: &TopicArn) -> bool {
    running.iter().any(|it| matches!(&it.target, Target::Topic(arn) if arn == topic.as_str()))
}

fn is_source_in(running: &[Pause], source: &str) -> bool {
    running.iter().any(|it| match &it.target {
        Target::Everything => true,
        Target::Source(name) => name == source,
        Target::Topic(_) => false,
    })
}

fn log_paused(pause: &Pause) {
    let Pause { target, by, reason, until, .. } = pause;
    tracing::warn!(event = "paused", what = %target, %by, reason, %until, "paused by an operator");
}

impl fmt::Debug for PauseGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PauseGate").field("running", &self.running).finish_non_exhaustive()
    }
}
