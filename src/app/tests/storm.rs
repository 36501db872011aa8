//! Order with everything going wrong that a key's next event could use to get ahead.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::order::{EACH, KEYS, PER_KEY, conversations};
use super::service::{Accepted, answered};
use super::*;

/// Faults for a third of all that is sent, by chance.
struct Storm {
    /// Requests whose messages were accepted and whose answers were lost.
    lost: Rc<RefCell<BTreeSet<u64>>>,
}

impl Storm {
    fn begin(sns: &Service, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        sns.fail_requests(move |_, _| {
            Some(answered(match random.u8(..100) {
                0..6 => "Throttling",
                6..10 => "TooManyRequestsException",
                10..20 => "InternalError",
                _ => return None,
            }))
        });
        let mut random = fastrand::Rng::with_seed(seed + 1);
        sns.fail_entries(move |_| {
            Some(answered(match random.u8(..100) {
                0..4 => "InternalError",
                4..8 => "Throttling",
                _ => return None,
            }))
        });
        let (mut random, lost) = (fastrand::Rng::with_seed(seed + 2), Rc::default());
        let losing: Rc<RefCell<BTreeSet<u64>>> = Rc::clone(&lost);
        sns.lose_answers(move |request| {
            let is_lost = random.u8(..100) < 6;
            if is_lost {
                losing.borrow_mut().insert(request);
            }
            is_lost
        });
        Self { lost }
    }
}

/// What was accepted, without what had been before.
fn firsts(accepted: &[Accepted]) -> Vec<(String, usize)> {
    let mut seen = BTreeSet::new();
    let said =
        |it: &Accepted| (it.json()["from_user_id"].as_str().unwrap().to_owned(), it.number());
    accepted.iter().map(said).filter(|it| seen.insert(it.clone())).collect()
}

#[test]
fn every_key_keeps_its_order_in_a_storm_of_faults_and_others_overtake() {
    let patient = format!("{PER_KEY}publish_retry_count = 16\npublish_retry_time_ms = 1\n");
    for seed in 0..10 {
        let totals = simulate(&patient, &Plugins::default(), async |it| {
            let storm = Storm::begin(&it.sns, seed);
            it.publish(conversations());
            it.settles((KEYS * EACH) as u64).await;
            let accepted = it.sns.accepted();
            let lost = storm.lost.borrow();
            let answered: Vec<_> =
                accepted.iter().filter(|it| !lost.contains(&it.request)).cloned().collect();
            assert_eq!(
                answered.len(),
                firsts(&answered).len(),
                "{seed}: more came twice than was lost"
            );
            let said = firsts(&accepted);
            assert_eq!(said.len(), KEYS * EACH);
            let mut next: BTreeMap<&str, usize> = BTreeMap::new();
            for (from, number) in &said {
                let next = next.entry(from).or_default();
                assert_eq!(number, next, "{seed}: of {from}");
                *next += 1;
            }
            let in_turns: Vec<_> = said.iter().map(|(_, number)| *number).collect();
            assert!(!in_turns.is_sorted(), "{seed}: as if there were one key");
        });
        assert_eq!(totals.published, (KEYS * EACH) as u64, "{seed}: {totals}");
    }
}
