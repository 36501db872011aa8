//! Exports spans to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! A separate thread sends them from a bounded queue. If the collector is slow or can't be reached, spans are
//! dropped and counted; the workers never wait.
//!
//! The SDK's own batch processor drops without telling how many, so only its exporter is used.

mod client;
mod data;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use self::client::{Client, LastError};
use super::span::Span;
use crate::observe::metrics::Metrics;
use crate::pause::Pauses;

/// Spans in one request, which has some 200 KiB then. As many as the SDK's own batches have.
const BATCH: usize = 512;

/// Spans that may wait: a few MiB.
const QUEUE: usize = 8 * BATCH;

/// How long a span waits for others.
const LINGER: Duration = Duration::from_secs(1);

/// Between two looks at how many wait. Looking is cheaper than to be woken for each.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// For a request, its retries included.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pauses after a request that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The queue of finished spans. Clones share it.
#[derive(Debug, Clone)]
pub struct Spans(Rc<Queue>);

#[derive(Debug)]
struct Queue {
    /// `None`: no more are taken.
    sender: RefCell<Option<mpsc::Sender<Box<Span>>>>,
    metrics: Arc<Metrics>,
}

impl Spans {
    /// Never waits: a span for which there is no room is dropped.
    pub(super) fn send(&self, span: Box<Span>) {
        let taken = self.0.sender.borrow().as_ref().is_some_and(|it| it.try_send(span).is_ok());
        if !taken {
            self.0.metrics.trace_spans.with_label_values(&["dropped"]).inc();
        }
    }
}

/// The thread that sends.
#[derive(Debug)]
pub struct Exporter {
    spans: Spans,
    done: oneshot::Receiver<()>,
}

impl Exporter {
    /// Begins to wait for spans. Headers, such as a key of the collector's, and further attributes of this worker
    /// come from the environment, by OpenTelemetry's own names.
    ///
    /// # Errors
    ///
    /// In words for the operator.
    pub fn start(endpoint: &Url, host: &str, metrics: Arc<Metrics>) -> Result<Self, String> {
        let cannot = |what: &str| format!("trace.otlp_endpoint = \"{endpoint}\": {what}");
        // So that the first one of each is an increase.
        for result in ["exported", "failed", "dropped"] {
            let _ = metrics.trace_spans.with_label_values(&[result]);
        }
        let last_error = LastError::default();
        let client = Client::new(PATIENCE, last_error.clone()).map_err(|error| cannot(&error))?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint.as_str())
            .with_timeout(PATIENCE)
            .with_http_client(client)
            .build()
            .map_err(|error| cannot(&error.to_string()))?;
        exporter.set_resource(&data::resource(host));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| cannot(&error.to_string()))?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let (say_done, done) = oneshot::channel();
        let sending = Sending {
            queue,
            batch: Vec::new(),
            exporter,
            last_error,
            metrics: Arc::clone(&metrics),
            failing: false,
        };
        let thread = move || {
            runtime.block_on(sending.run());
            // Nobody may be waiting for it any more.
            let _ = say_done.send(());
        };
        let started = thread::Builder::new().name("traces".to_owned()).spawn(thread);
        started.map_err(|error| cannot(&error.to_string()))?;
        tracing::info!(event = "spans_exported", %endpoint, "spans are exported");
        let sender = RefCell::new(Some(sender));
        Ok(Self { spans: Spans(Rc::new(Queue { sender, metrics })), done })
    }

    /// Where to put spans.
    #[must_use]
    pub fn spans(&self) -> Spans {
        self.spans.clone()
    }

    /// Takes no more, and sends those that wait.
    pub async fn close(self, within: Duration) {
        self.spans.0.sender.take();
        if timeout(within, self.done).await.is_err() {
            tracing::warn!(
                event = "last_spans_lost",
                ?within,
                "last spans lost: the collector did not take them in time"
            );
        }
    }
}

/// What the thread has.
struct Sending {
    queue: mpsc::Receiver<Box<Span>>,
    batch: Vec<SpanData>,
    exporter: SpanExporter,
    last_error: LastError,
    metrics: Arc<Metrics>,
    failing: bool,
}

impl Sending {
    async fn run(mut self) {
        let pauses = || Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut growing = pauses();
        while self.gather().await {
            if self.send().await {
                growing = pauses();
            } else {
                self.rest(growing.draw()).await;
            }
        }
    }

    /// Waits until there are enough for a request, or one has waited for long. Returns whether there is any.
    async fn gather(&mut self) -> bool {
        let Some(first) = self.queue.recv().await else { return false };
        self.batch.push(data::of(*first));
        let since = Instant::now();
        while self.queue.len() + 1 < BATCH && since.elapsed() < LINGER && !self.queue.is_closed() {
            sleep(LOOK_AGAIN).await;
        }
        while self.batch.len() < BATCH
            && let Ok(next) = self.queue.try_recv()
        {
            self.batch.push(data::of(*next));
        }
        true
    }

    /// Returns whether the collector took them.
    async fn send(&mut self) -> bool {
        let count = self.batch.len() as u64;
        let sent = self.exporter.export(std::mem::take(&mut self.batch)).await;
        let result = if sent.is_ok() { "exported" } else { "failed" };
        self.metrics.trace_spans.with_label_values(&[result]).inc_by(count);
        let was_failing = std::mem::replace(&mut self.failing, sent.is_err());
        match sent {
            Ok(()) if was_failing => {
                tracing::info!(event = "spans_taken_again", "collector takes spans again");
            }
            Err(error) if !was_failing => tracing::warn!(
                event = "spans_lost",
                error = self.last_error.take().unwrap_or_else(|| error.to_string()),
                "collector takes no spans: spans are lost until the collector takes them again; events flow on. \
                 Check the collector, or correct trace.otlp_endpoint"
            ),
            Ok(()) | Err(_) => {}
        }
        !self.failing
    }

    /// Spans that come meanwhile wait in the queue, until it is full. At the end there is no time for it.
    async fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.queue.is_closed() {
            sleep(LOOK_AGAIN).await;
        }
    }
}
