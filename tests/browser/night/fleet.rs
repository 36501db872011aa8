//! The page of a worker with ten others, which are made up: they say what the worker itself says, with some differences.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use serde_json::{Value, json};

use super::{DESK, PHONE, is_accessible, open};
use crate::chromium::Browser;
use crate::support::{ADMIN, Admin, Stand, Worker, wait_for};

/// This one has more than its share of the partitions.
const GREEDY: usize = 6;

/// Of this one, nothing is heard after a while.
const SILENT: usize = 4;

/// What the worker says of itself.
async fn template(stand: &Stand) -> Value {
    let (channel, queue) = (stand.another_channel().await, format!("{}.copy", stand.id));
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let none = FieldTable::default;
    channel.queue_declare(queue.as_str().into(), options, none()).await.unwrap();
    let (name, exchange) = (queue.as_str().into(), format!("{}.fleet", stand.id).into());
    channel
        .queue_bind(name, exchange, "".into(), QueueBindOptions::default(), none())
        .await
        .unwrap();
    let got = wait_for("a report", async || {
        let got = channel.basic_get(queue.as_str().into(), BasicGetOptions { no_ack: true });
        got.await.unwrap().filter(|it| String::from_utf8_lossy(&it.data).contains("consuming"))
    })
    .await;
    serde_json::from_slice(&got.data).unwrap()
}

/// One of the ten.
fn made_up(template: &Value, number: usize, sequence: usize) -> Value {
    let mut report = template.clone();
    let mut set = |name: &str, value: Value| report[name] = value;
    set("id", json!(format!("{number:016x}")));
    set("sequence", json!(sequence));
    set("at", json!(now()));
    set("host", json!(format!("event-pusher-{number}")));
    let books = json!({"received": 1000, "published": 900, "skipped": 50, "dead_lettered": 10, "handed_back": 30, "in_flight": 10});
    set("books", books);
    set("rates", json!({"received": 100.5, "published": 99.0, "dead_lettered": 0.5}));
    let active = if number == GREEDY { 5 } else { 4 };
    report["sources"][0]["partitions"] =
        json!({"active": active, "of": 40, "bound": 4, "prefetch": 112});
    let mut set = |name: &str, value: Value| report[name] = value;
    match number {
        1 => {
            let hold = json!({"topic": "arn:aws:sns:us-east-1:123456789012:rooms", "since": now(), "waiting": 12, "error": "NotFound"});
            set("holds", json!([hold]));
        }
        2 => {
            report["configuration"]["hash"] = json!("0123456789abcdef");
            report["configuration"]["parts"]["sns.region"] = json!("01234567");
        }
        3 => set("version", json!("0.0.9")),
        5 => set("state", json!("service_held")),
        _ => {}
    }
    report
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

async fn say(stand: &Stand, template: &Value) {
    let exchange = format!("{}.fleet", stand.id);
    for sequence in 1.. {
        let speaking = (0..10).filter(|it| *it != SILENT || sequence < 4);
        for number in speaking {
            let body = made_up(template, number, sequence).to_string();
            let properties = BasicProperties::default().with_user_id("guest".into());
            let (name, options) = (exchange.as_str().into(), BasicPublishOptions::default());
            let said =
                stand.channel.basic_publish(name, "".into(), options, body.as_bytes(), properties);
            said.await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn look(browser: &Browser, admin: &Admin) {
    open(browser, admin).await;
    browser
        .shows("fleet-word", |it| {
            it.starts_with("11 workers of the fleet") && it.contains("1 of them silent")
        })
        .await;
    browser.shows("fleet-workers", |it| it.contains("silent for")).await;
    let red = "return [...document.querySelectorAll('#fleet-workers tr')].map((row) => \
               [row.cells[0].innerText, [...row.querySelectorAll('.wrong, .bad')].map((it) => it.innerText)])";
    let rows = browser.script(red).await;
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 11, "{rows:?}");
    for (host, wanted) in [
        ("event-pusher-0", json!([])),
        ("event-pusher-1", json!([])),
        ("event-pusher-2", json!(["sns.region"])),
        ("event-pusher-3", json!(["version", "0.0.9"])),
        ("event-pusher-5", json!(["service held"])),
        ("event-pusher-6", json!(["5 of 40 (share 4)"])),
    ] {
        let row =
            rows.iter().find(|it| it[0] == host).unwrap_or_else(|| panic!("{host}: {rows:?}"));
        assert_eq!(row[1], wanted, "{host}");
    }
    browser.shows("fleet-workers", |it| it.contains("1 topic held")).await;
    let shared = "Source events: events come from 37 of 40 partitions. More than its share has event-pusher-6.";
    browser.shows("fleet-partitions", |it| it == shared).await;
    browser.shows("fleet-holds", |it| it.contains("123456789012:rooms") && it.contains("12")).await;
    browser.click_on("#fleet summary").await;
    let open = browser.script("return document.querySelector('#fleet details').open").await;
    assert_eq!(open, true);
    let of_the_last = |it: &str| it.contains("event-pusher-9, events") && it.contains("consuming");
    browser.shows("fleet-sources", of_the_last).await;
    browser
        .shows("fleet-balance", |it| it.starts_with("Received 10,000 = published 9,000 +"))
        .await;
    let points = browser.text("points").await;
    for part in [
        "1 worker of the fleet is silent: event-pusher-4",
        "event-pusher-2 (sns.region)",
        "event-pusher-3 (version 0.0.9)",
    ] {
        assert!(points.contains(part), "{part}: {points}");
    }
    is_accessible(browser, "a fleet").await;
    for (name, scheme, (width, height)) in
        [("light", "light", DESK), ("dark", "dark", DESK), ("phone", "light", PHONE)]
    {
        browser.looks(scheme, width, height).await;
        browser.script("document.getElementById('fleet').scrollIntoView({block: 'start'})").await;
        browser.keep(&format!("fleet-{name}.png")).await;
    }
}

#[tokio::test]
async fn a_fleet_of_ten_is_seen_with_what_differs_in_red_and_a_worker_alone_is_one_line() {
    let stand = Stand::new("fleet-page").await;
    let worker = Worker::start_with(&stand, &[ADMIN]).await;
    let (admin, browser) = (Admin::of(&worker).await, Browser::start().await);
    open(&browser, &admin).await;
    browser
        .shows("fleet-word", |it| it.starts_with("This worker is the only one of the fleet"))
        .await;
    assert_eq!(browser.text("fleet-box").await, "");
    assert_eq!(browser.text("fleet-partitions").await, "", "no source has any");
    let template = template(&stand).await;
    tokio::select! {
        () = say(&stand, &template) => {}
        () = look(&browser, &admin) => {}
    }
    browser.window.clone().quit().await.unwrap();
    worker.stop().await;
    stand.leave_nothing().await;
}
