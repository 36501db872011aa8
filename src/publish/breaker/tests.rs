//! The breaker under random arrivals and answers: who is let through, and when.

use proptest::prelude::*;
use proptest::sample::Index;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;

use super::*;
use crate::outcome::Scope;
use crate::publish::memory::{fault, under_a_paused_clock};

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
enum Step {
    Arrive,
    /// Of those that wait.
    GiveUp(Index),
    /// Of those that have a permit.
    Succeed(Index),
    Fail(Index),
    /// Its session ended meanwhile.
    Vanish(Index),
    /// A question was answered well.
    Ask,
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        4 => Just(Step::Arrive),
        1 => index().prop_map(Step::GiveUp),
        3 => index().prop_map(Step::Succeed),
        2 => index().prop_map(Step::Fail),
        1 => index().prop_map(Step::Vanish),
        1 => Just(Step::Ask),
        3 => (0_u64..20_000).prop_map(Step::Wait),
    ]
}

struct Play {
    breaker: &'static CircuitBreaker,
    arrived: usize,
    waiting: Rc<RefCell<Vec<(usize, AbortHandle)>>>,
    permits: Rc<RefCell<Vec<Permit<'static>>>>,
    /// Who got a permit, in this order.
    passed: Rc<RefCell<Vec<usize>>>,
    gave_up: usize,
}

impl Play {
    fn new() -> Self {
        // Tasks outlive what they borrow; a test may leak as much.
        let breaker = Box::leak(Box::new(CircuitBreaker::new(Circuit::Service, LONGEST_PAUSE)));
        let (waiting, permits, passed) = Default::default();
        Self { breaker, arrived: 0, waiting, permits, passed, gave_up: 0 }
    }

    fn arrive(&mut self) {
        let (breaker, number) = (self.breaker, self.arrived);
        self.arrived += 1;
        let (waiting, permits, passed) = (&self.waiting, &self.permits, &self.passed);
        let mine = (Rc::clone(waiting), Rc::clone(permits), Rc::clone(passed));
        let task = spawn_local(async move {
            let counted = breaker.wait();
            let permit = breaker.acquire().await;
            drop(counted);
            let (waiting, permits, passed) = mine;
            waiting.borrow_mut().retain(|(it, _)| *it != number);
            permits.borrow_mut().push(permit);
            passed.borrow_mut().push(number);
        });
        self.waiting.borrow_mut().push((number, task.abort_handle()));
    }

    fn give_up(&mut self, index: Index) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.is_empty() {
            let at = index.index(waiting.len());
            waiting.remove(at).1.abort();
            self.gave_up += 1;
        }
    }

    fn take(&self, index: Index) -> Option<Permit<'static>> {
        let mut permits = self.permits.borrow_mut();
        if permits.is_empty() {
            return None;
        }
        let at = index.index(permits.len());
        Some(permits.remove(at))
    }

    async fn step(&mut self, step: Step) {
        let topic = TopicArn::build("us-east-1", "123456789012", "t").unwrap();
        match step {
            Step::Arrive => self.arrive(),
            Step::GiveUp(index) => self.give_up(index),
            Step::Succeed(index) => {
                if let Some(permit) = self.take(index) {
                    permit.succeeded();
                }
            }
            Step::Fail(index) => {
                if let Some(permit) = self.take(index) {
                    permit.failed(&fault(Scope::Service), &topic);
                }
            }
            Step::Vanish(index) => drop(self.take(index)),
            Step::Ask => self.breaker.half_open(),
            Step::Wait(time) => sleep(Duration::from_millis(time)).await,
        }
        // Everyone who can go on does so before the clock moves.
        sleep(Duration::from_millis(1)).await;
    }

    /// How many permits there are that an open or half-open circuit has given since it opened.
    fn limited(&self) -> usize {
        let is_limited = |it: &&Permit<'_>| it.kind != PermitKind::Closed && !it.is_outdated();
        self.permits.borrow().iter().filter(is_limited).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn one_probes_at_a_time_and_all_leave_once_in_the_order_of_their_arrival(
        steps in prop::collection::vec(any_step(), 1..200),
    ) {
        under_a_paused_clock(async {
            let mut play = Play::new();
            for step in steps {
                play.step(step).await;
                let most = match &*play.breaker.state.borrow() {
                    State::Closed => usize::MAX,
                    State::Open(_) => 1,
                    State::HalfOpen(permits) => *permits,
                };
                prop_assert!(play.limited() <= most, "{} of {most}", play.limited());
                let waiting = play.waiting.borrow().len();
                prop_assert_eq!(waiting, play.breaker.waiting());
                prop_assert!(waiting == 0 || most != usize::MAX, "it is closed, and someone waits");
                prop_assert!(waiting == 0 || !play.breaker.is_half_open() || play.limited() == most);
            }
            while !(play.waiting.borrow().is_empty() && play.permits.borrow().is_empty()) {
                let next = play.permits.borrow_mut().pop();
                if let Some(permit) = next {
                    permit.succeeded();
                }
                sleep(LONGEST_PAUSE).await;
            }
            let passed = play.passed.take();
            prop_assert!(passed.is_sorted_by(|a, b| a < b), "{passed:?}");
            prop_assert_eq!(passed.len() + play.gave_up, play.arrived);
            Ok(())
        })?;
    }
}
