//! Which fault comes when: a function of the seed and of nothing else.

use std::time::Duration;

use fastrand::Rng;

use super::weather::{FAULTS, Weather};

/// Workers that share the queue.
pub const WORKERS: usize = 3;

/// What goes wrong with workers, their connections and the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// SIGKILL; another takes its place at once.
    KillWorker(usize),
    /// SIGTERM, as in a roll-out; another takes its place.
    StopWorker(usize),
    /// SIGKILL to the broker, which stays away for so long.
    CrashBroker(Duration),
    RestartBroker,
    /// A worker's connections are reset.
    Cut(usize),
    /// They are, and no other is taken for so long.
    Refuse(usize, Duration),
    /// They stay, and nothing goes through for so long.
    Stall(usize, Duration),
    /// All that goes through is late by the first, for as long as the second.
    Delay(usize, Duration, Duration),
}

/// Something at a time, counted from the first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<T> {
    pub at: Duration,
    pub what: T,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    pub troubles: Vec<Step<Trouble>>,
    pub weather: Vec<Step<Weather>>,
    /// The events come spread over so long.
    pub lasts: Duration,
}

impl Plan {
    /// A storm of so long: every kind of fault in turn, shuffled anew each time round.
    pub fn draw(seed: u64, lasts: Duration) -> Self {
        // Of its own each, so that a longer storm begins as a shorter one does.
        let (mut rng, mut sky) = (Rng::with_seed(seed), Rng::with_seed(seed ^ u64::MAX));
        let mut plan = Self { seed, troubles: Vec::new(), weather: Vec::new(), lasts };
        let (mut deck, mut at) = (Vec::new(), millis(&mut rng, 1000..4000));
        while at < lasts {
            if deck.is_empty() {
                deck = troubles(&mut rng);
                rng.shuffle(&mut deck);
            }
            plan.troubles.extend(deck.pop().map(|what| Step { at, what }));
            at += millis(&mut rng, 3000..9000);
        }
        let (mut deck, mut at) = (Vec::new(), millis(&mut sky, 500..3000));
        while at < lasts {
            if deck.is_empty() {
                deck = (0..FAULTS.len()).collect();
                sky.shuffle(&mut deck);
            }
            let what = Weather {
                fault: deck.pop().unwrap_or_default(),
                percent: [20, 50, 100][sky.usize(..3)],
                seed: sky.u64(..),
                lasts: millis(&mut sky, 1500..5000),
            };
            plan.weather.push(Step { at, what });
            at += what.lasts + millis(&mut sky, 500..4000);
        }
        plan
    }

    /// A small and fixed set, for every day.
    pub fn short() -> Self {
        let at = Duration::from_millis;
        let step = |millis, what| Step { at: at(millis), what };
        let under = |millis, fault, percent| Step {
            at: at(millis),
            what: Weather { fault, percent, seed: millis, lasts: at(600) },
        };
        Self {
            seed: 0,
            troubles: vec![
                step(500, Trouble::KillWorker(0)),
                step(1000, Trouble::Cut(1)),
                step(1500, Trouble::CrashBroker(at(100))),
                step(2000, Trouble::KillWorker(2)),
                step(2200, Trouble::Stall(0, at(500))),
            ],
            weather: vec![
                under(200, weather_of("throttled with 400"), 50),
                under(1000, weather_of("reset in mid-answer"), 50),
                under(3000, weather_of("403 AuthorizationError"), 100),
                under(4000, weather_of("half of a batch fails"), 100),
            ],
            lasts: at(5000),
        }
    }
}

fn weather_of(name: &str) -> usize {
    FAULTS.iter().position(|(it, _)| *it == name).expect("there is no such fault")
}

/// One time round.
fn troubles(rng: &mut Rng) -> Vec<Trouble> {
    let mut deck = vec![
        Trouble::CrashBroker(millis(rng, 0..3000)),
        Trouble::RestartBroker,
        Trouble::StopWorker(rng.usize(..WORKERS)),
        Trouble::Refuse(rng.usize(..WORKERS), millis(rng, 500..4000)),
        Trouble::Stall(rng.usize(..WORKERS), millis(rng, 1000..12_000)),
        Trouble::Delay(rng.usize(..WORKERS), millis(rng, 5..50), millis(rng, 1000..4000)),
    ];
    deck.extend((0..4).map(|_| Trouble::KillWorker(rng.usize(..WORKERS))));
    deck.extend((0..2).map(|_| Trouble::Cut(rng.usize(..WORKERS))));
    deck
}

fn millis(rng: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}

#[test]
fn a_seed_tells_the_whole_schedule() {
    let draw = |seed| Plan::draw(seed, Duration::from_mins(5));
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7).troubles, draw(8).troubles);
    assert_ne!(draw(7).weather, draw(8).weather);
}
