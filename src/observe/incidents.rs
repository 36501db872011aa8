//! Rate limiter for log lines about incidents: the first at once, then at most one line a minute for each cause, with a count.
//!
//! What lasts, such as a broker that is not there, is told ever more rarely until it ends, and then as at first.

mod announcement;
mod kind;
#[cfg(test)]
mod tests;

pub use self::announcement::Announcement;
pub use self::kind::IncidentKind;

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::text::error_pattern;
use crate::untrusted::one_line;

/// Between two lines about one cause.
pub(crate) const QUIET: Duration = Duration::from_mins(1);

/// The longest pause between two lines about what lasts.
const HOUR: Duration = Duration::from_hours(1);

/// Between two looks for counts that no line has told.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Causes that are kept, besides one for all others.
const MOST: usize = 50;

/// Bytes of an error that are kept.
const LONGEST: usize = 300;

/// What stands for all causes beyond [`MOST`].
const OTHERS: &str = "others";

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
    /// From the last line to the next one.
    pause: Duration,
    /// If it lasts: whether a line has told so.
    lasts: Option<bool>,
}

impl TrackedCause {
    fn new(kind: IncidentKind, place: &str, cause: &str, now: Instant) -> Self {
        Self {
            kind,
            place: place.to_owned(),
            cause: cause.to_owned(),
            error: String::new(),
            untold: 0,
            tries: 1,
            goes_on: false,
            since: now,
            last: now,
            told: None,
            pause: kind.pause(),
            lasts: None,
        }
    }

    fn is(&self, kind: IncidentKind, place: &str, cause: &str) -> bool {
        self.kind == kind && self.place == place && self.cause == cause
    }

    fn may_be_told(&self, now: Instant) -> bool {
        self.is_worth_a_line() && self.told.is_none_or(|it| now.duration_since(it) >= self.pause)
    }

    /// Whether it is told though nothing more occurs. What lasts is tried again, and told then.
    fn is_due(&self, now: Instant) -> bool {
        let may_come = self.lasts.is_some() && now.duration_since(self.last) < self.kind.quiet();
        !may_come && self.may_be_told(now)
    }

    /// It lasts no longer.
    fn end(&mut self) {
        if self.lasts == Some(true) {
            // Further tries of what the log tells the beginning and the end of.
            self.untold = 0;
        }
        (self.pause, self.lasts) = (self.kind.pause(), None);
    }

    fn is_worth_a_line(&self) -> bool {
        (self.goes_on && self.untold > 0) || self.kind.is_worth_a_line(self.untold, self.tries)
    }

    fn tell(&mut self, now: Instant) -> Announcement {
        let within = now.duration_since(self.told.unwrap_or(self.since));
        if self.lasts == Some(true) {
            self.pause = IncidentKind::next_pause(self.pause);
        }
        self.lasts = self.lasts.map(|_| true);
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
        let last = self.last.max(self.told.unwrap_or(self.last));
        let is_quiet = now.duration_since(last) >= self.kind.quiet();
        let were_too_few = self.untold > 0 && now.duration_since(self.since) >= QUIET;
        !self.is_worth_a_line() && (is_quiet || were_too_few)
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
                causes.push(TrackedCause::new(kind, place, cause, now));
                causes.len() - 1
            })
        });
        let it = &mut causes[index];
        // Too few of them were no incident.
        if it.is_over(now) {
            (it.untold, it.tries, it.told, it.goes_on) = (0, 1, None, false);
            (it.pause, it.lasts) = (kind.pause(), None);
        }
        if kind.is_lasting() {
            it.lasts.get_or_insert(false);
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

    /// Counts a try that failed for what lasts. With an announcement, the caller logs it.
    #[must_use]
    pub fn lasts(
        &self,
        kind: IncidentKind,
        place: &str,
        error: &dyn std::fmt::Display,
    ) -> Option<Announcement> {
        let error = one_line(&error.to_string(), LONGEST);
        self.count(Instant::now(), kind, place, &error_pattern(&error), &error)
    }

    /// What lasted is over, whatever its causes were.
    pub fn ended(&self, kind: IncidentKind, place: &str) {
        let mut causes = self.causes.borrow_mut();
        let of_it = causes.iter_mut().filter(|it| it.kind == kind);
        // Causes beyond the number that is kept have no place.
        let of_it = of_it.filter(|it| it.place == place || it.place == OTHERS);
        of_it.for_each(TrackedCause::end);
    }

    /// What a line is due for, though nothing more occurs.
    #[must_use]
    pub fn due(&self, now: Instant) -> Vec<Announcement> {
        let mut causes = self.causes.borrow_mut();
        let due = causes.iter_mut().filter(|it| it.is_due(now));
        due.map(|it| it.tell(now)).collect()
    }

    /// What no line has told of incidents that a line has told of, for a worker that ends. Its totals tell of what was skipped.
    #[must_use]
    pub fn rest(&self, now: Instant) -> Vec<Announcement> {
        let mut causes = self.causes.borrow_mut();
        let others = causes.iter_mut().filter(|it| it.kind != IncidentKind::Skipped);
        let untold = others.filter(|it| it.is_worth_a_line());
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
