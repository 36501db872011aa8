//! What visitors can't take: the places of probes, the broker's time, and the turns of those who have the token.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::http::{TOKEN, bearer};
use super::worker_on;
use crate::fake_sns::FakeSns;
use crate::support::{Admin, Letter, Stand, deliveries_before, dlq};

/// Every path that shows a dead letter, or whether there is one.
const LETTERS: [&str; 8] = [
    "/api/dead-letters",
    "/api/dead-letters/each?limit=1",
    "/api/dead-letters?id=m-1",
    "/api/dead-letters/each?id=m-1",
    "/api/dead-letters/plan",
    "/api/dead-letters/export",
    "/api/dead-letters/letter/m-1",
    "/api/dead-letters/letter/m-1?body=yes",
];

/// Also where the machine has other things to do; who waits for the slow ones to be sent away waits for longer.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Sends no more than this of a request, and stays.
async fn half(admin: &Admin, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(admin.address()).await.unwrap();
    let request = request.replace("HOST", admin.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn three_hundred_who_send_half_a_request_keep_neither_probes_nor_the_tokens_holder_waiting() {
    let (stand, sns) = (Stand::new("page-slow").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    admin.is_ready().await;
    let head = "POST /api/login HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n";
    let body = format!("{head}Content-Length: 50\r\n\r\n{{\"token\":");
    let mut slow = Vec::new();
    for _ in 0..150 {
        slow.push(half(&admin, head).await);
        slow.push(half(&admin, &body).await);
    }
    for round in 0..5 {
        for path in ["/livez", "/readyz", "/metrics"] {
            let began = Instant::now();
            assert_eq!(admin.get(path).await.0, 200, "{path}");
            let took = began.elapsed();
            assert!(took < AT_ONCE, "{path} took {took:?} in round {round}");
        }
        for _ in 0..10 {
            slow.push(half(&admin, head).await);
            slow.push(half(&admin, &body).await);
        }
    }
    let began = Instant::now();
    let cookie = admin.log_in().await;
    assert_eq!(admin.read("/api/about", &[&cookie]).await.json()["trusted"], true);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    drop(slow);
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn probes_can_have_an_address_of_their_own() {
    let (stand, sns) = (Stand::new("page-probes").await, FakeSns::start());
    let own = [("ADMIN__HEALTH_LISTEN", "127.0.0.1:0")];
    let (worker, admin) = worker_on(&stand, &sns, &own).await;
    let line = worker.logged("health_listening").await;
    let probes = Admin::at(line["at"].as_str().unwrap());
    assert_ne!(probes.address(), admin.address());
    probes.is_ready().await;
    for path in ["/livez", "/metrics"] {
        assert_eq!((probes.get(path).await.0, admin.get(path).await.0), (200, 200), "{path}");
    }
    for path in ["/", "/api/about", "/api/dead-letters"] {
        assert_eq!(probes.read(path, &[&bearer()]).await.status, 404, "{path}");
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

/// As RabbitMQ 4 limits deliveries where nothing else is said: each look would spend one.
#[tokio::test]
async fn who_has_not_logged_in_costs_no_letter_a_delivery_and_learns_of_none() {
    let (stand, sns) = (Stand::new("page-anyone").await, FakeSns::start());
    let text = |text: &str| AMQPValue::LongString(text.into());
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), 20_i64.into());
    stand.declare_all("quorum").await;
    stand.delete(&stand.dead_letter_queue()).await;
    stand.declare_queue(&stand.dead_letter_queue(), arguments).await;
    stand.bind_dead_letter_queue().await;
    stand.bury((0..10).map(|number| Letter::number(&stand, number))).await;
    let settings = [("AMQP__DECLARE", "false")];
    let (worker, admin) = worker_on(&stand, &sns, &settings).await;
    for _ in 0..21 {
        for path in LETTERS {
            let answer = admin.read(path, &[]).await;
            assert_eq!(answer.status, 401, "{path}: {answer:?}");
            assert!(answer.body.contains("admin.token"), "{path}: {answer:?}");
        }
    }
    worker.stop().await;
    for letter in stand.drain(&stand.dead_letter_queue(), 10).await {
        assert_eq!(deliveries_before(&letter), 0, "it was looked at: {letter:?}");
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn nine_loops_of_strangers_keep_neither_commands_nor_the_tokens_holder_out() {
    let (stand, sns) = (Stand::new("page-loops").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..500).await;
    let strangers = join_all((0..9).map(async |_| {
        loop {
            let answer = admin.read("/api/dead-letters/each?limit=1", &[]).await;
            assert_eq!(answer.status, 401, "{answer:?}");
        }
    }));
    let work = async {
        for _ in 0..3 {
            let ended = dlq(&stand, &["list"]).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(ended.stdout.contains("500 dead letters"), "{ended:?}");
            let seen = admin.read("/api/dead-letters", &[&bearer()]).await;
            assert_eq!(seen.status, 200, "{seen:?}");
            assert_eq!(admin.get("/livez").await.0, 200);
        }
    };
    tokio::select! {
        _ = strangers => {}
        () = work => {}
    }
    worker.stop().await;
    stand.take_dead_letters(500).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn looks_of_the_page_and_of_commands_take_turns() {
    let (stand, sns) = (Stand::new("page-turns").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..200).await;
    let page = async || {
        for _ in 0..3 {
            let seen = admin.read("/api/dead-letters", &[&bearer()]).await;
            assert_eq!(seen.status, 200, "{seen:?}");
            assert_eq!(seen.json()["letters"], 200, "{seen:?}");
        }
    };
    let commands = async || {
        for _ in 0..2 {
            let ended = dlq(&stand, &["list"]).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(ended.stdout.contains("200 dead letters"), "{ended:?}");
        }
    };
    tokio::join!(page(), commands(), commands());
    worker.stop().await;
    let left = stand.drain_dead_letters(200).await;
    assert_eq!(left, (0..200).map(crate::support::id).collect::<Vec<_>>(), "in their old order");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_token_that_could_be_guessed_lets_nobody_in_and_stops_no_event() {
    let (stand, sns) = (Stand::new("page-short").await, FakeSns::start());
    let short = &TOKEN[..23];
    let (worker, admin) = worker_on(&stand, &sns, &[("ADMIN__TOKEN", short)]).await;
    let line = worker.logged("token_too_short").await;
    assert_eq!(line["level"], "WARN", "{line}");
    let login = admin.write("/api/login", &[], &json!({"token": short})).await;
    let sent = format!("Authorization: Bearer {short}");
    let seen = admin.read("/api/dead-letters", &[&sent]).await;
    for answer in [login, seen] {
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(
            answer.body.contains("24 characters") && !answer.body.contains(short),
            "{answer:?}"
        );
    }
    let about = admin.read("/api/about", &[]).await.json();
    assert_eq!(about["has_token"], false, "{about}");
    stand.publish(crate::support::Event::chat("ann@h", "bob@h", "hi")).await;
    worker.settles(1).await;
    worker.stop().await;
    stand.leave_nothing().await;
}
