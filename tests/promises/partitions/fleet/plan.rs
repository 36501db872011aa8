//! Which event is sent when, and which fault comes when: a function of the seed and of nothing else.

use std::time::Duration;

use fastrand::Rng;

use super::Size;
use super::sky::Fault;

/// What happens to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It starts.
    Arrive,
    /// SIGKILL; another one takes its place so much later.
    Kill(Duration),
    /// SIGTERM, as in a roll-out; another one takes its place so long after its end.
    Stop(Duration),
    /// SIGSTOP, and SIGCONT so much later.
    Freeze(Duration),
}

/// Something at a time, counted from the first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<T> {
    pub at: Duration,
    pub what: T,
}

/// What SNS does wrong, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    pub fault: Fault,
    pub lasts: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub size: Size,
    /// Workers that are there from the beginning.
    pub first: usize,
    /// Of each place for a worker, one after the other.
    pub troubles: Vec<Vec<Step<Trouble>>>,
    pub weather: Vec<Step<Weather>>,
    /// Whose turn it is to say something.
    pub keys: Vec<usize>,
}

/// After a trouble until the next one of the same worker: it consumes by then, or has stopped.
const REST: Duration = Duration::from_secs(8);

impl Plan {
    /// Every kind of trouble and of fault in turn, shuffled anew each time round.
    pub fn draw(size: &Size) -> Self {
        let (first, troubles) = draw_troubles(size);
        let (weather, keys) = (draw_weather(size), draw_keys(size));
        Self { size: *size, first, troubles, weather, keys }
    }
}

/// Half of the workers are there from the beginning, and the others come within a quarter of the time.
fn draw_troubles(size: &Size) -> (usize, Vec<Vec<Step<Trouble>>>) {
    let mut rng = Rng::with_seed(size.seed);
    let first = size.workers.div_ceil(2);
    let mut troubles = vec![Vec::new(); size.workers];
    // From when on something may happen to each.
    let mut free = vec![Duration::ZERO; size.workers];
    for slot in first..size.workers {
        let at = size.lasts.mul_f64(rng.f64() / 4.0);
        troubles[slot].push(Step { at, what: Trouble::Arrive });
        free[slot] = at + REST;
    }
    let (mut deck, mut at) = (Vec::new(), millis(&mut rng, 2000..5000));
    while at < size.lasts {
        // Half of them work at any time.
        let able: Vec<_> = (0..size.workers).filter(|slot| free[*slot] <= at).collect();
        if able.len() > size.workers / 2 {
            if deck.is_empty() {
                deck = (0..10).collect();
                rng.shuffle(&mut deck);
            }
            let (what, lasts) = match deck.pop().unwrap_or_default() {
                0..4 => in_both(Trouble::Kill, millis(&mut rng, 0..10_000)),
                4..7 => in_both(Trouble::Stop, millis(&mut rng, 0..10_000)),
                // RabbitMQ gives up a worker that says nothing for longer than two heartbeats.
                _ => in_both(Trouble::Freeze, millis(&mut rng, 500..25_000)),
            };
            let slot = able[rng.usize(..able.len())];
            troubles[slot].push(Step { at, what });
            free[slot] = at + lasts + REST;
        }
        at += millis(&mut rng, 1500..7500);
    }
    (first, troubles)
}

fn in_both(trouble: impl Fn(Duration) -> Trouble, lasts: Duration) -> (Trouble, Duration) {
    (trouble(lasts), lasts)
}

fn draw_weather(size: &Size) -> Vec<Step<Weather>> {
    let mut rng = Rng::with_seed(size.seed ^ u64::MAX);
    let (mut weather, mut deck) = (Vec::new(), Vec::new());
    let mut at = millis(&mut rng, 2000..5000);
    while at < size.lasts {
        if deck.is_empty() {
            deck = Fault::ALL.to_vec();
            rng.shuffle(&mut deck);
        }
        let Some(fault) = deck.pop() else { continue };
        let lasts = millis(&mut rng, 3000..10_000);
        weather.push(Step { at, what: Weather { fault, lasts } });
        at += lasts + millis(&mut rng, 1000..5000);
    }
    weather
}

/// Some keys say much more than others, so that their events are close together.
fn draw_keys(size: &Size) -> Vec<usize> {
    let mut rng = Rng::with_seed(size.seed.rotate_left(32));
    let mut draw = || rng.usize(..size.keys()).min(rng.usize(..size.keys()));
    (0..size.events).map(|_| draw()).collect()
}

fn millis(rng: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}

#[test]
fn a_seed_tells_all_events_and_faults() {
    let draw = |seed| Plan::draw(&Size { seed, ..Size::SHORT });
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7).troubles, draw(8).troubles);
    assert_ne!(draw(7).weather, draw(8).weather);
    assert_ne!(draw(7).keys, draw(8).keys);
}

#[test]
fn the_short_plan_has_every_kind_of_trouble_and_fault() {
    let plan = Plan::draw(&Size::SHORT);
    let has = |kind: fn(&Trouble) -> bool| plan.troubles.iter().flatten().any(|it| kind(&it.what));
    assert!(has(|it| matches!(it, Trouble::Arrive)));
    assert!(has(|it| matches!(it, Trouble::Kill(_))));
    assert!(has(|it| matches!(it, Trouble::Stop(_))));
    assert!(has(|it| matches!(it, Trouble::Freeze(lasts) if lasts.as_secs() > 15)), "{plan:?}");
    for fault in Fault::ALL {
        assert!(plan.weather.iter().any(|it| it.what.fault == fault), "{fault} is missing");
    }
}
