//! The metrics for Prometheus: names, labels and descriptions.
//!
//! Handles are taken once and kept, so that counting an event is a few additions. All labels are from
//! closed sets or from the configuration: never a user, never a room.

mod reading;
#[cfg(test)]
mod tests;
mod totals;

pub use self::reading::{Reading, SourceReading, Times, TopicReading};
pub use self::totals::Totals;
pub(crate) use self::totals::sum;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

/// What all names begin with.
const NAMESPACE: &str = "event_pusher";

/// From one round trip in a data centre to the longest hold, in seconds.
const SECONDS: &[f64] = &[
    0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    1800.0,
];

/// SNS takes up to ten.
const ENTRIES: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many were up to which size.
    Histogram,
}

/// A metric as it is documented.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// The name without the common beginning.
    short: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// The upper bounds of a histogram's buckets.
    pub buckets: &'static [f64],
    /// What it tells.
    pub help: &'static str,
}

impl Reference {
    const fn new(
        kind: MetricKind,
        short: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { short, kind, labels, buckets: &[], help }
    }

    const fn histogram(
        short: &'static str,
        labels: &'static [&'static str],
        buckets: &'static [f64],
        help: &'static str,
    ) -> Self {
        Self { short, kind: MetricKind::Histogram, labels, buckets, help }
    }

    /// The name under which Prometheus finds it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{NAMESPACE}_{}", self.short)
    }

    fn opts(&self) -> Opts {
        Opts::new(self.short, self.help).namespace(NAMESPACE)
    }

    fn histogram_opts(&self) -> HistogramOpts {
        HistogramOpts::from(self.opts()).buckets(self.buckets.to_vec())
    }
}

/// One field for each metric, its definition, and the way to make them all.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ident = $reference:expr;)+) => {
        /// All metrics of a worker. Any thread may read them.
        #[derive(Debug, Clone)]
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $doc])+ pub(crate) $field: $type,)+
        }

        impl Metrics {
            fn make() -> prometheus::Result<Self> {
                let registry = Registry::new();
                $(
                    let $field = <$type as Make>::make(&$reference)?;
                    registry.register(Box::new($field.clone()))?;
                )+
                Ok(Self { registry, $($field,)+ })
            }
        }

        /// Every metric, in the order of the documents.
        pub const REFERENCE: &[Reference] = &[$($reference,)+];
    };
}

metrics! {
    /// Deliveries taken.
    deliveries: IntCounterVec = Reference::new(MetricKind::Counter, "deliveries_total", &["source"],
        "Deliveries taken from the queue, those that came again included. Equals outcomes, handed back and in flight together.");
    /// Deliveries that are settled.
    outcomes: IntCounterVec = Reference::new(MetricKind::Counter, "outcomes_total", &["source", "kind", "outcome", "reason"],
        "Deliveries that ended and are acknowledged: published, skipped or dead_lettered; kind is unknown for what is no event.");
    /// Deliveries that go back to the queue.
    handed_back: IntCounterVec = Reference::new(MetricKind::Counter, "handed_back_total", &["source"],
        "Deliveries that ended without an outcome and are delivered again: requeued, parked, or lost with their connection.");
    /// Events with parts replaced.
    mended: IntCounterVec = Reference::new(MetricKind::Counter, "mended_total", &["source"],
        "Events of which parts of the JSON were replaced to read it: lone surrogates by U+FFFD, numbers beyond a double by null. \
         Each has an outcome, too.");
    /// Deliveries without an end.
    in_flight: IntGaugeVec = Reference::new(MetricKind::Gauge, "in_flight", &["source"],
        "Deliveries that are neither settled nor handed back, including those that wait for a held topic.");
    /// From received to settled.
    delivery_seconds: HistogramVec = Reference::histogram("delivery_seconds", &["source"], SECONDS,
        "Seconds from the receipt of a delivery to the end of its settlement, including the time of holds.");
    /// Ready in the queue.
    queue_ready: IntGaugeVec = Reference::new(MetricKind::Gauge, "queue_ready", &["source"],
        "Events ready in the source's queue, which all workers share; updated every few seconds, absent without a connection, and while the \
         queue does not answer for more than half a minute.");
    /// Consumers of the queue.
    queue_consumers: IntGaugeVec = Reference::new(MetricKind::Gauge, "queue_consumers", &["source"],
        "Consumers of the source's queue: the workers that share it; absent as event_pusher_queue_ready is.");
    /// Partitions from which events come.
    partitions: IntGaugeVec = Reference::new(MetricKind::Gauge, "partitions", &["source"],
        "Partitions of the source from which this worker got events in the last 2 s, or has some in flight; the sum over all workers is \
         about the number of partitions that have events. Absent for a source without partitions.");
    /// Sorted events.
    sorted: IntCounterVec = Reference::new(MetricKind::Counter, "sorted_total", &["source"],
        "Events that this worker has passed on to their partitions, as the sorter of a source with partition_by = \"conversation\". \
         They are counted as deliveries where their partition is consumed.");
    /// What sorters do.
    sorter_state: IntGaugeVec = Reference::new(MetricKind::Gauge, "sorter_state", &["source", "state"],
        "1 for what this worker does as the sorter of a source with partition_by = \"conversation\", else 0: sorting, or failing (it can't \
         pass events on; they wait in the source's queue). Absent until it has been the sorter once.");
    /// Parked events.
    queue_parked: IntGaugeVec = Reference::new(MetricKind::Gauge, "queue_parked", &["source"],
        "Events of held topics that are parked in QUEUE.held and come back from time to time, not counted in the backlog; \
         updated every few seconds, absent without a connection or such a queue, and while it does not answer for more than half a minute.");
    /// Dead letters that wait.
    dead_letters_queued: IntGaugeVec = Reference::new(MetricKind::Gauge, "dead_letters_queued", &["queue"],
        "Messages in the dead-letter queue, which all workers share, of any publisher; updated every few \
         seconds, absent without a connection or such a queue, and while it does not answer, or is being read, for more than half a minute.");
    /// Work to be done.
    backlog: GaugeVec = Reference::new(MetricKind::Gauge, "backlog", &["source"],
        "Events to be published, as this worker's share: those ready in the queue divided by its consumers, and those in flight here, \
         or its whole prefetch while any are ready. \
         The sum over all workers is all that is ready or unacknowledged: scale by it, and busy workers stay.");
    /// Requests that were answered, or not.
    publish_requests: IntCounterVec = Reference::new(MetricKind::Counter, "publish_requests_total", &["topic", "result"],
        "Requests to SNS that ended: accepted, partial (some entries were refused), or the fault that all of it met.");
    /// Messages that were accepted.
    published: IntCounterVec = Reference::new(MetricKind::Counter, "published_total", &["topic"],
        "Messages that SNS accepted; one that is delivered again after that counts again.");
    /// Retries.
    retries: IntCounterVec = Reference::new(MetricKind::Counter, "retries_total", &["topic", "reason"],
        "Attempts to publish that are repeated after a pause, by what the attempt before met.");
    /// A request's time.
    publish_seconds: HistogramVec = Reference::histogram("publish_seconds", &["topic"], SECONDS,
        "Seconds that a request to SNS took, whatever its answer.");
    /// A request's entries.
    batch_entries: Histogram = Reference::histogram("batch_entries", &[], ENTRIES,
        "Messages in a request to SNS.");
    /// Requests under way.
    requests_in_flight: IntGauge = Reference::new(MetricKind::Gauge, "requests_in_flight", &[],
        "Requests to SNS under way, those included that rest after a throttle.");
    /// How many there may be.
    request_limit: Gauge = Reference::new(MetricKind::Gauge, "request_limit", &[],
        "Requests to SNS that may be under way at once, sns.pool_size at most: 16 at first, more with each that goes well, \
         fewer when SNS throttles or fails, or when this process is what is slow.");
    /// What is held.
    held: IntGaugeVec = Reference::new(MetricKind::Gauge, "held", &["scope", "topic"],
        "1 while the topic (scope route) or everything (scope service) is held, else 0.");
    /// What is paused.
    paused: IntGaugeVec = Reference::new(MetricKind::Gauge, "paused", &["scope", "name"],
        "1 while an operator has paused the topic, the source or everything (scope topic, source or all), else 0; not counted as held.");
    /// What is no command.
    fleet_commands_ignored: IntCounterVec = Reference::new(MetricKind::Counter, "fleet_commands_ignored_total", &["reason"],
        "Messages in the stream of operators' commands that this worker ignored: too_large, unreadable, foreign (of another user of the \
         broker), unsigned, other_fleet, repeated, wrong_end or too_many; those of before count at each start.");
    /// Whether all is connected.
    connected: IntGauge = Reference::new(MetricKind::Gauge, "connected", &[],
        "1 while every source that has a topic is connected to the broker and consumes, is a standby or is paused by an operator, else 0.");
    /// What each source does.
    source_state: IntGaugeVec = Reference::new(MetricKind::Gauge, "source_state", &["source", "state"],
        "1 for the state in which the source is, else 0: connecting, consuming, standby (another consumer is the single active one of its \
         queue; known seconds or some heartbeats after events begin to wait there), disconnected, waiting (until a held topic or the \
         service flows again), paused (by an operator) or no_topic (it is not consumed, since no topic is set for what it carries).");
    /// The fleet.
    fleet_workers: IntGauge = Reference::new(MetricKind::Gauge, "fleet_workers", &[],
        "Workers of the fleet that this worker has heard in the last seconds, itself included; 0 while it hears nobody, as with fleet.view = \
         false or without the rights for it.");
    /// What was said in the fleet, and not believed.
    fleet_reports_ignored: IntCounterVec = Reference::new(MetricKind::Counter, "fleet_reports_ignored_total", &["reason"],
        "Reports of other workers that were not believed: too_large, malformed, user (of another user of the broker), signature (not by \
         amqp.signing_key_file's key), old (a later one was heard before), clock (signed, and more than 15 minutes old or early) or too_many \
         (more workers than are shown).");
    /// Spans.
    trace_spans: IntCounterVec = Reference::new(MetricKind::Counter, "trace_spans_total", &["result"],
        "Spans of events: exported, failed (the collector did not take them), or dropped, since more waited than may; absent where \
         trace.otlp_endpoint is empty.");
    /// The version.
    build_info: IntGaugeVec = Reference::new(MetricKind::Gauge, "build_info", &["version"],
        "Always 1; the version is in its label.");
}

impl Metrics {
    /// Nothing is counted yet.
    ///
    /// # Panics
    ///
    /// If a definition above is invalid or there twice, which every test would notice.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self::make().expect("valid definitions, each with a name of its own");
        metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics
    }

    /// All of them in Prometheus' text format.
    ///
    /// # Errors
    ///
    /// None, as long as the definitions here are valid.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A collector that can be made from its definition.
trait Make: Sized {
    fn make(reference: &Reference) -> prometheus::Result<Self>;
}

macro_rules! make {
    ($($type:ident: |$it:ident| $new:expr;)+) => {
        $(impl Make for $type {
            fn make($it: &Reference) -> prometheus::Result<Self> {
                $new
            }
        })+
    };
}

make! {
    IntCounterVec: |it| Self::new(it.opts(), it.labels);
    IntGaugeVec: |it| Self::new(it.opts(), it.labels);
    GaugeVec: |it| Self::new(it.opts(), it.labels);
    HistogramVec: |it| Self::new(it.histogram_opts(), it.labels);
    IntGauge: |it| Self::with_opts(it.opts());
    Gauge: |it| Self::with_opts(it.opts());
    Histogram: |it| Self::with_opts(it.histogram_opts());
}
