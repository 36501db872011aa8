//! How fast a replay sends: as fast as it goes, at a rate, or at one that follows the fleet.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::auto_rate::{AutoRate, Seen, Slowed, WITHOUT_REPORTS};
use crate::dead_letters::rate_limiter::RateLimiter;
use crate::fleet::{Link, SharedMembers};

/// Between two looks at what the fleet says, and at how far the replay is.
const TICK: Duration = Duration::from_secs(1);

/// For the fleet to be heard: a connection, and a report of each worker.
const HEARS_WITHIN: Duration = Duration::from_secs(3);

/// Letters a second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Rate {
    /// As many as RabbitMQ takes.
    #[default]
    Unlimited,
    /// So many at most.
    Fixed(f64),
    /// As many as leave live events young, by what the workers of the fleet say.
    Auto,
}

/// The pace of a replay.
#[derive(Debug)]
pub(super) struct Pace {
    limiter: RateLimiter,
    limit: Option<f64>,
    auto: Option<AutoRate>,
    next: Instant,
    began: Instant,
    /// Letters that were sent before the last tick.
    sent: u32,
}

/// What a tick has found out.
#[derive(Debug, PartialEq)]
pub(super) struct PaceNow {
    pub(super) limit: Option<f64>,
    /// Why an automatic rate does not rise.
    pub(super) slowed: Option<String>,
    /// It can't follow the fleet.
    pub(super) is_blind: bool,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        let auto = (rate == Rate::Auto).then(AutoRate::new);
        let limit = match rate {
            Rate::Unlimited => None,
            Rate::Fixed(rate) => Some(rate),
            Rate::Auto => auto.as_ref().map(AutoRate::rate),
        };
        let (limiter, now) = (RateLimiter::new(limit), Instant::now());
        Self { limiter, limit, auto, next: now + TICK, began: now, sent: 0 }
    }

    /// The most letters a second.
    pub(super) const fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Waits until the next letter may be sent. May be dropped while it waits.
    pub(super) async fn due(&self) {
        self.limiter.due().await;
    }

    /// A letter was sent.
    pub(super) fn passed(&mut self) {
        self.limiter.passed();
    }

    /// Waits for the next [`Self::tick`]. May be dropped while it waits.
    pub(super) async fn ticks(&self) {
        sleep_until(self.next).await;
    }

    /// Adapts the rate, once a second. `sent`: all letters that were sent; `wait`: how long one of them waits for its outcome, if that is
    /// known.
    pub(super) fn tick(
        &mut self,
        sent: u32,
        wait: Option<Duration>,
        fleet: Option<&SharedMembers>,
    ) -> PaceNow {
        let now = Instant::now();
        let seconds = (now + TICK).saturating_duration_since(self.next).as_secs_f64();
        let lately = f64::from(sent - std::mem::replace(&mut self.sent, sent)) / seconds.max(0.1);
        self.next = now + TICK;
        let began = self.began;
        let Some(auto) = &mut self.auto else {
            return PaceNow { limit: self.limit, slowed: None, is_blind: false };
        };
        let load = fleet.and_then(|it| it.lock().load(std::time::Instant::now()));
        let (slowed, is_blind) = if let Some(load) = load {
            let slowed = auto.step(now, &Seen { load, wait, sent: lately });
            (slowed.as_ref().map(Slowed::to_string), false)
        } else {
            auto.without_reports();
            let is_blind = now >= began + HEARS_WITHIN || !may_be_heard(fleet);
            (is_blind.then(|| unheard(fleet)), is_blind)
        };
        self.limit = Some(auto.rate());
        self.limiter.set_rate(auto.rate());
        PaceNow { limit: self.limit, slowed, is_blind }
    }
}

/// Whether reports may come yet.
fn may_be_heard(fleet: Option<&SharedMembers>) -> bool {
    fleet.is_some_and(|it| matches!(it.lock().link(), Link::Joining | Link::Joined))
}

/// Why no report is heard.
fn unheard(fleet: Option<&SharedMembers>) -> String {
    let Some(fleet) = fleet else { return "fleet.view = false".to_owned() };
    match fleet.lock().link() {
        Link::Forbidden(said) => format!("the broker's user may not listen to the fleet: {said}"),
        Link::Lost(said) => format!("the fleet is not heard: {said}"),
        Link::Joining | Link::Joined | Link::Blocked(_) => {
            "no worker of the fleet is heard; check that they have the same fleet.name and fleet.view = true".to_owned()
        }
    }
}

/// What is said of an automatic rate that follows nobody.
pub(super) fn blind(why: &str) -> String {
    format!("--rate auto: live events are not seen, so the rate is {WITHOUT_REPORTS:.0}/s: {why}")
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("unlimited"),
            Self::Fixed(rate) => write!(f, "{rate}"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Report, SourceReport};

    #[tokio::test(start_paused = true)]
    async fn without_reports_the_rate_is_the_stated_one_and_why_is_said() {
        let mut pace = Pace::new(Rate::Auto);
        assert_eq!(pace.limit(), Some(10.0));
        let now = pace.tick(0, None, None);
        assert_eq!((now.limit, now.is_blind), (Some(WITHOUT_REPORTS), true));
        assert!(blind(&now.slowed.unwrap()).contains("10/s: fleet.view = false"));
        // Who has just begun to listen waits with that.
        let members = SharedMembers::new("chat");
        let mut pace = Pace::new(Rate::Auto);
        assert!(!pace.tick(0, None, Some(&members)).is_blind);
        tokio::time::advance(HEARS_WITHIN).await;
        let now = pace.tick(0, None, Some(&members));
        assert!(now.is_blind && now.slowed.unwrap().contains("no worker of the fleet"));
        members.lock().set_link(Link::Forbidden("no".to_owned()), std::time::Instant::now());
        let mut pace = Pace::new(Rate::Auto);
        assert!(pace.tick(0, None, Some(&members)).slowed.unwrap().contains("may not listen"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_automatic_rate_follows_the_reports_and_a_fixed_one_nobody() {
        let members = SharedMembers::new("chat");
        let report = |oldest| Report {
            sources: vec![SourceReport { oldest_seconds: Some(oldest), ..Default::default() }],
            ..Report::default()
        };
        members.lock().set_own(report(0.1));
        members.lock().set_link(Link::Joined, std::time::Instant::now());
        let (mut pace, mut fixed) = (Pace::new(Rate::Auto), Pace::new(Rate::Fixed(7.0)));
        for sent in 1..=10 {
            pace.ticks().await;
            let now = pace.tick(sent * 20, None, Some(&members));
            assert!(now.slowed.is_none() && !now.is_blind, "{now:?}");
            assert_eq!(fixed.tick(sent, None, Some(&members)).limit, Some(7.0));
        }
        let before = pace.limit().unwrap();
        assert!(before > 20.0, "{before}");
        members.lock().set_own(report(9.0));
        pace.ticks().await;
        let now = pace.tick(220, None, Some(&members));
        assert_eq!(now.slowed.as_deref(), Some("the oldest event in flight is 9 s old"));
        assert_eq!(pace.limit(), Some(before / 2.0));
    }
}
