//! Everything that SNS and the network can do to a request, at random.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::fake_sns::{EntryFault, FakeSns, RequestFault};

/// Faults for a third of all that is sent.
pub struct Storm {
    /// Shown by a test that fails; `EVENT_PUSHER_TEST_SEED` sets it.
    pub seed: u64,
    lost: Arc<Mutex<BTreeSet<u64>>>,
}

impl Storm {
    pub fn begin(sns: &FakeSns) -> Self {
        Self::of(sns, 250)
    }

    /// The same where every request is soon answered, or its connection is cut.
    pub fn begin_without_silence(sns: &FakeSns) -> Self {
        Self::of(sns, 240)
    }

    /// Of a thousand requests so many fail.
    fn of(sns: &FakeSns, faults: u16) -> Self {
        let given = std::env::var("EVENT_PUSHER_TEST_SEED").ok();
        let seed = given.map_or_else(|| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap());
        println!("the storm of EVENT_PUSHER_TEST_SEED={seed}");
        let lost = Arc::<Mutex<BTreeSet<u64>>>::default();
        sns.set_jitter(Duration::from_millis(20));
        let (mut random, losing) = (fastrand::Rng::with_seed(seed), Arc::clone(&lost));
        sns.fail_requests(move |request| {
            let draw = Some(random.u16(..1000)).filter(|draw| *draw < faults);
            let fault = request_fault(draw?)?;
            if matches!(fault, RequestFault::Reset | RequestFault::Drip { .. }) {
                losing.lock().unwrap().extend(request.entries.first().map(|it| it.request));
            }
            Some(fault)
        });
        let mut random = fastrand::Rng::with_seed(seed + 1);
        sns.fail_entries(move |_| entry_fault(random.u8(..100)));
        Self { seed, lost }
    }

    /// Requests whose messages were accepted and whose answers may not have arrived.
    pub fn lost_answers(&self) -> BTreeSet<u64> {
        self.lost.lock().unwrap().clone()
    }
}

fn request_fault(per_mille: u16) -> Option<RequestFault> {
    Some(match per_mille {
        0..60 => RequestFault::THROTTLING,
        60..100 => RequestFault::TOO_MANY_REQUESTS,
        100..150 => RequestFault::INTERNAL_ERROR,
        150..180 => RequestFault::UNAVAILABLE,
        180..230 => RequestFault::Reset,
        230..240 => RequestFault::Garbage,
        // These take a request's place for as long as an attempt may take.
        240..245 => RequestFault::Silence,
        245..250 => RequestFault::Drip { pause: Duration::from_millis(10) },
        _ => return None,
    })
}

fn entry_fault(percent: u8) -> Option<EntryFault> {
    let failed = |code, sender_fault| EntryFault::Failed { code, sender_fault };
    Some(match percent {
        0..4 => failed("InternalError", false),
        4..6 => failed("Throttling", true),
        6 => failed("NobodyKnowsThis", false),
        7 => EntryFault::Omitted,
        8 => EntryFault::Renamed,
        9 => EntryFault::WithoutMessageId,
        10 => EntryFault::Doubled,
        _ => return None,
    })
}
