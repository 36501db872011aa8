//! An OpenTelemetry collector, as far as OTLP over HTTP needs one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::wait_for;

/// Takes spans, or refuses them.
pub struct Collector {
    pub url: String,
    shared: Arc<Mutex<Shared>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    spans: Vec<Span>,
    refuse_with: Option<u16>,
}

/// A span as it came, with ids in hex.
#[derive(Debug, Clone)]
pub struct Span {
    pub name: String,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub state: String,
    pub kind: i32,
    pub nanoseconds: u64,
    pub is_error: bool,
    pub status: String,
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::<Mutex<Shared>>::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { url, shared, serving }
    }

    /// Answers with this status from now on; `None`: takes them.
    pub fn refuse_with(&self, status: Option<u16>) {
        self.shared.lock().unwrap().refuse_with = status;
    }

    /// All that it took.
    pub fn spans(&self) -> Vec<Span> {
        self.shared.lock().unwrap().spans.clone()
    }

    /// Waits until it has taken so many.
    pub async fn took(&self, count: usize) -> Vec<Span> {
        wait_for(&format!("{count} spans"), async || {
            Some(self.spans()).filter(|spans| spans.len() >= count)
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| take(Arc::clone(&shared), request));
        tokio::spawn(async move {
            // A client that hangs up is no matter.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn take(
    shared: Arc<Mutex<Shared>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    assert_eq!(request.uri().path(), "/v1/traces");
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    let body = request.into_body().collect().await?.to_bytes();
    let mut shared = shared.lock().unwrap();
    let status = shared.refuse_with.unwrap_or(200);
    if status == 200 {
        shared.spans.extend(read(&body));
    }
    Ok(Response::builder().status(status).body(Full::default()).unwrap())
}

fn read(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut found = Vec::new();
    for of_resource in request.resource_spans {
        let resource = texts(of_resource.resource.unwrap().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|it| it.spans) {
            let status = span.status.unwrap_or_default();
            found.push(Span {
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                state: span.trace_state,
                kind: span.kind,
                nanoseconds: span.end_time_unix_nano - span.start_time_unix_nano,
                is_error: status.code == 2,
                status: status.message,
                attributes: texts(span.attributes),
                resource: resource.clone(),
            });
        }
    }
    found
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().map(|it| (it.key, text(it.value.and_then(|it| it.value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
