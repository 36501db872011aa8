//! Random faults at random times: what holds whatever happens.

use std::collections::HashMap;
use std::rc::Weak;

use proptest::prelude::*;

use super::*;
use crate::publish::memory::under_a_paused_clock;

type TroubledPolicy = FaultPolicy<Retry<Rc<Troubled>>>;

/// For so long, from so many milliseconds on, this topic meets this fault; all topics, if it is empty.
type Trouble = (u64, u64, &'static str, Scope);

/// Has its troubles at their times; each request takes 5 ms.
#[derive(Default)]
struct Troubled {
    policy: RefCell<Weak<TroubledPolicy>>,
    troubles: Vec<Trouble>,
    accepted: RefCell<Vec<String>>,
    /// Requests under way that began while this was held.
    probes: RefCell<HashMap<String, usize>>,
    most_probes: Cell<usize>,
    began: Cell<Option<Instant>>,
}

impl Troubled {
    fn fault_of(&self, topic: &str) -> Option<Fault> {
        let now = self.began.get().unwrap().elapsed().as_millis();
        let met = self.troubles.iter().find(|(from, length, name, _)| {
            let time = u128::from(*from)..u128::from(from + length);
            time.contains(&now) && (name.is_empty() || *name == topic)
        });
        met.map(|(.., scope)| fault(*scope))
    }

    /// What is held that this request gets past: the service before the topic.
    fn held(&self, topic: &TopicArn) -> Option<String> {
        let holds = self.policy.borrow().upgrade().unwrap().open_circuits();
        let mut names: Vec<_> = holds.iter().map(|it| it.circuit.to_string()).collect();
        names.retain(|it| it == "service" || it == topic.as_str());
        names.into_iter().max()
    }
}

impl Attempt for Rc<Troubled> {
    async fn attempt(&self, note: &Rc<Notification>, _: Taken) -> Result<MessageId, Fault> {
        let held = self.held(&note.topic);
        if let Some(held) = &held {
            let mut probes = self.probes.borrow_mut();
            let count = probes.entry(held.clone()).or_default();
            *count += 1;
            self.most_probes.set(self.most_probes.get().max(*count));
        }
        sleep(Duration::from_millis(5)).await;
        if let Some(held) = held {
            *self.probes.borrow_mut().get_mut(&held).unwrap() -= 1;
        }
        if let Some(fault) = self.fault_of(note.topic.name()) {
            return Err(fault);
        }
        self.accepted.borrow_mut().push(note.body.clone());
        Ok(MessageId(String::new()))
    }
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    let whose = prop_oneof![
        Just(("", Scope::Service)),
        Just(("", Scope::Transient)),
        Just(("a", Scope::Route)),
        Just(("b", Scope::Route)),
        Just(("b", Scope::Transient)),
    ];
    (0_u64..60_000, 1_u64..60_000, whose)
        .prop_map(|(from, length, (name, scope))| (from, length, name, scope))
}

/// Publishes events that arrive at these milliseconds. Returns how many were dead.
async fn publish_all(policy: &Rc<TroubledPolicy>, arrivals: &[(u64, &'static str)]) -> usize {
    let events = arrivals.iter().enumerate().map(|(number, (at, topic))| {
        let (policy, note) = (Rc::clone(policy), notification(topic, &number.to_string()));
        let at = Duration::from_millis(*at);
        tokio::task::spawn_local(async move {
            sleep(at).await;
            publish(&policy, &note).await.is_err()
        })
    });
    let ended = timeout(DAY, join_all(events.collect::<Vec<_>>())).await.expect("someone waits");
    ended.into_iter().filter(|dead| *dead.as_ref().unwrap()).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_event_ends_once_and_what_is_held_is_probed_by_one_at_a_time(
        arrivals in prop::collection::vec((0_u64..90_000, prop::sample::select(&["a", "b", "c"][..])), 1..150),
        troubles in prop::collection::vec(any_trouble(), 0..5),
    ) {
        let (world, dead, held) = under_a_paused_clock(async {
            let began = Cell::new(Some(Instant::now()));
            let world = Rc::new(Troubled { troubles, began, ..Troubled::default() });
            let policy = Rc::new(policy_to(Rc::clone(&world), 3));
            world.policy.replace(Rc::downgrade(&policy));
            let dead = publish_all(&policy, &arrivals).await;
            (world, dead, policy.open_circuits().len())
        });
        let mut accepted = world.accepted.take();
        let count = accepted.len();
        accepted.sort_unstable();
        accepted.dedup();
        prop_assert_eq!(accepted.len(), count, "something came twice");
        prop_assert_eq!(count + dead, arrivals.len());
        prop_assert!(world.most_probes.get() <= 1, "{} at once", world.most_probes.get());
        prop_assert_eq!(held, 0);
    }
}
