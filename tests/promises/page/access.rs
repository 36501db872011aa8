//! Who may see and do what.

use std::time::{Duration, Instant};

use serde_json::json;

use super::http::{TOKEN, bearer};
use super::worker_on;
use crate::fake_sns::FakeSns;
use crate::support::{Letter, Stand};

/// Every path of the page that anybody may read.
const PATHS: [&str; 15] = [
    "/",
    "/page.css",
    "/page.js",
    "/letters.js",
    "/letter.js",
    "/orders.js",
    "/filter.js",
    "/log.js",
    "/chart.js",
    "/dom.js",
    "/icon.svg",
    "/api/about",
    "/runbook",
    "/api/status",
    "/api/log",
];

#[tokio::test]
async fn the_page_comes_whole_from_the_worker_and_lets_nothing_foreign_in() {
    let (stand, sns) = (Stand::new("page-whole").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    for path in PATHS {
        let answer = admin.read(path, &[]).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let policy = answer.head.lines().find(|it| it.starts_with("content-security-policy: "));
        let policy = policy.unwrap_or_else(|| panic!("{path}: {}", answer.head));
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        for header in ["nosniff", "no-store", "x-frame-options: DENY", "no-referrer"] {
            assert!(answer.head.contains(header), "{path} lacks {header}: {}", answer.head);
        }
        let text = answer.body.replace("http://www.w3.org/2000/svg", "");
        if !path.starts_with("/api") {
            assert!(!text.contains("://") && !text.contains("innerHTML"), "{path} leads elsewhere");
            assert!(
                !text.contains("style=") && !text.contains("onclick=\""),
                "{path} has inline code"
            );
        }
    }
    let about = admin.read("/api/about", &[]).await;
    for secret in [TOKEN, "guest:guest"] {
        assert!(!about.body.contains(secret), "{}", about.body);
    }
    assert!(about.body.contains("admin.token") && about.body.contains("***"), "{}", about.body);
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn foreign_names_and_sites_get_nothing_while_health_answers_to_any_name() {
    let (stand, sns) = (Stand::new("page-foreign").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[("ADMIN__HOSTS", "pusher.example")]).await;
    admin.is_ready().await;
    for path in PATHS {
        let answer = admin.read(path, &["Host: evil.example"]).await;
        assert_eq!(answer.status, 421, "{path}: {answer:?}");
        assert!(answer.body.contains("admin.hosts"), "{answer:?}");
        let answer = admin.read(path, &["Host: pusher.example"]).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(admin.read(path, &["Host: evil.example"]).await.status, 200, "{path}");
    }
    let cookie = admin.log_in().await;
    let own = format!("Origin: http://{}", admin.address());
    let order = json!({"filter": {"reason": ["none-such"]}});
    let replay = async |headers: &[&str]| {
        let answer = admin.write("/api/dead-letters/replay", headers, &order).await;
        answer.status
    };
    for foreign in [
        "Origin: http://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        assert_eq!(replay(&[&cookie, foreign]).await, 403, "{foreign}");
        assert_eq!(replay(&[&bearer(), foreign]).await, 403, "{foreign}, though it has the token");
        assert_eq!(admin.read("/api/dead-letters", &[foreign]).await.status, 403, "{foreign}");
    }
    assert_eq!(replay(&[&cookie]).await, 403, "a browser says where it comes from");
    let form = ["Content-Type: application/x-www-form-urlencoded", &cookie, &own];
    let answer = admin.request("POST /api/dead-letters/replay", &form, "filter=x").await;
    assert_eq!(answer.status, 415, "what a foreign form could send: {answer:?}");
    assert_eq!(worker.count("page_replay_started"), 0);
    assert_eq!(replay(&[&cookie, &own]).await, 202);
    let log = worker.logged("page_replay_started").await;
    assert!(log["by"].as_str().unwrap().starts_with("session "), "{log}");
    assert!(log["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{log}");
    assert!(log["filter"].to_string().contains("none-such"), "{log}");
    worker.logged("page_replay_ended").await;
    let out = admin.write("/api/logout", &[&cookie, &own], &json!({})).await;
    assert_eq!(out.status, 204);
    assert_eq!(replay(&[&cookie, &own]).await, 401, "logged out");
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_wrong_token_is_refused_slowly_and_soon_not_looked_at() {
    let (stand, sns) = (Stand::new("page-token").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    let wrong = "Authorization: Bearer guessed-token";
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let began = Instant::now();
        let answer = admin.read("/api/dead-letters/letter/3f?body=yes", &[wrong]).await;
        assert!(!answer.body.contains("guessed"), "{answer:?}");
        assert!(answer.status == 429 || began.elapsed() >= Duration::from_secs(1), "too quick");
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    let login = admin.write("/api/login", &[], &json!({"token": TOKEN})).await;
    assert_eq!(login.status, 429, "from there, not even the right one");
    assert_eq!(admin.get("/livez").await.0, 200);
    assert_eq!(worker.count("page_wrong_token"), 5);
    let log = format!("{:?}", worker.log());
    assert!(!log.contains("guessed") && !log.contains(TOKEN), "a token is in the log");
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn without_the_token_nobody_sees_a_letter_or_changes_anything() {
    let (stand, sns) = (Stand::new("page-reads").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[("SNS__ORDERING", "per-key")]).await;
    // MongooseIM's routing keys name a user, and so does a key of order.
    let letter = |number| {
        let letter = Letter::number(&stand, number);
        letter.saying("routing-key", &format!("user-{number}@localhost.chat_msg_sent"))
    };
    stand.bury((0..3).map(letter)).await;
    let token = bearer();
    let groups = admin.read("/api/dead-letters", &[&token]).await;
    assert_eq!(groups.json()["groups"][0]["count"], 3, "{groups:?}");
    let each = admin.read("/api/dead-letters/each", &[&token]).await;
    let id = each.json()["rows"][0]["id"].as_str().unwrap().to_owned();
    let letter = format!("/api/dead-letters/letter/{id}");
    let one = admin.read(&letter, &[&token]).await;
    assert_eq!(one.json()["now"]["outcome"], "published", "{one:?}");
    let plan = "/api/dead-letters/plan?reason=retries_exhausted";
    let planned = admin.read(plan, &[&token]).await;
    assert_eq!(planned.json()["matching"], 3, "{planned:?}");
    let body = format!("{letter}?body=yes");
    let refused = [
        admin.read("/api/dead-letters", &[]).await,
        admin.read("/api/dead-letters/each", &[]).await,
        admin.read(&letter, &[]).await,
        admin.read(plan, &[]).await,
        admin.read(&body, &[]).await,
        admin.read("/api/dead-letters?user=bob@localhost", &[]).await,
        admin.read("/api/dead-letters?id=m-1", &[]).await,
        admin.read("/api/dead-letters/export", &[]).await,
        admin.write("/api/dead-letters/replay", &["Sec-Fetch-Site: same-origin"], &json!({})).await,
        admin
            .write(
                "/api/dead-letters/discard",
                &["Sec-Fetch-Site: same-origin"],
                &json!({"count": 3}),
            )
            .await,
        admin
            .write("/api/dead-letters/replay/stop", &["Sec-Fetch-Site: same-origin"], &json!({}))
            .await,
    ];
    for answer in refused {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.head.contains("www-authenticate: Bearer"), "{answer:?}");
        assert!(!answer.body.contains("user-") && !answer.body.contains(&id), "{answer:?}");
    }
    let shown = admin.read(&body, &[&bearer()]).await.json();
    assert!(shown["letter"]["origin"]["routing_key"].as_str().unwrap().starts_with("user-"));
    assert!(shown["now"]["order"].as_str().unwrap().contains("bob@localhost"), "{shown}");
    assert!(shown["body"].as_str().unwrap().contains("bob@localhost"), "{shown}");
    let log = worker.logged("page_body_shown").await;
    assert_eq!((&log["by"], &log["letter"]), (&"token".into(), &(&*id).into()), "{log}");
    // All are there still, or come back when the last look's connection is gone.
    stand.has_ready(&stand.dead_letter_queue(), 3).await;
    worker.stop().await;
    stand.take_dead_letters(3).await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_worker_without_a_token_shows_figures_only() {
    let (stand, sns) = (Stand::new("page-tokenless").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[("ADMIN__TOKEN", "")]).await;
    assert_eq!(admin.read("/api/about", &[]).await.json()["has_token"], false);
    for (answer, what) in [
        (admin.write("/api/login", &[], &json!({"token": ""})).await, "login"),
        (
            admin.write("/api/dead-letters/replay", &["Authorization: Bearer "], &json!({})).await,
            "replay",
        ),
        (admin.read("/api/dead-letters/letter/3f?body=yes", &[]).await, "body"),
        (admin.read("/api/dead-letters", &[]).await, "letters"),
    ] {
        assert_eq!(answer.status, 403, "{what}: {answer:?}");
        assert!(answer.body.contains("admin.token"), "{what}: {answer:?}");
    }
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn writes_are_limited_and_the_log_says_who_wrote_what() {
    let (stand, sns) = (Stand::new("page-writes").await, FakeSns::start());
    let (worker, admin) = worker_on(&stand, &sns, &[]).await;
    stand.bury_numbers(0..40).await;
    let cookie = admin.log_in().await;
    let here = [&*cookie, "Sec-Fetch-Site: same-origin"];
    let order = json!({"rate": 1});
    assert_eq!(admin.write("/api/dead-letters/replay", &here, &order).await.status, 202);
    let session = worker.logged("page_replay_started").await["by"].clone();
    assert_eq!(admin.write("/api/dead-letters/replay/stop", &here, &json!({})).await.status, 202);
    let stopped = worker.logged("page_replay_stopped").await;
    assert!(session.as_str().unwrap().starts_with("session "), "{session}");
    assert_eq!(stopped["by"], session, "{stopped}");
    assert!(stopped["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{stopped}");

    let mut statuses = Vec::new();
    for _ in 0..12 {
        let answer = admin.write("/api/dead-letters/replay/stop", &here, &json!({})).await;
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&429) && !statuses.starts_with(&[429]), "{statuses:?}");

    admin.write("/api/logout", &here, &json!({})).await;
    let left = worker.logged("page_logout").await;
    assert_eq!(format!("session {}", left["session"].as_str().unwrap()), session, "{left}");
    worker.stop().await;
    while stand.dead_letter_now().await.is_some() {}
    stand.leave_nothing().await;
}
