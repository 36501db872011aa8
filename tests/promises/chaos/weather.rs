//! What SNS does wrong for a while.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::fake_sns::{EntryFault, FakeSns, RequestFault, share};

/// Of a whole request, or of entries in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Request(RequestFault),
    Entries(EntryFault),
}

/// All that there are, each with a name for people.
pub const FAULTS: [(&str, Fault); 13] = [
    ("500 InternalError", Fault::Request(RequestFault::INTERNAL_ERROR)),
    ("throttled with 400", Fault::Request(RequestFault::THROTTLING)),
    ("throttled with 429", Fault::Request(RequestFault::TOO_MANY_REQUESTS)),
    ("503 from a proxy", Fault::Request(RequestFault::UNAVAILABLE)),
    ("never answers", Fault::Request(RequestFault::Silence)),
    ("reset in mid-answer", Fault::Request(RequestFault::Reset)),
    ("answers garbage", Fault::Request(RequestFault::Garbage)),
    ("slow drip", Fault::Request(RequestFault::Drip { pause: Duration::from_millis(20) })),
    ("403 AuthorizationError", Fault::Request(RequestFault::NOT_AUTHORISED)),
    ("404 NotFound", Fault::Request(RequestFault::NOT_FOUND)),
    ("expired token", Fault::Request(RequestFault::EXPIRED_TOKEN)),
    ("half of a batch fails", Fault::Entries(HALF_FAILS)),
    ("answers half of a batch", Fault::Entries(EntryFault::Omitted)),
];

const HALF_FAILS: EntryFault = EntryFault::Failed { code: "InternalError", sender_fault: false };

/// A fault of so many in a hundred requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Its place in [`FAULTS`].
    pub fault: usize,
    pub percent: u8,
    pub seed: u64,
    pub lasts: Duration,
}

impl Weather {
    pub fn name(&self) -> &'static str {
        FAULTS[self.fault].0
    }
}

/// Requests that were accepted and whose answers may not have arrived: what was in them comes
/// twice, and nobody could know better.
#[derive(Clone, Default)]
pub struct LostAnswers(Arc<Mutex<BTreeSet<u64>>>);

impl LostAnswers {
    /// How many of what was accepted was in one of them.
    pub fn messages(&self, sns: &FakeSns) -> usize {
        let lost = self.0.lock().unwrap();
        sns.accepted().iter().filter(|message| lost.contains(&message.request)).count()
    }

    /// From now on, until the fake is healed. Of faulty entries it is half in a faulty batch.
    pub fn begin(&self, sns: &FakeSns, weather: &Weather) {
        match FAULTS[weather.fault].1 {
            Fault::Request(fault) => {
                let lost = Arc::clone(&self.0);
                let mut rule = share(weather.percent, weather.seed, fault);
                sns.fail_requests(move |request| {
                    let fault = rule(request)?;
                    if matches!(fault, RequestFault::Reset | RequestFault::Drip { .. }) {
                        lost.lock().unwrap().extend(request.entries.first().map(|it| it.request));
                    }
                    Some(fault)
                });
            }
            Fault::Entries(fault) => {
                sns.fail_entries(share(weather.percent / 2, weather.seed, fault));
            }
        }
    }
}
