//! What keeps dead letters from being published, and when the log tells of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::observe::incidents::{Announcement, IncidentKind, Incidents};
use crate::outcome::SourceError;

/// The trouble with the dead-letter exchange, as long as there is any.
#[derive(Debug)]
pub(super) struct Trouble {
    exchange: String,
    incidents: Rc<Incidents>,
    /// What the last try met.
    now: RefCell<Option<String>>,
    /// A line has told of it.
    is_told: Cell<bool>,
}

impl Trouble {
    pub(super) fn new(exchange: &str) -> Self {
        let (incidents, now, is_told) = Default::default();
        Self { exchange: exchange.to_owned(), incidents, now, is_told }
    }

    pub(super) fn announced_by(self, incidents: Rc<Incidents>) -> Self {
        Self { incidents, ..self }
    }

    pub(super) fn is_there(&self) -> bool {
        self.now.borrow().is_some()
    }

    /// A try has failed.
    pub(super) fn failed(&self, error: &SourceError) {
        self.now.replace(Some(error.to_string()));
        let told = self.incidents.lasts(IncidentKind::CannotDeadLetter, &self.exchange, error);
        if let Some(Announcement { count: since_last_line, .. }) = told {
            self.is_told.set(true);
            tracing::error!(
                event = "cannot_dead_letter",
                %error,
                since_last_line,
                "cannot dead-letter: the originals stay unacknowledged; trying again"
            );
        }
    }

    /// A try waits, which is told as long as it does, and so is no further try.
    pub(super) fn waits(&self, why: &SourceError) {
        if self.now.borrow().as_deref() != Some(&why.to_string()) {
            self.failed(why);
        }
    }

    /// A try has succeeded.
    pub(super) fn over(&self) {
        if self.now.take().is_none() {
            return;
        }
        self.incidents.ended(IncidentKind::CannotDeadLetter, &self.exchange);
        if self.is_told.take() {
            tracing::info!(event = "dead_letters_taken_again", "broker takes dead letters again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::*;

    fn refused() -> SourceError {
        SourceError::Failed("the dead-letter queue is full".to_owned())
    }

    fn rest(trouble: &Trouble) -> u64 {
        trouble.incidents.rest(Instant::now()).iter().map(|it| it.count).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_goes_is_told_once_a_minute_and_its_end_only_if_its_beginning_was() {
        let trouble = Trouble::new("dead");
        let mut told = 0;
        for _ in 0..60 {
            trouble.failed(&refused());
            assert!(trouble.is_there());
            told += u32::from(trouble.is_told.get());
            trouble.over();
            assert!(!trouble.is_there() && !trouble.is_told.get());
            advance(Duration::from_secs(10)).await;
        }
        assert_eq!(told, 10);
        assert_eq!(rest(&trouble), 5, "those since the last line");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_incident_is_told_at_once_however_long_the_first_one_was() {
        let trouble = Trouble::new("dead");
        for _ in 0..1000 {
            trouble.failed(&refused());
            advance(Duration::from_secs(30)).await;
        }
        trouble.over();
        advance(Duration::from_mins(2)).await;
        trouble.failed(&refused());
        assert!(trouble.is_told.get());
    }

    /// The alarm is told each second.
    #[tokio::test(start_paused = true)]
    async fn a_try_that_waits_for_long_is_one() {
        let trouble = Trouble::new("dead");
        for _ in 0..10_000 {
            trouble.waits(&refused());
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(rest(&trouble), 0);
        assert!(trouble.is_told.get(), "its end will be told");
    }
}
