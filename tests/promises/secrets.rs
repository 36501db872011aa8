//! What a worker says in its worst hour holds no secret and no event's text: every level of every
//! library's log, in both formats, metrics, health, and the headers of dead letters.

use lapin::BasicProperties;

use crate::fake_sns::{EntryFault, FakeSns, RequestFault, share};
use crate::support::{ADMIN, Admin, Door, Event, OwnBroker, Proxy, Stand, Worker, wait_for};

/// In every secret and in every text.
const MARKER: &str = "planted-7f3a";

/// What a log of bytes would make of it.
const IN_NUMBERS: &str = "112, 108, 97, 110, 116, 101, 100";

/// And one of base64, wherever in a text it begins.
const IN_BASE64: [&str; 3] = ["cGxhbnRlZC03ZjNh", "BsYW50ZWQtN2YzY", "wbGFudGVkLTdmM2"];

fn assert_clean(what: &str, text: &str) {
    for marker in [MARKER, IN_NUMBERS].iter().chain(&IN_BASE64) {
        if let Some(line) = text.lines().find(|line| line.contains(marker)) {
            panic!("{what} shows {marker}: {line}");
        }
    }
}

/// A user of the stand's broker whose password is a marker; returns the URI to use it with.
async fn uri_of_user(broker: &OwnBroker, stand: &Stand) -> String {
    let (name, password) = (&stand.id, format!("{MARKER}-password"));
    let allow = format!(
        "rabbit_auth_backend_internal:add_user(<<\"{name}\">>, <<\"{password}\">>, <<\"test\">>), \
         rabbit_auth_backend_internal:set_permissions(<<\"{name}\">>, <<\"/\">>, \
         <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"test\">>)."
    );
    broker.eval(0, &allow).await;
    stand.amqp_uri.replacen("guest:guest", &format!("{name}:{password}"), 1)
}

/// Waits until the broker knows of so many connections of that user's.
async fn connections(broker: &OwnBroker, stand: &Stand, count: usize) {
    let look = format!(
        "length([C || C <- rabbit_networking:local_connections(), \
         (catch rabbit_reader:info(C, [user])) =:= [{{user, <<\"{}\">>}}]]).",
        stand.id
    );
    wait_for(&format!("{count} connections"), async || {
        (broker.eval(0, &look).await == count.to_string()).then_some(())
    })
    .await;
}

/// Good ones, and some of each way not to be: all with the marker in their text.
fn events() -> Vec<Event> {
    let chat = |number: usize| {
        Event::chat("ann@h", "bob@h", &format!("{MARKER} {number}")).identified(&number.to_string())
    };
    let header = |event: Event| {
        let mut headers = lapin::types::FieldTable::default();
        let value = lapin::types::AMQPValue::LongString(MARKER.into());
        headers.insert("traceparent".into(), value);
        Event { properties: BasicProperties::default().with_headers(headers), ..event }
    };
    let odd = [
        Event::new(format!("{{\"type\":\"chat\",\"message\":\"{MARKER}")),
        Event::new(format!("<message type='chat'><body>{MARKER}</body>")),
        Event::new(format!("<!DOCTYPE x [<!ENTITY e \"{MARKER}\">]><message>&e;</message>")),
        Event::new([&b"\xff\xfe"[..], MARKER.as_bytes()].concat()),
        Event::chat("ann@h", &format!("not a @ jid @ {MARKER}"), MARKER),
        Event::chat("ann@h", "bob@h", &format!("{MARKER}{}", "x".repeat(270_000))),
        Event::message("headline", "ann@h", "bob@h", MARKER),
        header(chat(1000)),
    ];
    (0..200).map(chat).chain(odd).collect()
}

/// More than those that are no events.
const SOME_DIE: u32 = 10;

/// One kind of trouble after the other, while events come.
async fn suffer(stand: &Stand, sns: &FakeSns, network: &Proxy, worker: &Worker) {
    const FAILS: EntryFault = EntryFault::Failed { code: "InvalidParameter", sender_fault: true };
    let requests = [
        RequestFault::INTERNAL_ERROR,
        RequestFault::THROTTLING,
        RequestFault::UNAVAILABLE,
        RequestFault::Garbage,
        RequestFault::Reset,
        RequestFault::Silence,
        RequestFault::NOT_AUTHORISED,
        RequestFault::NOT_FOUND,
        RequestFault::EXPIRED_TOKEN,
        RequestFault::Refused { status: 400, code: "InvalidParameter" },
    ];
    let come_to = async |enough: u64| {
        wait_for("requests", async || (sns.counts().requests >= enough).then_some(())).await;
    };
    for fault in requests {
        stand.publish_all(events().into_iter().take(20)).await;
        sns.fail_requests(share(100, 1, fault));
        let before = sns.counts().requests;
        stand.publish_all(events().into_iter().skip(20).take(20)).await;
        come_to(before + 2).await;
        sns.heal();
    }
    sns.fail_entries(share(50, 1, FAILS));
    stand.publish_all(events()).await;
    let refused = async || (stand.ready(&stand.dead_letter_queue()).await > SOME_DIE).then_some(());
    wait_for("dead letters", refused).await;
    sns.heal();
    network.set(Door::Silent);
    worker.logged("not_consuming").await;
    network.set(Door::Open);
}

async fn assert_pages_are_clean(admin: &Admin) {
    for path in ["/metrics", "/readyz", "/livez"] {
        assert_clean(path, &admin.get(path).await.1);
    }
    for path in ["/", "/api/about", "/api/status"] {
        let answer = admin.read(path, &[]).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_clean(path, &answer.body);
    }
    let status = admin.read("/api/status", &[]).await.json();
    assert!(status["frame"]["errors"].as_array().is_some_and(|it| !it.is_empty()), "{status}");
}

async fn suffers_in_silence(format: &str) {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = Stand::on("silence", &broker.uri(0)).await;
    let uri = uri_of_user(broker, &stand).await;
    let network = Proxy::start(&uri, Door::Open).await;
    let uri = format!("{}?heartbeat=1&connection_timeout=500", network.instead_of(&uri));
    let sns = FakeSns::start();
    let (url, secret) = (sns.url(), |of: &str| format!("{MARKER}-{of}"));
    let (key, token, admin) =
        (secret("secret-key"), secret("session"), secret("admin-of-some-length"));
    let settings = [
        ADMIN,
        ("AMQP__URI", &*uri),
        ("SNS__SNS_HOST", &*url),
        ("SNS__SECRET_ACCESS_KEY", &*key),
        ("SNS__SESSION_TOKEN", &*token),
        ("ADMIN__TOKEN", &*admin),
        ("SNS__CONNECT_TIMEOUT_MS", "300"),
        ("SNS__ATTEMPT_TIMEOUT_MS", "300"),
        ("OUTAGE__PROBE_MAX_MS", "200"),
        ("LOG__FORMAT", format),
        ("LOG__FILTER", "trace"),
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    suffer(&stand, &sns, &network, &worker).await;
    // The broker needs a while to notice that the silent one is gone and to take back what it had.
    // Of the source, for dead letters, and to the fleet.
    connections(broker, &stand, 3).await;
    let is_done = async || {
        let quiet = stand.ready(&stand.queue()).await + stand.ready(&stand.held_queue()).await == 0;
        (quiet && worker.find("first_published").is_some()).then_some(())
    };
    wait_for("everything to end", is_done).await;
    let address = worker.logged("admin_listening").await;
    if format == "json" {
        assert_pages_are_clean(&Admin::at(address["at"].as_str().unwrap())).await;
    }
    let log: Vec<_> = worker.log().iter().map(ToString::to_string).collect();
    for noise in ["TRACE", "DEBUG", "WARN", "ERROR"] {
        assert!(log.iter().any(|line| line.contains(noise)), "no {noise} in {} lines", log.len());
    }
    for event in ["held", "retrying", "first_dead_lettered"] {
        assert!(worker.find(event).is_some(), "no {event} in {} lines", log.len());
    }
    assert_clean("the log", &log.join("\n"));
    let exit = worker.stop().await;
    assert_clean("the report", &exit.last.to_string());
    connections(broker, &stand, 0).await;
    // What was held at the stop went back; another one works it off.
    let another = Worker::start_with(&stand, &[("SNS__SNS_HOST", &*url)]).await;
    broker.keeps(&stand.queue(), 0).await;
    another.stop().await;
    let mut letters = 0;
    while let Some(letter) = stand.dead_letter_now().await {
        let headers = letter.properties.headers().iter().flatten();
        let ours = headers.filter(|(name, _)| name.as_str().starts_with("event-pusher-"));
        assert_clean("a dead letter", &format!("{:?}", ours.collect::<Vec<_>>()));
        letters += 1;
    }
    assert!(letters > SOME_DIE, "only {letters} dead letters");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn nothing_planted_shows_in_what_a_worker_logs_as_json() {
    suffers_in_silence("json").await;
}

#[tokio::test]
async fn nothing_planted_shows_in_what_a_worker_logs_as_text() {
    suffers_in_silence("text").await;
}
