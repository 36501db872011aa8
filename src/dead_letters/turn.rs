//! Whose turn it is: one operation at a time has the dead letters, by the browser's lock. What changes them, and finds that a replay
//! has them, is refused with words about that replay instead of waiting for its end; the fleet's reports say who runs it. The reports
//! are only words: nothing is refused while the lock is free.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use super::{DeadLetters, DeadLettersError};
use crate::fleet::{Link, SharedMembers};
use crate::rabbitmq::browse::WaitOptions;

/// Between two looks at what the fleet says.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// So long it listens before it tells who replays: a command that has just begun to listen has not heard all workers before, by whose
/// names it tells them apart.
const LISTENS: Duration = Duration::from_millis(1200);

/// Until then whoever has the letters should have been heard: connecting, and two reports.
const HEARS_WITHIN: Duration = Duration::from_secs(3);

/// For others to end, where a replay waits and nobody says what they do. A list or a search takes seconds.
const PATIENCE_OF_A_REPLAY: Duration = Duration::from_secs(30);

/// How an operation waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Until whoever has the letters has ended, replay or not.
    Patient,
    /// The same, but refused behind a replay.
    NotBehindReplay,
    /// A replay: refused behind another one, and, where nobody says who has the letters, after a while.
    Replay,
}

impl DeadLetters {
    /// Opens a browser when it is its turn.
    pub(super) async fn in_turn<T>(
        &self,
        turn: Turn,
        open: impl AsyncFnOnce(&WaitOptions) -> Result<T, DeadLettersError>,
    ) -> Result<T, DeadLettersError> {
        if turn == Turn::Patient {
            return open(&self.wait_options).await;
        }
        let in_line = &self.in_line;
        let entered = in_line.clone();
        let waits = Arc::new(move |waits| _ = entered.send_replace(waits));
        let wait_options = WaitOptions { waits, ..self.wait_options };
        let opened = tokio::select! {
            opened = open(&wait_options) => opened,
            refusal = self.refused(turn, in_line.subscribe()) => Err(refusal),
        };
        in_line.send_replace(false);
        opened
    }

    /// Whether an operation waits in line.
    pub(crate) fn in_line(&self) -> watch::Receiver<bool> {
        self.in_line.subscribe()
    }

    /// Ends when the operation is refused. Meanwhile it tells whoever is to be told that it waits.
    async fn refused(&self, turn: Turn, mut in_line: watch::Receiver<bool>) -> DeadLettersError {
        loop {
            // The other end is in `self`.
            let _ = in_line.wait_for(|it| *it).await;
            let told = WaitTold { waits: &*self.wait_options.waits, is_told: false };
            let waiting = self.wait_in_line(turn, told);
            tokio::select! {
                refusal = waiting => return refusal,
                _ = in_line.wait_for(|it| !*it) => {}
            }
        }
    }

    async fn wait_in_line(&self, turn: Turn, mut told: WaitTold<'_>) -> DeadLettersError {
        let began = Instant::now();
        loop {
            let waited = began.elapsed();
            let replay = || self.replay_of_another(self.fleet.as_ref()?);
            if waited >= LISTENS
                && let Some(words) = replay()
            {
                return DeadLettersError::Replaying(words);
            }
            if waited >= HEARS_WITHIN {
                told.tell();
            }
            if turn == Turn::Replay
                && waited >= PATIENCE_OF_A_REPLAY.min(self.wait_options.patience)
            {
                return DeadLettersError::Replaying(self.unknown_holder(waited));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn replay_of_another(&self, fleet: &SharedMembers) -> Option<String> {
        let replaying = fleet.lock().replay_of_another(self.queue(), Instant::now())?;
        Some(format!(
            "another replay of queue `{}` is running, and one runs at a time: {}. Wait until it has ended, or stop it where it was \
             started",
            self.queue(),
            replaying.words()
        ))
    }

    fn unknown_holder(&self, waited: Duration) -> String {
        let (queue, seconds) = (self.queue(), waited.as_secs());
        let is_heard = self.fleet.as_ref().is_some_and(|it| *it.lock().link() == Link::Joined);
        let who = if is_heard {
            "and the fleet hears of no replay: it is an export, a discard, or a replay that may not tell"
        } else {
            "probably another replay, of which one runs at a time; the fleet is not heard here, so it is not known which one"
        };
        format!(
            "somebody else has had queue `{queue}` for {seconds} s, {who}. `event-pusher-sns fleet status` and the page of any worker \
             show replays; try again when it has ended"
        )
    }
}

/// Tells once that a wait has begun, and then that it is over.
struct WaitTold<'a> {
    waits: &'a (dyn Fn(bool) + Send + Sync),
    is_told: bool,
}

impl WaitTold<'_> {
    fn tell(&mut self) {
        if !std::mem::replace(&mut self.is_told, true) {
            (self.waits)(true);
        }
    }
}

impl Drop for WaitTold<'_> {
    fn drop(&mut self) {
        if self.is_told {
            (self.waits)(false);
        }
    }
}
