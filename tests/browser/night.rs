//! An operator is woken, opens the page, and does what is to be done; in a real browser.

mod fleet;
mod letters;
mod paused;

use std::collections::BTreeSet;
use std::time::Duration;

use thirtyfour::prelude::*;

use crate::chromium::Browser;
use crate::fake_sns::{EntryFault, FakeSns, RequestFault, next};
use crate::support::{ADMIN, Admin, Event, Letter, Stand, Worker};

const TOKEN: &str = "planted-token-of-some-length";
const DESK: (u32, u32) = (1200, 900);
const PHONE: (u32, u32) = (390, 844);

/// What a producer, or an attacker, may write: it is to be read, not obeyed.
const MARKUP: &str =
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";

/// Chats, presences and group messages, some hundred a second, for as long as it is polled.
async fn traffic(stand: &Stand) {
    for round in 0.. {
        let number = |it: usize| (round * 20 + it).to_string();
        let events = (0..20).map(|it| match it % 10 {
            0 => Event::presence("ann@h", it > 9),
            1 | 2 => Event::groupchat("ann@h", "room@conference.h", &number(it)),
            _ => Event::chat("ann@h", "bob@h", &number(it)),
        });
        stand.publish_all(events).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

async fn open(browser: &Browser, admin: &Admin) {
    browser.looks("light", DESK.0, DESK.1).await;
    browser.window.goto(format!("http://{}/", admin.address())).await.unwrap();
    browser.shows("link", |it| it == "live").await;
}

/// The documents' pictures are to name no machine.
async fn without_names(browser: &Browser) {
    let script = "for (const id of ['worker', 'about-name']) document.getElementById(id).textContent = '0.1.0 worker-1'";
    browser.script(script).await;
}

/// In both schemes and at both widths: colours don't depend on the width, nor places on the scheme.
async fn is_accessible(browser: &Browser, when: &str) {
    for (scheme, (width, height)) in [("dark", PHONE), ("light", DESK)] {
        browser.looks(scheme, width, height).await;
        let violations = browser.violations().await;
        assert!(violations.is_empty(), "{when}, {scheme}, {width} wide: {violations:#?}");
        let overflow = "return document.documentElement.scrollWidth - innerWidth";
        let overflow = browser.script(overflow).await;
        assert!(overflow.as_i64() <= Some(0), "{when}: {width} wide, it overflows by {overflow}");
    }
}

#[tokio::test]
async fn a_night_at_the_page_from_the_alarm_to_the_last_dead_letter() {
    // As it shall stand in the pictures.
    let mut stand = Stand::new("chat").await;
    "chat".clone_into(&mut stand.id);
    // By that name, one that failed may have left something behind.
    for queue in [stand.queue(), stand.held_queue(), stand.dead_letter_queue()] {
        stand.delete(&queue).await;
    }
    let sns = FakeSns::start();
    sns.set_latency(Duration::from_millis(15));
    sns.set_jitter(Duration::from_millis(30));
    let url = sns.url();
    let settings = [
        ("SNS__SNS_HOST", &*url),
        ("OUTAGE__PROBE_MAX_MS", "1000"),
        ("ADMIN__TOKEN", TOKEN),
        ADMIN,
    ];
    let worker = Worker::start_with(&stand, &settings).await;
    let admin = Admin::of(&worker).await;
    let browser = Browser::start().await;
    let story = async {
        open(&browser, &admin).await;
        browser.script("window.loadedOnce = true").await;
        numbers_move(&browser).await;
        a_hold_appears_and_vanishes(&browser, &sns).await;
        a_topic_is_held(&browser, &stand, &sns).await;
        let once = browser.script("return window.loadedOnce").await;
        assert_eq!(once, true, "nothing was loaded again");
    };
    tokio::select! {
        () = traffic(&stand) => {}
        () = story => {}
    }
    some_die(&stand, &sns).await;
    dead_letters_are_replayed(&browser, &stand).await;
    let tidy = browser.script("return document.title").await;
    assert!(!tidy.as_str().unwrap().contains("owned"), "{tidy}");
    worker.stop().await;
    browser.shows("link", |it| it.contains("connection lost")).await;
    browser.window.clone().quit().await.unwrap();
    for queue in [stand.queue(), stand.held_queue(), stand.dead_letter_queue()] {
        stand.purge(&queue).await;
    }
    stand.leave_nothing().await;
}

async fn numbers_move(browser: &Browser) {
    let number = |text: &str| text.replace(',', "").parse::<f64>().unwrap_or(0.0);
    for id in ["in", "out"] {
        browser.shows(id, |it| number(it) > 20.0).await;
    }
    let before = number(&browser.text("b-published").await);
    browser.shows("b-published", |it| number(it) > before + 100.0).await;
    browser.shows("latency", |it| it.ends_with("ms")).await;
    browser.shows("per-event", |it| (0.1..1.0).contains(&number(it))).await;
    browser.shows("cost", |it| it.starts_with("$0.")).await;
    browser.shows("title", |it| it == "All is well: events flow").await;
    browser.shows("sources", |it| it.contains("chat.queue") && it.contains("consuming")).await;
    browser.shows("topics", |it| it.matches("flowing").count() == 3).await;
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        // So that the charts have something to show.
        tokio::time::sleep(Duration::from_mins(2)).await;
    }
    is_accessible(browser, "all is well").await;
    without_names(browser).await;
    browser.picture("page-light.png").await;
    browser.looks("dark", DESK.0, DESK.1).await;
    browser.picture("page-dark.png").await;
    browser.looks("light", PHONE.0, PHONE.1).await;
    browser.picture("page-phone.png").await;
    browser.looks("light", DESK.0, DESK.1).await;
}

async fn a_hold_appears_and_vanishes(browser: &Browser, sns: &FakeSns) {
    sns.fail_requests(next(u64::MAX, RequestFault::INVALID_TOKEN));
    browser.shows("title", |it| it.starts_with("All topics are held")).await;
    let holds = browser.shows("holds-list", |it| it.contains("probe")).await;
    for part in ["InvalidClientTokenId", "in flight wait for it", "Since ", "sns.access_key_id"] {
        assert!(holds.contains(part), "no {part:?} in {holds}");
    }
    let points = browser.text("points").await;
    assert!(
        points.contains("the service is held") && points.contains("sns.access_key_id"),
        "{points}"
    );
    browser.shows("errors", |it| it.contains("InvalidClientTokenId")).await;
    browser.shows("topics", |it| it.matches("held").count() == 3).await;
    is_accessible(browser, "held").await;
    browser.picture("page-held.png").await;
    sns.heal();
    browser.shows("holds", str::is_empty).await;
    browser.shows("title", |it| it == "All is well: events flow").await;
}

async fn a_topic_is_held(browser: &Browser, stand: &Stand, sns: &FakeSns) {
    let gone = stand.topic_arn("muc");
    sns.fail_requests(move |it| (it.topic == gone).then_some(RequestFault::NOT_FOUND));
    browser.shows("title", |it| it == "One topic is held; the others are flowing").await;
    browser.shows("topics", |it| it.matches("held").count() == 1).await;
    sns.heal();
    browser.shows("title", |it| it == "All is well: events flow").await;
}

/// Some that SNS refuses, one that is no event, and one with markup wherever a text may stand.
async fn some_die(stand: &Stand, sns: &FakeSns) {
    sns.fail_entries(|entry| {
        let refused = entry.body.contains("refuse me");
        refused.then_some(EntryFault::Failed { code: "InvalidParameter", sender_fault: true })
    });
    stand.publish_all((0..7).map(|_| Event::chat("ann@h", "bob@h", "refuse me"))).await;
    stand.publish(Event::new("{")).await;
    // Not by what the worker has settled: there may be some of the traffic among it.
    stand.has_ready(&stand.dead_letter_queue(), 8).await;
    let marked = Letter::number(stand, 1).saying("reason", "marked_up").saying("error", MARKUP);
    stand.bury([marked.saying("worker", MARKUP)]).await;
    sns.heal();
}

async fn dead_letters_are_replayed(browser: &Browser, stand: &Stand) {
    browser.shows("dead", |it| it == "9").await;
    browser.shows("title", |it| it == "9 dead letters to handle; no other problem").await;
    let locked = browser.shows("looked", |it| it.starts_with("Log in to see")).await;
    assert!(!locked.contains("rejected") && browser.text("groups").await.is_empty(), "{locked}");
    logs_in(browser).await;
    browser.click_on("#filter button[type=submit]").await;
    // The page may have looked by itself before all of them were there.
    let all = |it: &str| ["rejected", "undecodable", MARKUP].iter().all(|of| it.contains(of));
    browser.shows("groups", all).await;
    assert_eq!(
        browser
            .script("return document.querySelectorAll('#groups img, #groups script').length")
            .await,
        0
    );
    keys_are_enough(browser).await;
    reads_one(browser).await;
    browser.write("[name=reason]", "rejected").await;
    browser.click_on("#filter button[type=submit]").await;
    browser.shows("looked", |it| it == "7 of 9 dead letters match the filter.").await;
    assert_eq!(
        browser.script("return document.getElementById('replay-now').disabled").await,
        true,
        "not without a plan"
    );
    browser.click("dry-run").await;
    browser.shows("plan", |it| it.contains("7 would go to queue `chat.queue`")).await;
    is_accessible(browser, "a plan").await;
    without_names(browser).await;
    browser.script("document.getElementById('plan').scrollIntoView({block: 'end'})").await;
    browser.picture("page-dead-letters.png").await;
    browser.write("[name=canary]", "").await;
    browser.click("replay-now").await;
    browser
        .shows("replay-word", |it| {
            it.starts_with("Replayed 7 of 7 dead letters")
                && it.ends_with("None was dead-lettered again.")
        })
        .await;
    browser.shows("dead", |it| it == "2").await;
    // What was looked at is the broker's again when the look's connection is gone.
    stand.has_ready(&stand.dead_letter_queue(), 2).await;
}

async fn logs_in(browser: &Browser) {
    browser.click("log-in").await;
    browser.write("[name=token]", "wrong").await;
    browser.press(Key::Enter).await;
    browser.shows("login-error", |it| it.contains("wrong token")).await;
    is_accessible(browser, "a wrong token").await;
    browser.write("[name=token]", TOKEN).await;
    browser.click_on("#login button[type=submit]").await;
    browser.shows("log-out", |it| it == "Log out").await;
    assert_eq!(
        browser.script("return document.cookie").await,
        "",
        "scripts can't read the session"
    );
}

/// Each control can be reached by Tab, in the order of the page, and shows that it is.
async fn keys_are_enough(browser: &Browser) {
    browser.window.refresh().await.unwrap();
    browser.shows("groups", |it| it.contains("rejected")).await;
    let mut reached = BTreeSet::new();
    for step in 0..100 {
        browser.press(Key::Tab).await;
        let found = browser
            .script(
                "const it = document.activeElement, style = getComputedStyle(it); \
                 return [it.tagName, it.id || it.name || it.textContent, style.outlineStyle, parseFloat(style.outlineWidth)]",
            )
            .await;
        if found[0] == "BODY" {
            break;
        }
        assert!(
            found[2] != "none" && found[3].as_f64() >= Some(2.0),
            "focus does not show: {found}"
        );
        if step == 0 {
            assert!(found[1].as_str().unwrap().starts_with("Skip"), "{found}");
        }
        reached.insert(found[1].as_str().unwrap().to_owned());
    }
    let controls = "log-out reason error kind Search list-each canary dry-run export count runbook";
    for control in controls.split(' ').chain(["Filter for these", "Show one"]) {
        assert!(reached.contains(control), "{control} is not among {reached:?}");
    }
}

async fn reads_one(browser: &Browser) {
    browser.write("[name=reason]", "rejected").await;
    browser.click("list-each").await;
    browser.shows("each", |it| it.contains("ann@h → bob@h")).await;
    browser.click_on("#each button").await;
    let letter = browser.shows("letter", |it| it.contains("would be published")).await;
    assert!(!letter.contains("refuse me"), "a body only when it is asked for: {letter}");
    is_accessible(browser, "a letter").await;
    browser.click("show-body").await;
    let shown = browser.shows("letter-body", |it| it.contains("refuse me")).await;
    let (_, notification) = shown.split_once("What would be published").unwrap();
    let notification: serde_json::Value = serde_json::from_str(notification).unwrap();
    assert!(notification["message"].as_str().unwrap().contains("refuse me"), "{notification}");
    browser.press(Key::Escape).await;
    browser.shows("letter-box", str::is_empty).await;
}
