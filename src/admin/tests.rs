//! The server over real sockets, with a workers' thread that is played.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::health::STUCK_AFTER;
use super::*;
use crate::arn::TopicArn;
use crate::config::Inputs;
use crate::observe::monitor::{Sorting, SourceObservation, State as SourceState};
use crate::outcome::{Circuit, Fault, Scope, SourceError};
use crate::plugin::{DefaultPlugin, Plugins};
use crate::publish::hold::OpenCircuit;

struct Server {
    at: SocketAddr,
    status: watch::Sender<Status>,
    _stop: watch::Sender<bool>,
}

/// Leads to nothing that answers.
const CONFIGURATION: &str = r#"
amqp.uri = "amqp://guest:planted@127.0.0.1:1/%2f"
admin.listen = "127.0.0.1:0"
admin.token = "planted-and-long-enough-for-a-login"
"#;

impl Server {
    fn start() -> Self {
        let (sender, status) = watch::channel(Status::starting());
        let files = vec![("worker.toml".to_owned(), CONFIGURATION.to_owned())];
        let inputs = Inputs { files, environment: vec![] };
        let config = Config::load(&inputs, &[DefaultPlugin::NAME]).unwrap();
        let listener = listen("127.0.0.1:0", &config.admin).unwrap();
        let router = config.router(&Plugins::default()).unwrap();
        let (sending, stop) = watch::channel(false);
        let (name, busy) = ("test".to_owned(), watch::Sender::new(false));
        let (metrics, log, connections) = (Arc::default(), RecentLog::default(), 128);
        let fleet = None;
        let setup =
            Setup { status, metrics, log, config, router, name, fleet, stop, busy, connections };
        Self { at: serve(listener, setup).unwrap(), status: sender, _stop: sending }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    /// Sends this and reads to the end.
    fn send(&self, request: &str) -> String {
        let mut stream = self.connect();
        // It may refuse before it has read all.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// The status of the answer to this.
    fn answers(&self, request: &str) -> u16 {
        let answer = self.send(request);
        let status = answer.strip_prefix("HTTP/1.1 ").and_then(|it| it.get(..3)?.parse().ok());
        status.unwrap_or_else(|| panic!("{request:.60}: {answer:?}"))
    }

    fn get(&self, path: &str) -> (u16, serde_json::Value) {
        let answer = self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("application/json") && head.contains("no-store"), "{head}");
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    fn see(&self, state: SourceState, holds: Vec<OpenCircuit>) {
        let now = SourceObservation::now("events", state);
        let seen = SourceObservation { since: Timestamp::UNIX_EPOCH, ..now };
        self.status.send_replace(Status { sources: vec![seen], holds, ..Status::starting() });
    }
}

fn hold(circuit: Circuit, code: &str) -> OpenCircuit {
    let fault = Fault { scope: Scope::Service, code: code.to_owned(), detail: String::new() };
    let (since, advice) = (Timestamp::UNIX_EPOCH, "mend it");
    let (lasted, next_probe) = (Duration::from_secs(9), Duration::from_millis(1500));
    OpenCircuit { circuit, since, lasted, waiting: 3, next_probe, fault, advice }
}

#[test]
fn ready_is_who_consumes_and_is_not_held_as_a_whole() {
    let server = Server::start();
    let (status, body) = server.get("/readyz");
    assert_eq!((status, &body["problems"][0]["reason"]), (503, &"starting".into()), "{body}");
    server.see(SourceState::Consuming, vec![]);
    let (status, body) = server.get("/readyz");
    assert_eq!(
        (status, &body["ready"], &body["problems"]),
        (200, &true.into(), &serde_json::json!([]))
    );
    let topic = TopicArn::build("us-east-1", "123456789012", "pm").unwrap();
    server.see(SourceState::Consuming, vec![hold(Circuit::Topic(topic.clone()), "NotFound")]);
    let (status, body) = server.get("/readyz");
    let held = serde_json::json!({
        "scope": "route", "topic": topic.as_str(), "since": "1970-01-01T00:00:00Z", "waiting": 3,
        "next_probe_seconds": 1.5, "error": "NotFound", "what_to_do": "mend it",
    });
    assert_eq!(
        (status, &body["held"]),
        (200, &serde_json::json!([held])),
        "a held topic stays ready"
    );
    server.see(SourceState::Waiting(Circuit::Topic(topic)), vec![]);
    assert_eq!(server.get("/readyz").0, 200, "nor does it change anything how it waits");
    server.see(SourceState::NoTopic, vec![]);
    let (status, body) = server.get("/readyz");
    assert_eq!((status, &body["sources"][0]["state"]), (200, &"no_topic".into()), "{body}");
}

#[test]
fn each_way_not_to_be_ready_says_why_since_when_and_what_to_do() {
    let server = Server::start();
    let lost = SourceState::Disconnected(SourceError::Failed("connection refused".to_owned()));
    for (state, holds, reason, error) in [
        (SourceState::Connecting, vec![], "connecting", None),
        (lost, vec![], "disconnected", Some("connection refused")),
        (SourceState::Waiting(Circuit::Service), vec![], "waiting", None),
        (
            SourceState::Consuming,
            vec![hold(Circuit::Service, "ExpiredToken")],
            "service_held",
            Some("ExpiredToken"),
        ),
    ] {
        server.see(state, holds);
        let (status, body) = server.get("/readyz");
        assert_eq!((status, &body["ready"]), (503, &false.into()), "{body}");
        let problem = &body["problems"][0];
        assert_eq!((problem["reason"].as_str(), problem["error"].as_str()), (Some(reason), error));
        assert_eq!(problem["since"], "1970-01-01T00:00:00Z");
        assert!(!problem["what_to_do"].as_str().unwrap().is_empty(), "{body}");
        assert_eq!(server.get("/livez").0, 200, "{reason}: a restart would not help");
    }
    let error = SourceError::Failed("a partition is full".to_owned());
    let sorting = Some(Sorting::Fails(error, Timestamp::UNIX_EPOCH));
    let now = SourceObservation::now("events", SourceState::Consuming);
    let sources = vec![SourceObservation { sorting, ..now }];
    server.status.send_replace(Status { sources, ..Status::starting() });
    let (status, body) = server.get("/readyz");
    let problem = &body["problems"][0];
    assert_eq!(
        (status, &problem["reason"], &problem["source"], &problem["error"]),
        (503, &"cannot_sort".into(), &"events".into(), &"a partition is full".into()),
        "{body}"
    );
    let stopping = Status { stopping_since: Some(Timestamp::UNIX_EPOCH), ..Status::starting() };
    server.status.send_replace(stopping);
    assert_eq!(server.get("/readyz").1["problems"][0]["reason"], "stopping");
}

#[test]
fn a_loop_that_does_not_turn_is_not_live_although_somebody_still_answers() {
    let server = Server::start();
    let at = Instant::now().checked_sub(Duration::from_secs(9)).unwrap();
    server.status.send_replace(Status { at, ..Status::starting() });
    assert_eq!(server.get("/livez").0, 200);
    let deadline = Instant::now() + Duration::from_mins(1);
    let body = loop {
        let (status, body) = server.get("/livez");
        if status == 503 {
            break body;
        }
        assert!(Instant::now() < deadline, "still alive: {body}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(at.elapsed() >= STUCK_AFTER);
    assert_eq!((&body["live"], &body["problems"][0]["reason"]), (&false.into(), &"stuck".into()));
    assert_eq!(server.get("/readyz").0, 503);
    {
        crate::plugin::running::watch_this_thread();
        let _asked = crate::plugin::running::Mark::of("sleepy").asked();
        let body = server.get("/livez").1;
        assert_eq!(body["problems"][0]["error"], "the plugin `sleepy` does not return", "{body}");
    }
    server.see(SourceState::Consuming, vec![]);
    assert_eq!((server.get("/livez").0, server.get("/readyz").0), (200, 200), "it turns again");
}

#[test]
fn what_is_not_asked_for_properly_is_refused() {
    let server = Server::start();
    let line = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
    for path in [
        "/index.html",
        "/live",
        "/livez/",
        "//livez",
        "/x/../livez",
        "/%6civez/",
        "/metrics/../../etc/passwd",
        "/../Cargo.toml",
        "/page.js/",
        "/page.js%00",
        "/%2e%2e/page.js",
        "/assets/page.js",
        "/api",
        "/api/",
        "/api/dead-letters/letter/a/b",
        "/api/dead-letters/../status",
        "/runbook/",
        "/runbook.md",
    ] {
        assert_eq!(server.answers(&line(&format!("GET {path}"))), 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        for path in ["/livez", "/readyz", "/metrics"] {
            assert_eq!(server.answers(&line(&format!("{method} {path}"))), 405, "{method} {path}");
        }
    }
    for path in
        ["/", "/page.js", "/runbook", "/api/status", "/api/stream", "/api/log", "/api/dead-letters"]
    {
        assert_eq!(
            server.answers(&line(&format!("POST {path}"))),
            421,
            "{path}: by a foreign name"
        );
        let own = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(server.answers(&own), 405, "{path}");
    }
    let by =
        |name: &str| format!("GET http://{name}/api/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(server.answers(&by("evil.example")), 421, "by a foreign name in the request itself");
    assert_eq!(server.answers(&by("localhost")), 200);
    for path in
        ["/api/login", "/api/logout", "/api/dead-letters/replay", "/api/dead-letters/discard"]
    {
        let own = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(server.answers(&own), 405, "{path}");
    }
    assert_eq!(server.answers("nonsense\r\n\r\n"), 400);
    for host in ["evil.example", "127.0.0.1:9464", "<script>", "a b", ""] {
        let answer = server.send(&format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("evil"), "{answer}");
    }
    let head = server.send(&line("HEAD /metrics"));
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn a_request_with_two_hosts_is_refused() {
    let server = Server::start();
    for path in ["/livez", "/metrics", "/"] {
        let request = |hosts: &str| format!("GET {path} HTTP/1.1\r\n{hosts}\r\n");
        assert_eq!(server.answers(&request("Host: x\r\nHost: y\r\n")), 400, "{path}");
        assert_eq!(server.answers(&request("Host: x\r\nhost: x\r\n")), 400, "{path}");
        assert_ne!(server.answers(&request("Host: x\r\n")), 400, "{path}");
    }
}

#[test]
fn a_request_that_is_too_long_is_refused() {
    let server = Server::start();
    let long = "x".repeat(100_000);
    assert_eq!(
        server.answers(&format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n")),
        431
    );
    let refused = server.answers(&format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!([414, 431].contains(&refused), "{refused}");
    let many = "X: y\r\n".repeat(1000);
    assert_eq!(server.answers(&format!("GET /livez HTTP/1.1\r\nHost: x\r\n{many}\r\n")), 431);
    let sized = "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    assert_eq!(server.answers(sized), 413);
    let large = format!(
        "POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{long}"
    );
    assert_eq!(server.answers(&large), 413);
    let endless = "GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(server.answers(endless), 413);
}

#[test]
fn clients_that_send_nothing_are_disconnected_and_others_get_their_turn() {
    let server = Server::start();
    let idle: Vec<_> = (0..200).map(|_| server.connect()).collect();
    let mut slow = server.connect();
    slow.write_all(b"GET /livez HT").unwrap();
    assert_eq!(server.get("/livez").0, 200, "while {} stay connected", idle.len());
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(!answer.contains("200"), "{answer}");
}

#[test]
fn an_address_that_is_taken_is_told_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let admin = Admin {
        tokens: std::collections::BTreeMap::new(),
        listen: None,
        health_listen: None,
        token: None,
        hosts: vec![],
        price_per_million_requests: 0.5,
    };
    let error = listen(&address, &admin).unwrap_err();
    assert!(error.contains("admin.listen") && error.contains("another worker"), "{error}");
    assert!(listen("host.invalid:1", &admin).unwrap_err().contains("give a host and port"));
}
