//! Rate limiter for log lines about incidents: the first at once, then at most one line a minute for each cause, with a count.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::untrusted::one_line;

/// Between two lines about one cause.
pub(crate) const QUIET: Duration = Duration::from_mins(1);

/// Between two looks for counts that no line has told.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Causes that are kept, besides one for all others.
const MOST: usize = 50;

/// Bytes of an error that are kept.
const LONGEST: usize = 300;

/// What stands for all causes beyond [`MOST`].
const OTHERS: &str = "others";

/// What kind of incident it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentKind {
    /// An event was dead-lettered: the place is its source, the cause the reason.
    DeadLettered,
    /// A request to SNS failed, wholly or in part: the place is its topic, the cause the result.
    RequestFailed,
    /// A circuit opened: the place is the circuit, the cause its scope.
    Held,
    /// Parts of an event's JSON were replaced: the place is its source.
    Mended,
    /// A held topic used up its share of the prefetch: the place is the source, the cause the topic.
    ShareUsed,
    /// A source handed everything back: the place is the source, the cause what it waited for.
    HandedBack,
}

impl IncidentKind {
    const fn label(self) -> &'static str {
        match self {
            Self::DeadLettered => "dead_lettered",
            Self::RequestFailed => "request_failed",
            Self::Held => "held",
            Self::Mended => "mended",
            Self::ShareUsed => "share_used",
            Self::HandedBack => "handed_back",
        }
    }

    /// Whether as many of so many tries within a minute are worth a line. A request that fails once is tried again, and
    /// nobody has to know.
    const fn is_worth_a_line(self, count: u64, tries: u64) -> bool {
        match self {
            Self::RequestFailed => count >= 10 || (count >= 3 && count * 4 >= tries),
            _ => count > 0,
        }
    }
}

/// One cause, with what no line has told of it.
#[derive(Debug)]
struct TrackedCause {
    kind: IncidentKind,
    place: String,
    cause: String,
    error: String,
    /// Incidents since the last line.
    untold: u64,
    /// Requests to the place since then, those that failed included.
    tries: u64,
    /// The last line told of enough: what remains of it is told, too, however little.
    goes_on: bool,
    /// When the first of these occurred.
    since: Instant,
    last: Instant,
    told: Option<Instant>,
}

impl TrackedCause {
    fn is(&self, kind: IncidentKind, place: &str, cause: &str) -> bool {
        self.kind == kind && self.place == place && self.cause == cause
    }

    fn may_be_told(&self, now: Instant) -> bool {
        self.is_worth_a_line() && self.told.is_none_or(|told| now.duration_since(told) >= QUIET)
    }

    fn is_worth_a_line(&self) -> bool {
        (self.goes_on && self.untold > 0) || self.kind.is_worth_a_line(self.untold, self.tries)
    }

    fn tell(&mut self, now: Instant) -> Announcement {
        let within = now.duration_since(self.told.unwrap_or(self.since));
        self.told = Some(now);
        self.goes_on = self.kind.is_worth_a_line(self.untold, self.tries);
        let tries = std::mem::take(&mut self.tries);
        let has_tries = self.kind == IncidentKind::RequestFailed && self.place != OTHERS;
        Announcement {
            share_percent: has_tries.then(|| (self.untold * 100 / tries.max(1)).min(100)),
            kind: self.kind,
            place: self.place.clone(),
            cause: self.cause.clone(),
            error: self.error.clone(),
            count: std::mem::take(&mut self.untold),
            within,
        }
    }

    /// Nothing is to be told of it any more, or too little occurred in too long.
    fn is_over(&self, now: Instant) -> bool {
        let is_quiet = now.duration_since(self.last.max(self.told.unwrap_or(self.last))) >= QUIET;
        let were_too_few = self.untold > 0 && now.duration_since(self.since) >= QUIET;
        !self.is_worth_a_line() && (is_quiet || were_too_few)
    }
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    kind: IncidentKind,
    place: String,
    cause: String,
    error: String,
    /// Incidents since the last line about this cause.
    pub count: u64,
    /// Since that line, or since the first of these.
    within: Duration,
    /// The part of the requests that failed.
    pub share_percent: Option<u64>,
}

impl Announcement {
    /// Logs it.
    pub fn log(&self) {
        let Self { place, cause, error, count, within, share_percent, .. } = self;
        tracing::warn!(
            event = "incident",
            kind = self.kind.label(),
            place,
            cause,
            error,
            since_last_line = count,
            share_percent,
            ?within,
            "incident: {count} since the last line about this cause; at most one line a minute"
        );
    }
}

/// The incidents of one worker process.
#[derive(Debug, Default)]
pub struct Incidents {
    causes: RefCell<Vec<TrackedCause>>,
}

impl Incidents {
    /// A request to this place was made, whatever its answer was. To be called before the incident is counted.
    pub fn tried(&self, place: &str) {
        let mut causes = self.causes.borrow_mut();
        let of_requests = causes.iter_mut().filter(|it| it.kind == IncidentKind::RequestFailed);
        of_requests.filter(|it| it.place == place).for_each(|it| it.tries += 1);
    }

    /// Counts an incident, and logs it if it is time.
    pub fn met(&self, kind: IncidentKind, place: &str, cause: &str, error: &dyn std::fmt::Display) {
        if let Some(announcement) = self.count(Instant::now(), kind, place, cause, error) {
            announcement.log();
        }
    }

    /// Counts an incident. With an announcement, the caller logs it.
    #[must_use]
    pub fn count(
        &self,
        now: Instant,
        kind: IncidentKind,
        place: &str,
        cause: &str,
        error: &dyn std::fmt::Display,
    ) -> Option<Announcement> {
        let mut causes = self.causes.borrow_mut();
        let known = causes.iter().position(|it| it.is(kind, place, cause));
        let index = known.unwrap_or_else(|| {
            causes.retain(|it| !it.is_over(now));
            let (place, cause) =
                if causes.len() < MOST { (place, cause) } else { (OTHERS, OTHERS) };
            causes.iter().position(|it| it.is(kind, place, cause)).unwrap_or_else(|| {
                let (place, cause) = (place.to_owned(), cause.to_owned());
                let error = String::new();
                causes.push(TrackedCause {
                    kind,
                    place,
                    cause,
                    error,
                    untold: 0,
                    tries: 1,
                    goes_on: false,
                    since: now,
                    last: now,
                    told: None,
                });
                causes.len() - 1
            })
        });
        let it = &mut causes[index];
        // Too few of them were no incident.
        if it.is_over(now) {
            (it.untold, it.tries, it.told, it.goes_on) = (0, 1, None, false);
        }
        if it.untold == 0 {
            it.since = now;
        }
        (it.untold, it.last) = (it.untold + 1, now);
        // A text for each of thousands a second, of which one is shown, would cost more than the rest.
        let tells = it.may_be_told(now);
        if tells || it.untold == 1 {
            it.error = one_line(&error.to_string(), LONGEST);
        }
        tells.then(|| it.tell(now))
    }

    /// What a line is due for, though nothing more occurs.
    #[must_use]
    pub fn due(&self, now: Instant) -> Vec<Announcement> {
        let mut causes = self.causes.borrow_mut();
        let due = causes.iter_mut().filter(|it| it.may_be_told(now));
        due.map(|it| it.tell(now)).collect()
    }

    /// What no line has told of incidents that a line has told of, for a worker that ends.
    #[must_use]
    pub fn rest(&self, now: Instant) -> Vec<Announcement> {
        let mut causes = self.causes.borrow_mut();
        let untold = causes.iter_mut().filter(|it| it.is_worth_a_line());
        untold.map(|it| it.tell(now)).collect()
    }

    /// Logs what is due, for as long as it is polled.
    pub async fn announce(&self) -> Infallible {
        loop {
            sleep(LOOK_EVERY).await;
            self.due(Instant::now()).iter().for_each(Announcement::log);
        }
    }
}
