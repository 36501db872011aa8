//! A worker's health and metrics, as a monitor gets them.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Worker, wait_for};

/// For a worker that is to be asked: any free port.
pub const ADMIN: (&str, &str) = ("ADMIN__LISTEN", "127.0.0.1:0");

/// Where a worker answers.
pub struct Admin(String);

impl Admin {
    /// Of a worker that was started with [`ADMIN`].
    pub async fn of(worker: &Worker) -> Self {
        let line = worker.logged("admin_listening").await;
        Self::at(line["at"].as_str().unwrap())
    }

    /// Host and port.
    pub fn at(address: &str) -> Self {
        Self(address.to_owned())
    }

    pub fn address(&self) -> &str {
        &self.0
    }

    /// Status and body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.0).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// What `/readyz` says.
    pub async fn ready(&self) -> (u16, Value) {
        let (status, body) = self.get("/readyz").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    pub async fn is_ready(&self) {
        wait_for("readiness", async || (self.ready().await.0 == 200).then_some(())).await;
    }

    /// Waits until it is not ready for this reason, and returns that problem.
    pub async fn is_not_ready(&self, reason: &str) -> Value {
        wait_for(&format!("a problem {reason}"), async || {
            let (status, body) = self.ready().await;
            let problems = body["problems"].as_array().unwrap();
            assert_eq!(status == 200, problems.is_empty(), "{body}");
            problems.iter().find(|it| it["reason"] == reason).cloned()
        })
        .await
    }

    pub async fn scrape(&self) -> Scrape {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        Scrape::read(&text)
    }

    /// Waits for a scrape that is as wanted.
    pub async fn shows(&self, what: &str, wanted: impl Fn(&Scrape) -> bool) -> Scrape {
        wait_for(what, async || Some(self.scrape().await).filter(&wanted)).await
    }

    /// Waits until so many deliveries have ended and none is under way, and returns how all is then: what one
    /// answer says was read one by one, while it changed.
    pub async fn rests_after(&self, outcomes: i64) -> Scrape {
        let rests = |it: &Scrape| {
            (it.sum("outcomes_total", &[]), it.sum("in_flight", &[])) == (outcomes, 0)
        };
        self.shows(&format!("rest after {outcomes} outcomes"), rests).await;
        self.scrape().await
    }
}

/// All samples, by name and labels as they stand in the text.
#[derive(Debug)]
pub struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    fn read(text: &str) -> Self {
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        Self(text.lines().filter(|line| !line.starts_with('#')).map(sample).collect())
    }

    /// The sum over all samples of a metric whose labels hold all of these, `label="value"` each; in whole
    /// numbers.
    #[allow(clippy::cast_possible_truncation, reason = "no test counts that far")]
    pub fn sum(&self, name: &str, labels: &[&str]) -> i64 {
        self.all(name, labels).sum::<f64>().floor() as i64
    }

    pub fn has(&self, name: &str, labels: &[&str]) -> bool {
        self.all(name, labels).next().is_some()
    }

    fn all(&self, name: &str, labels: &[&str]) -> impl Iterator<Item = f64> {
        let name = format!("event_pusher_{name}");
        self.0.iter().filter_map(move |(sample, value)| {
            let (own, rest) = sample.split_once('{').unwrap_or((sample, ""));
            (own == name && labels.iter().all(|label| rest.contains(label))).then_some(*value)
        })
    }

    /// What was received, less all that it became. Zero at rest.
    pub fn unaccounted(&self) -> i64 {
        let sum = |name| self.sum(name, &[]);
        sum("deliveries_total")
            - sum("outcomes_total")
            - sum("handed_back_total")
            - sum("in_flight")
    }

    /// The labels that a metric has.
    pub fn labels(&self, name: &str) -> Vec<&str> {
        let name = format!("event_pusher_{name}{{");
        self.0.keys().filter_map(|sample| sample.strip_prefix(&*name)).collect()
    }
}
