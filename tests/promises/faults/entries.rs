//! Every mix of failed entries in one batch: each entry ends as its own answer says, and only
//! those that were not accepted are sent again.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use event_pusher_sns::outcome::Scope;
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::task::LocalSet;

use super::rig::{Answer, RETRIES, Rig};
use crate::fake_sns::EntryFault;

/// What an entry meets, and what must become of it.
#[derive(Debug, Clone, Copy)]
struct Kind {
    fault: EntryFault,
    ends: Ends,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// It was accepted, however that was said: not sent again.
    Accepted,
    /// Nobody can tell, and it was accepted: it comes twice.
    AcceptedTwice,
    /// Retried, and accepted then.
    Retried,
    /// Never accepted: out of retries.
    Exhausted,
    /// Held, and accepted as a probe.
    Held,
    /// Refused for good.
    Refused,
}

impl Kind {
    const fn failed(code: &'static str, sender_fault: bool, ends: Ends) -> Self {
        Self { fault: EntryFault::Failed { code, sender_fault }, ends }
    }

    const fn odd(fault: EntryFault, ends: Ends) -> Self {
        Self { fault, ends }
    }

    /// Whether it meets its fault at every attempt, or only at the first.
    fn lasts(self) -> bool {
        matches!(self.ends, Ends::Exhausted | Ends::Refused)
    }

    /// How often it is sent.
    fn attempts(self) -> u32 {
        match self.ends {
            Ends::Accepted | Ends::Refused => 1,
            Ends::AcceptedTwice | Ends::Retried | Ends::Held => 2,
            Ends::Exhausted => RETRIES + 1,
        }
    }

    fn acceptances(self) -> usize {
        match self.ends {
            Ends::Accepted | Ends::Retried | Ends::Held => 1,
            Ends::AcceptedTwice => 2,
            Ends::Exhausted | Ends::Refused => 0,
        }
    }
}

/// What concerns the entry alone. The code decides where it is known, else whose fault it is.
const OF_ITS_OWN: [Kind; 15] = [
    Kind::failed("InternalError", false, Ends::Retried),
    Kind::failed("InternalError", false, Ends::Exhausted),
    Kind::failed("Throttling", true, Ends::Retried),
    Kind::failed("KMSThrottling", true, Ends::Retried),
    Kind::failed("NobodyKnowsThis", false, Ends::Retried),
    Kind::failed("NobodyKnowsThis", false, Ends::Exhausted),
    Kind::failed("NobodyKnowsThis", true, Ends::Refused),
    Kind::failed("InvalidParameter", true, Ends::Refused),
    Kind::failed("ParameterValueInvalid", false, Ends::Refused),
    Kind::odd(EntryFault::Omitted, Ends::Retried),
    Kind::odd(EntryFault::Omitted, Ends::Exhausted),
    Kind::odd(EntryFault::Renamed, Ends::Retried),
    Kind::odd(EntryFault::WithoutMessageId, Ends::Retried),
    Kind::odd(EntryFault::Doubled, Ends::Accepted),
    Kind::odd(EntryFault::Contradicted, Ends::AcceptedTwice),
];

/// What concerns the topic or the whole service.
const OF_MORE: [Kind; 5] = [
    Kind::failed("NotFound", true, Ends::Held),
    Kind::failed("AuthorizationError", true, Ends::Held),
    Kind::failed("KMSAccessDenied", true, Ends::Held),
    Kind::failed("KMSDisabled", false, Ends::Held),
    Kind::failed("ExpiredToken", true, Ends::Held),
];

/// One batch: what each of its entries meets.
type Mix = Vec<Option<Kind>>;

/// What the fake saw of each body: the requests that it came in.
type Seen = BTreeMap<String, Vec<u64>>;

struct Mixes {
    rig: Rig,
    /// Faults by body.
    plan: Arc<Mutex<BTreeMap<String, Kind>>>,
    seen: Arc<Mutex<Seen>>,
    tried: Cell<usize>,
}

impl Mixes {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let (plan, seen) =
            (Arc::<Mutex<BTreeMap<String, Kind>>>::default(), Arc::<Mutex<Seen>>::default());
        let (planned, seeing) = (Arc::clone(&plan), Arc::clone(&seen));
        rig.fake.fail_entries(move |message| {
            let mut seen = seeing.lock().unwrap();
            let requests = seen.entry(message.body.clone()).or_default();
            requests.push(message.request);
            let kind = *planned.lock().unwrap().get(&message.body)?;
            (requests.len() == 1 || kind.lasts()).then_some(kind.fault)
        });
        Self { rig, plan, seen, tried: Cell::default() }
    }

    /// Tries mixes beside each other, each on a publisher of its own.
    async fn hold(&self, mixes: &[Mix]) {
        let bodies: Vec<Vec<String>> = mixes.iter().map(|mix| self.prepare(mix)).collect();
        let publishing = bodies.iter().map(|bodies| self.rig.publish_together(bodies));
        let answers = join_all(publishing).await;
        let (accepted, seen) = (self.rig.accepted(), self.seen.lock().unwrap().clone());
        for ((mix, bodies), answers) in mixes.iter().zip(&bodies).zip(&answers) {
            let request = seen[&bodies[0]][0];
            assert!(bodies.iter().all(|body| seen[body][0] == request), "they shared no batch");
            for ((kind, body), answer) in mix.iter().zip(bodies).zip(answers) {
                let count = accepted.iter().filter(|it| *it == body).count();
                let attempts = u32::try_from(seen[body].len()).unwrap();
                let told = || format!("{kind:?} in {mix:?}: {answer:?}");
                assert_eq!(attempts, kind.map_or(1, Kind::attempts), "sent so often: {}", told());
                assert_eq!(count, kind.map_or(1, Kind::acceptances), "came so often: {}", told());
                check(kind.map_or(Ends::Accepted, |it| it.ends), attempts, answer, &told());
            }
        }
    }

    /// Bodies of their own for a mix's entries, with the faults laid for them.
    fn prepare(&self, mix: &Mix) -> Vec<String> {
        let number = self.tried.replace(self.tried.get() + 1);
        let bodies: Vec<_> = (0..mix.len()).map(|entry| format!("{number}-{entry}")).collect();
        let faults = bodies.iter().cloned().zip(mix).filter_map(|(body, it)| Some((body, (*it)?)));
        self.plan.lock().unwrap().extend(faults);
        bodies
    }
}

fn check(ends: Ends, attempts: u32, answer: &Answer, told: &str) {
    let accepted = answer.as_ref().map(|it| it.attempts);
    let failed = answer.as_ref().map_err(|it| (it.fault.scope, it.attempts));
    match ends {
        Ends::Accepted | Ends::AcceptedTwice | Ends::Retried | Ends::Held => {
            assert_eq!(accepted.ok(), Some(attempts), "{told}");
        }
        Ends::Exhausted => assert_eq!(failed.err(), Some((Scope::Transient, attempts)), "{told}"),
        Ends::Refused => assert_eq!(failed.err(), Some((Scope::Message, 1)), "{told}"),
    }
}

/// All ways in which some of `size` entries meet this.
fn every_subset(kind: Kind, size: usize) -> Vec<Mix> {
    let meets = |subset: usize, entry: usize| (subset >> entry & 1 == 1).then_some(kind);
    (0..1 << size).map(|subset| (0..size).map(|entry| meets(subset, entry)).collect()).collect()
}

#[tokio::test]
async fn every_entry_ends_as_its_own_answer_says_whichever_others_fail() {
    let try_all = async {
        let mixes = Mixes::new().await;
        for kind in OF_ITS_OWN.into_iter().chain(OF_MORE) {
            mixes.hold(&every_subset(kind, 4)).await;
        }
    };
    LocalSet::new().run_until(try_all).await;
}

/// An exhausted entry while something is held waits with the others, so these don't mix.
fn any_mix() -> impl Strategy<Value = Mix> {
    let of = |kinds: Vec<Kind>| {
        let entry = prop_oneof![2 => Just(None), 3 => prop::sample::select(kinds).prop_map(Some)];
        prop::collection::vec(entry, 10)
    };
    let passing = OF_ITS_OWN.into_iter().filter(|kind| kind.ends != Ends::Exhausted);
    prop_oneof![2 => of(OF_ITS_OWN.to_vec()), 1 => of(passing.chain(OF_MORE).collect())]
}

#[test]
fn every_entry_ends_as_its_own_answer_says_in_any_mix_of_ten() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mixes = LocalSet::new().block_on(&runtime, Mixes::new());
    // Ten at a time, so that their pauses pass together.
    let strategy = prop::collection::vec(any_mix(), 10);
    let config = Config { failure_persistence: None, ..Config::with_cases(20) };
    TestRunner::new(config)
        .run(&strategy, |batch| {
            LocalSet::new().block_on(&runtime, mixes.hold(&batch));
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_single_publish_ends_as_its_answer_says_and_is_no_batch() {
    let try_all = async {
        let mixes = Mixes::new().await;
        let others = Arc::new(Mutex::new(Vec::new()));
        let noting = Arc::clone(&others);
        mixes.rig.fake.fail_requests(move |request| {
            if request.action != "Publish" {
                noting.lock().unwrap().push(request.action.clone());
            }
            None
        });
        for kind in OF_ITS_OWN.into_iter().chain(OF_MORE) {
            mixes.hold(&every_subset(kind, 1)).await;
        }
        assert_eq!(*others.lock().unwrap(), Vec::<String>::new());
    };
    LocalSet::new().run_until(try_all).await;
}
