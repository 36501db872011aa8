//! What SNS does wrong for a while, and which of its answers were lost by that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::fake_sns::{FakeSns, Request, RequestFault};
use crate::support::Stand;

/// Of a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Every second request.
    Throttled,
    /// Of this name.
    TopicGone(&'static str),
    Outage,
    /// A third of what SNS takes.
    AnswersLost,
    Slow,
}

impl Fault {
    pub const ALL: [Self; 6] = [
        Self::Throttled,
        Self::TopicGone("pm"),
        Self::TopicGone("muc"),
        Self::Outage,
        Self::AnswersLost,
        Self::Slow,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled => write!(f, "half of the requests throttled"),
            Self::TopicGone(topic) => write!(f, "topic {topic} gone"),
            Self::Outage => write!(f, "outage of SNS"),
            Self::AnswersLost => write!(f, "a third of the answers lost"),
            Self::Slow => write!(f, "SNS slow"),
        }
    }
}

/// How long SNS takes, and up to how much longer.
const LATENCY: Duration = Duration::from_millis(20);
const JITTER: Duration = Duration::from_millis(30);
const SLOW: Duration = Duration::from_millis(500);

/// What is above all workers.
#[derive(Clone)]
pub struct Sky {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    fault: Option<Fault>,
    rng: fastrand::Rng,
    /// Of each request, when it came to SNS.
    times: BTreeMap<u64, Instant>,
    lost_answers: BTreeSet<u64>,
}

impl Sky {
    /// From now on `sns` does what is asked for here, and keeps what it accepts.
    pub fn above(sns: &FakeSns, stand: &Stand, seed: u64) -> Self {
        sns.record();
        sns.set_latency(LATENCY);
        sns.set_jitter(JITTER);
        let rng = fastrand::Rng::with_seed(seed);
        let sky = Self { seen: Arc::new(Mutex::new(Seen { rng, ..Seen::default() })) };
        let (judge, prefix) = (sky.clone(), stand.topic_arn(""));
        sns.fail_requests(move |request| judge.seen().judge(request, &prefix));
        sky
    }

    pub fn begin(&self, sns: &FakeSns, fault: Fault) {
        self.seen().fault = Some(fault);
        sns.set_latency(if fault == Fault::Slow { SLOW } else { LATENCY });
    }

    pub fn clear(&self, sns: &FakeSns) {
        self.seen().fault = None;
        sns.set_latency(LATENCY);
    }

    pub fn fault(&self) -> Option<Fault> {
        self.seen().fault
    }

    pub fn times(&self) -> BTreeMap<u64, Instant> {
        self.seen().times.clone()
    }

    pub fn lost_answers(&self) -> BTreeSet<u64> {
        self.seen().lost_answers.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

impl Seen {
    fn judge(&mut self, request: &Request, prefix: &str) -> Option<RequestFault> {
        let number = request.entries.first().map(|it| it.request);
        self.times.extend(number.map(|number| (number, Instant::now())));
        match self.fault? {
            Fault::Throttled => self.rng.bool().then_some(RequestFault::THROTTLING),
            Fault::TopicGone(topic) => (request.topic.strip_prefix(prefix) == Some(topic))
                .then_some(RequestFault::NOT_FOUND),
            Fault::Outage => Some(RequestFault::UNAVAILABLE),
            Fault::AnswersLost if self.rng.u8(..3) == 0 => {
                self.lost_answers.extend(number);
                Some(RequestFault::Reset)
            }
            Fault::AnswersLost | Fault::Slow => None,
        }
    }
}
