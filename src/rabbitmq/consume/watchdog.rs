//! The watchdog of a consumer without deliveries: checks whether the queue is empty or the broker has lost the consumer.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::rabbitmq::topology::queue_state::QueueState;

/// After so many times its patience without anything that comes, the session is renewed. RabbitMQ 3.10 can
/// hand events to a consumer and not deliver them, without a sign: where a queue was deleted
/// and declared again within some 20 ms, it takes the consumer over, and the channel does not.
const RENEWED_AFTER: u32 = 10;

/// Between two looks at a queue with a single active consumer, until it is known that this is a standby. A quiet standby is soon
/// told from a worker that waits for events.
const OF_SINGLE_ACTIVE: Duration = Duration::from_secs(2);

/// What a source's sessions leave to the next one.
#[derive(Debug, Default)]
pub(in crate::rabbitmq) struct Past {
    /// Sessions in a row to which nothing came though there was something.
    silences: Cell<u32>,
    /// Another consumer is the single active one.
    is_standby: Cell<bool>,
}

/// Rings when it is time to look at the queue.
#[derive(Debug)]
pub(in crate::rabbitmq) struct Watchdog {
    patience: Duration,
    /// The queue has a single active consumer.
    is_single: bool,
    past: Rc<Past>,
    alarm: Pin<Box<Sleep>>,
    /// Something came since the last alarm.
    heard: bool,
    /// For how long nothing has come, by alarms.
    silent: Duration,
    /// The last look found messages that did not come.
    suspicious: bool,
}

/// What a look has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Suspicion {
    None,
    /// Twice in a row messages waited and did not come, though there is room.
    Passed,
    /// The same, and this is a standby although the queue has no consumer, which would be the active one.
    Forgotten,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rabbitmq) enum Verdict {
    Nothing,
    /// See whether something waits in the queue.
    Look,
    /// Make room for another session.
    Renew,
}

impl Watchdog {
    /// Looks after `patience` in which nothing has come. While sessions are lost by that, one after
    /// the other, it looks less and less often: something else may be odd about the queue.
    pub(in crate::rabbitmq) fn new(patience: Duration, past: Rc<Past>) -> Self {
        let patience = patience * 2_u32.pow(past.silences.get().min(7));
        let alarm = Box::pin(sleep(patience));
        let silent = Duration::ZERO;
        Self { patience, is_single: false, past, alarm, heard: false, silent, suspicious: false }
    }

    /// The same for a queue that is known to have a single active consumer.
    pub(in crate::rabbitmq) fn of_single_active(self, is_single: bool) -> Self {
        let mut watch = Self { is_single, ..self };
        let first = Instant::now() + watch.until_alarm();
        watch.alarm.as_mut().reset(first);
        watch
    }

    fn until_alarm(&self) -> Duration {
        if self.is_single && !self.is_standby() {
            self.patience.min(OF_SINGLE_ACTIVE)
        } else {
            self.patience
        }
    }

    /// Something came. Returns whether this was a standby until now.
    pub(in crate::rabbitmq) fn hear(&mut self) -> bool {
        self.heard = true;
        self.past.is_standby.take()
    }

    /// Whether another consumer is the single active one, as far as is known.
    pub(in crate::rabbitmq) fn is_standby(&self) -> bool {
        self.past.is_standby.get()
    }

    /// Another consumer is the single active one of the queue, so silence is no fault. Returns whether that is new.
    pub(in crate::rabbitmq) fn stand_by(&mut self) -> bool {
        self.past.silences.set(0);
        self.suspicious = false;
        !self.past.is_standby.replace(true)
    }

    /// Whether the sessions before were lost to silence, too.
    pub(in crate::rabbitmq) fn is_silent_again(&self) -> bool {
        self.past.silences.get() > 1
    }

    /// May be dropped while it waits.
    pub(in crate::rabbitmq) async fn alarm(&mut self) {
        self.alarm.as_mut().await;
        let next = Instant::now() + self.until_alarm();
        self.alarm.as_mut().reset(next);
    }

    /// The alarm has rung; so many deliveries are unacknowledged, of as many as there may be.
    pub(in crate::rabbitmq) fn judge(&mut self, unacknowledged: usize, prefetch: u16) -> Verdict {
        if self.heard {
            (self.heard, self.silent, self.suspicious) = (false, Duration::ZERO, false);
            self.past.silences.set(0);
            return Verdict::Nothing;
        }
        self.silent += self.until_alarm();
        match unacknowledged {
            // A standby, too: it may be the active consumer, and forgotten.
            0 if self.silent > RENEWED_AFTER * self.patience => Verdict::Renew,
            some if some < usize::from(prefetch) => Verdict::Look,
            _ => Verdict::Nothing,
        }
    }

    /// A look has found this.
    pub(in crate::rabbitmq) fn suspects(&mut self, state: QueueState) -> Suspicion {
        let silent = state.ready > 0 && !self.heard && !(self.is_standby() && state.consumers > 0);
        let twice = silent && self.suspicious;
        self.suspicious = silent;
        if !twice {
            return Suspicion::None;
        }
        self.past.silences.set(self.past.silences.get() + 1);
        if self.is_standby() { Suspicion::Forgotten } else { Suspicion::Passed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn watch() -> Watchdog {
        Watchdog::new(PATIENCE, Rc::default())
    }

    fn waiting(ready: u32) -> QueueState {
        QueueState { ready, consumers: 1 }
    }

    #[tokio::test(start_paused = true)]
    async fn messages_that_wait_twice_while_nothing_comes_never_will() {
        let mut watch = watch();
        assert_eq!(watch.judge(0, 10), Verdict::Look);
        assert_eq!(watch.suspects(waiting(3)), Suspicion::None);
        assert_eq!(watch.judge(0, 10), Verdict::Look);
        assert_eq!(watch.suspects(waiting(3)), Suspicion::Passed);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_between_two_looks_allays_the_suspicion() {
        let mut watch = watch();
        watch.judge(0, 10);
        assert_eq!(watch.suspects(waiting(3)), Suspicion::None);
        watch.hear();
        assert_eq!(watch.suspects(waiting(3)), Suspicion::None);
        assert_eq!(watch.judge(0, 10), Verdict::Nothing);
        watch.judge(0, 10);
        assert_eq!(watch.suspects(waiting(3)), Suspicion::None);
        watch.judge(0, 10);
        assert_eq!(watch.suspects(waiting(0)), Suspicion::None);
        watch.judge(0, 10);
        assert_eq!(watch.suspects(waiting(3)), Suspicion::None);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_suspected_of_what_there_is_no_room_for() {
        let mut watch = watch();
        for _ in 0..100 {
            assert_eq!(watch.judge(10, 10), Verdict::Nothing);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_renewed_only_after_long_with_nothing_to_do() {
        let mut watch = watch();
        for _ in 0..RENEWED_AFTER {
            assert_eq!(watch.judge(0, 10), Verdict::Look);
        }
        assert_eq!(watch.judge(1, 10), Verdict::Look, "one is open");
        assert_eq!(watch.judge(0, 10), Verdict::Renew);
        watch.hear();
        assert_eq!(watch.judge(0, 10), Verdict::Nothing);
        assert_eq!(watch.judge(0, 10), Verdict::Look);
    }

    #[tokio::test(start_paused = true)]
    async fn after_sessions_that_were_lost_in_vain_it_looks_less_often() {
        let past = Rc::<Past>::default();
        let mut waited = Vec::new();
        for _ in 0..3 {
            let mut watch = Watchdog::new(PATIENCE, Rc::clone(&past));
            let began = Instant::now();
            for _ in 0..2 {
                watch.alarm().await;
                watch.judge(0, 10);
                watch.suspects(waiting(1));
            }
            waited.push(began.elapsed());
        }
        assert_eq!(waited, [2, 4, 8].map(|times| times * PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_is_not_suspected_while_another_one_consumes_and_is_renewed_as_a_standby() {
        let past = Rc::<Past>::default();
        let mut watch = Watchdog::new(PATIENCE, Rc::clone(&past));
        assert!(watch.stand_by() && !watch.stand_by());
        for _ in 0..RENEWED_AFTER {
            assert_eq!(watch.judge(0, 10), Verdict::Look);
            assert_eq!(watch.suspects(waiting(3)), Suspicion::None);
        }
        assert_eq!(watch.judge(0, 10), Verdict::Renew);
        let mut watch = Watchdog::new(PATIENCE, past);
        assert!(watch.is_standby() && !watch.stand_by());
        let without_consumer = QueueState { ready: 3, consumers: 0 };
        assert_eq!(watch.suspects(without_consumer), Suspicion::None);
        assert_eq!(watch.suspects(waiting(3)), Suspicion::None);
        assert_eq!(watch.suspects(without_consumer), Suspicion::None);
        assert_eq!(watch.suspects(without_consumer), Suspicion::Forgotten);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_with_a_single_active_consumer_is_looked_at_soon_and_renewed_as_any_other() {
        let mut watch = watch().of_single_active(true);
        let began = Instant::now();
        for suspicion in [Suspicion::None, Suspicion::Passed] {
            watch.alarm().await;
            assert_eq!(watch.judge(0, 10), Verdict::Look);
            assert_eq!(watch.suspects(waiting(3)), suspicion);
        }
        assert_eq!(began.elapsed(), 2 * OF_SINGLE_ACTIVE);
        while watch.judge(0, 10) == Verdict::Look {
            watch.alarm().await;
        }
        let lasted = RENEWED_AFTER * PATIENCE;
        assert!(began.elapsed() >= lasted && began.elapsed() < lasted + PATIENCE);
        assert!(watch.stand_by());
        let began = Instant::now();
        watch.alarm().await;
        watch.alarm().await;
        assert!(began.elapsed() > PATIENCE, "a standby is looked at as any other");
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_to_which_something_comes_is_watched_as_any_other() {
        let mut watch = watch();
        watch.stand_by();
        assert!(watch.hear() && !watch.hear());
        assert_eq!(watch.judge(0, 10), Verdict::Nothing);
        watch.judge(0, 10);
        assert_eq!(watch.suspects(waiting(3)), Suspicion::None);
        watch.judge(0, 10);
        assert_eq!(watch.suspects(waiting(3)), Suspicion::Passed);
    }
}
