//! `amqps`: whom the worker trusts, whom the broker does, and what is said where one does not.

use std::path::Path;

use crate::support::{Authority, Ended, Event, OwnBroker, Program, Stand, Worker};

/// Settings for a connection to `host`.
struct Reach<'a> {
    uri: String,
    files: Vec<(&'a str, String)>,
}

impl<'a> Reach<'a> {
    fn new(scheme: &str, host: &str, port: u16) -> Self {
        Self { uri: format!("{scheme}://guest:guest@{host}:{port}/%2f"), files: Vec::new() }
    }

    fn with(mut self, key: &'a str, file: impl Into<String>) -> Self {
        self.files.push((key, file.into()));
        self
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        let files = self.files.iter().map(|(key, file)| (*key, file.as_str()));
        files.chain([("AMQP__URI", self.uri.as_str())]).collect()
    }

    async fn check(&self, arguments: &[&str]) -> Ended {
        let program = Program::new(&[&["check"], arguments].concat());
        // There is no SNS to be checked.
        let program = program.with("AMQP__SOURCES__EVENTS__DISCARD", "true");
        self.settings().iter().fold(program, |it, (key, value)| it.with(key, value)).run().await
    }

    /// The only problem that `check` finds.
    async fn problem(&self) -> String {
        let ended = self.check(&[]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        ended.line("✗ ").to_owned()
    }
}

/// Events and dead letters go through. TLS is fine with it, if the events' connection is.
async fn check_alive(stand: Stand, reach: &Reach<'_>) {
    let worker = Worker::start_with(&stand, &reach.settings()).await;
    stand.publish(Event::presence("alice@localhost", true)).await;
    stand.publish(Event::new("no event")).await;
    stand.receive("presence", 1).await;
    stand.take_dead_letters(1).await;
    assert_eq!(worker.stop().await.status.code(), Some(0));
    stand.leave_nothing().await;
}

const CA: &str = "AMQP__CA_FILE";
const CERT: &str = "AMQP__CERT_FILE";
const KEY: &str = "AMQP__KEY_FILE";

#[tokio::test]
async fn events_come_by_tls_from_a_broker_of_ones_own_authority() {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = Stand::on("tls", &broker.uri(0)).await;
    let port = broker.listen_for_tls(false).await;
    let ca = broker.authority().certificate("authority");
    check_alive(stand, &Reach::new("amqps", "localhost", port).with(CA, ca)).await;
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_broker_that_asks_for_one() {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = Stand::on("tls-client", &broker.uri(0)).await;
    let port = broker.listen_for_tls(true).await;
    let files = broker.authority();
    let nameless =
        || Reach::new("amqps", "localhost", port).with(CA, files.certificate("authority"));
    let problem = nameless().problem().await;
    for said in ["asks for a client certificate", "set amqp.cert_file and amqp.key_file"] {
        assert!(problem.contains(said), "{problem}");
    }
    let known = nameless().with(CERT, files.certificate("client")).with(KEY, files.key("client"));
    check_alive(stand, &known).await;
}

#[tokio::test]
async fn a_broker_that_can_not_be_trusted_is_refused_with_the_reason() {
    let (broker, _guard) = OwnBroker::shared().await;
    let port = broker.listen_for_tls(false).await;
    let files = broker.authority();
    let (ca, other) = (files.certificate("authority"), files.certificate("other"));

    let problem = Reach::new("amqps", "127.0.0.1", port).with(CA, &ca).problem().await;
    assert!(problem.contains("not valid for name \"127.0.0.1\""), "{problem}");
    assert!(problem.contains("use a host name in amqp.uri"), "{problem}");

    let problem = Reach::new("amqps", "localhost", port).with(CA, &other).problem().await;
    assert!(problem.contains(&format!("is not in amqp.ca_file, {other};")), "{problem}");

    let problem = Reach::new("amqps", "localhost", port).problem().await;
    assert!(problem.contains("into amqp.ca_file"), "{problem}");
}

#[tokio::test]
async fn the_wrong_port_for_the_scheme_is_named_as_such() {
    let (broker, _guard) = OwnBroker::shared().await;
    let port = broker.listen_for_tls(false).await;
    let problem = Reach::new("amqp", "localhost", port).problem().await;
    assert!(problem.contains("if this is the port for TLS, write amqps://"), "{problem}");
    let ca = broker.authority().certificate("authority");
    let problem = Reach::new("amqps", "localhost", broker.port(0)).with(CA, ca).problem().await;
    assert!(problem.contains("this port does not speak TLS; use the port for TLS"), "{problem}");
}

/// With and without looking at the network.
#[tokio::test]
async fn files_that_are_no_certificates_are_problems_of_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::create(folder.path());
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let armoured =
        |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let missing = &*folder.path().join("missing").to_str().unwrap().to_owned();
    let (empty, base64) = (&*file("empty", ""), &*file("base64", &armoured("!")));
    let der = &*file("der", &armoured("AAAA"));
    let (certificate, key) = (&*files.certificate("client"), &*files.key("client"));
    let other_key = &*files.key("server");
    let cases = [
        (vec![(CA, missing)], "ca_file", "No such file"),
        (vec![(CA, empty)], "ca_file", "no certificate is in it"),
        (vec![(CA, base64)], "ca_file", "base64 decode error"),
        (vec![(CA, der)], "ca_file", "invalid"),
        (vec![(CERT, missing), (KEY, key)], "cert_file", "No such file"),
        (vec![(CERT, certificate), (KEY, missing)], "key_file", "No such file"),
        (vec![(CERT, key), (KEY, key)], "cert_file", "no certificate is in it"),
        (vec![(CERT, certificate), (KEY, certificate)], "key_file", "no private key is in it"),
        (
            vec![(CERT, certificate), (KEY, other_key)],
            "key_file",
            "the key is not the certificate's",
        ),
    ];
    for (settings, key, wrong) in cases {
        let start = Reach::new("amqps", "localhost", 1);
        let reach = settings.iter().fold(start, |it, (key, file)| it.with(key, *file));
        for arguments in [&["--offline"][..], &[]] {
            let ended = reach.check(arguments).await;
            assert_eq!(ended.code, Some(1), "{}", ended.all());
            let line = ended.line("✗ ");
            let named = settings.iter().any(|(_, file)| line.contains(*file));
            assert!(named && line.contains(key) && line.contains(wrong), "{key}: {wrong}: {line}");
        }
    }
}

/// They may be mounted after the start, or renewed: each connection reads them anew.
#[tokio::test]
async fn a_certificate_that_comes_later_is_waited_for() {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = Stand::on("tls-late", &broker.uri(0)).await;
    let port = broker.listen_for_tls(false).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let reach = Reach::new("amqps", "localhost", port).with(CA, path.to_str().unwrap());
    let worker = Worker::spawn(&stand, crate::support::binary(), &reach.settings());
    let line = worker.logged("not_consuming").await["error"].to_string();
    assert!(line.contains("amqp.ca_file") && line.contains("No such file"), "{line}");
    put(Path::new(&broker.authority().certificate("authority")), &path);
    worker.logged("consuming").await;
    worker.stop().await;
    stand.leave_nothing().await;
}

/// At once, so that nobody reads half of it.
fn put(from: &Path, to: &Path) {
    let beside = to.with_extension("new");
    std::fs::copy(from, &beside).unwrap();
    std::fs::rename(beside, to).unwrap();
}
