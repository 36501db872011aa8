//! What an operator does with dead letters beside replaying all of a filter: a link with a filter, single letters, exports, discards,
//! and the runbook.

use std::time::Duration;

use serde_json::json;
use thirtyfour::prelude::*;

use super::{DESK, PHONE, TOKEN, is_accessible, logs_in, without_names};
use crate::chromium::Browser;
use crate::fake_sns::{FakeSns, RequestFault, next};
use crate::support::{ADMIN, Admin, Event, Letter, Stand, Worker};

/// Turns the direction of the text after it.
const TURNED: &str = "gave up: \u{202e}lla era eseht";

/// Where the browser is; the page shows UTC nonetheless.
const ZONE: &str = "America/New_York";

async fn goes_to(browser: &Browser, admin: &Admin, path: &str) {
    browser.window.goto(format!("http://{}{path}", admin.address())).await.unwrap();
    browser.shows("link", |it| it == "live").await;
}

/// So many letters of one cause, some of another one with the same reason, and one that would turn the page's text.
async fn some_letters(stand: &Stand) {
    let of = |number, error: &str| Letter::number(stand, number).saying("error", error);
    stand.bury_numbers(0..2000).await;
    stand
        .bury((2000..2003).map(|it| of(it, "gave up after 3 attempts: InternalError: try again")))
        .await;
    stand.bury([of(2003, TURNED).saying("reason", "rejected")]).await;
}

#[tokio::test]
async fn letters_are_found_by_a_link_chosen_exported_and_discarded() {
    let (mut stand, sns) = (Stand::new("support").await, FakeSns::start());
    // As it shall stand in the pictures; one that failed may have left something behind.
    "support".clone_into(&mut stand.id);
    for queue in [stand.queue(), stand.held_queue(), stand.dead_letter_queue()] {
        stand.delete(&queue).await;
    }
    let url = sns.url();
    let settings = [("SNS__SNS_HOST", &*url), ("ADMIN__TOKEN", TOKEN), ADMIN];
    let worker = Worker::start_with(&stand, &settings).await;
    let admin = Admin::of(&worker).await;
    some_letters(&stand).await;
    let browser = Browser::start().await;
    browser.looks("light", DESK.0, DESK.1).await;
    let zone = json!({"timezoneId": ZONE});
    browser.window.cdp().send_raw("Emulation.setTimezoneOverride", zone).await.unwrap();
    a_link_is_looked_for_and_no_more(&browser, &admin).await;
    one_number_everywhere(&browser).await;
    chosen_letters_are_exported_and_discarded(&browser).await;
    all_of_a_filter_are_discarded(&browser).await;
    assert_eq!(worker.count("page_replay_started"), 0, "a link begins nothing");
    a_canary_is_told_of(&browser, &sns).await;
    a_headline_has_its_runbook_and_its_log(&browser, &stand, &sns).await;
    scales_are_not_cut_off(&browser).await;
    sns.heal();
    worker.stop().await;
    browser.window.clone().quit().await.unwrap();
    for queue in [stand.queue(), stand.held_queue(), stand.dead_letter_queue()] {
        stand.purge(&queue).await;
    }
    stand.leave_nothing().await;
}

async fn a_link_is_looked_for_and_no_more(browser: &Browser, admin: &Admin) {
    goes_to(browser, admin, "/?reason=rejected&error=%3Cscript%3E&everything=1#dead-letters").await;
    logs_in(browser).await;
    let told = browser.shows("looked", |it| it.contains("not applied")).await;
    assert!(told.contains("a part that is no filter") && !told.contains("everything"), "{told}");
    let path = "/?reason=retries_exhausted&reason=rejected";
    goes_to(browser, admin, path).await;
    browser.shows("looked", |it| it.contains("more than one value for \"reason\"")).await;
    goes_to(browser, admin, "/?kind=poke").await;
    browser.shows("looked", |it| it.contains("\"kind\" can't be one")).await;
    goes_to(browser, admin, "/?error=a%E2%80%AEb").await;
    browser.shows("looked", |it| it.contains("\"error\" can't be one")).await;
    let path =
        "/?reason=retries_exhausted&error=InternalError&since=2020-01-31+02%3A00+UTC#dead-letters";
    goes_to(browser, admin, path).await;
    browser.shows("looked", |it| it == "3 of 2,004 dead letters match the filter.").await;
    let fields = "return ['reason', 'error', 'since'].map((it) => document.querySelector(`[name=${it}]`).value)";
    let fields = browser.script(fields).await;
    assert_eq!(fields, json!(["retries_exhausted", "InternalError", "2020-01-31 02:00 UTC"]));
    browser.keep("link.png").await;
    // What is looked for next is in the address, and the browser's way back leads to what was before.
    browser.write("[name=reason]", "rejected").await;
    browser.write("[name=error]", "").await;
    browser.write("[name=since]", "").await;
    browser.click_on("#filter button[type=submit]").await;
    browser.shows("looked", |it| it.starts_with("1 of 2,004")).await;
    assert_eq!(browser.script("return location.search").await, "?reason=rejected");
    let groups = browser.text("groups").await;
    assert!(groups.contains("\\u{202e}") && !groups.contains('\u{202e}'), "{groups}");
    browser.window.back().await.unwrap();
    browser.shows("looked", |it| it.starts_with("3 of 2,004")).await;
}

async fn one_number_everywhere(browser: &Browser) {
    browser.click_on("#filter button[type=reset]").await;
    browser.shows("looked", |it| it == "2,004 dead letters.").await;
    browser.shows("dead", |it| it == "2,004").await;
    browser.shows("points", |it| it.contains("2,004 dead letters in the dead-letter queue")).await;
    let text = browser.script("return document.body.innerText").await;
    assert!(!text.as_str().unwrap().contains("2004"), "{text}");
    let groups = browser.text("groups").await;
    assert!(groups.contains("02:00:00 UTC to 2026-01-31 02:33:19 UTC"), "{groups}");
    browser.keep("groups.png").await;
}

async fn chosen_letters_are_exported_and_discarded(browser: &Browser) {
    browser.write("[name=error]", "InternalError").await;
    browser.click("list-each").await;
    browser.shows("looked", |it| it.starts_with("3 letters of 2,004")).await;
    browser.shows("orders-title", |it| it.ends_with("match the filter: 3")).await;
    browser.click_on("#each tr:nth-child(1) input").await;
    browser.click_on("#each tr:nth-child(3) input").await;
    browser.shows("orders-title", |it| it == "The 2 chosen letters").await;
    browser.click("dry-run").await;
    browser.shows("plan", |it| it.contains("2 would go to queue")).await;
    browser.shows("replay-now", |it| it == "Replay 2 letters").await;
    browser.click("export").await;
    browser.shows("export-word", |it| it.starts_with("Exported 2 letters, ")).await;
    is_accessible(browser, "chosen letters").await;
    browser.script("document.getElementById('orders').scrollIntoView({block: 'end'})").await;
    browser.keep("chosen.png").await;
    without_names(browser).await;
    browser.picture("page-chosen.png").await;
    browser.looks("dark", PHONE.0, PHONE.1).await;
    browser.script("document.getElementById('orders').scrollIntoView()").await;
    browser.keep("chosen-phone.png").await;
    browser.looks("light", DESK.0, DESK.1).await;
    let disabled = "return document.getElementById('discard-now').disabled";
    for (typed, is_disabled) in [("1", true), ("3", true), ("2,0", true), ("2", false)] {
        browser.write("[name=count]", typed).await;
        assert_eq!(browser.script(disabled).await, is_disabled, "{typed}");
    }
    browser.click("discard-now").await;
    browser.shows("discarded", |it| it == "Discarded 2 letters.").await;
    browser.shows("looked", |it| it.starts_with("1 of 2,002 dead letters")).await;
}

async fn all_of_a_filter_are_discarded(browser: &Browser) {
    browser.write("[name=error]", "Throttling").await;
    browser.click_on("#filter button[type=submit]").await;
    browser.shows("looked", |it| it.starts_with("2,000 of 2,002")).await;
    // Twenty stay for the replay.
    browser.write("[name=limit]", "1980").await;
    browser.click_on("#filter button[type=submit]").await;
    browser.shows("looked", |it| it.starts_with("1,980 of 2,002")).await;
    browser.write("[name=count]", "1,980").await;
    browser.click("discard-now").await;
    browser.shows("discarded", |it| it == "Discarded 1,980 letters.").await;
    browser.shows("dead", |it| it == "22").await;
    browser.shows("points", |it| it.contains("22 dead letters in")).await;
    browser.keep("discarded.png").await;
}

async fn a_canary_is_told_of(browser: &Browser, sns: &FakeSns) {
    sns.set_latency(Duration::from_secs(20));
    browser.click_on("#filter button[type=reset]").await;
    browser.shows("looked", |it| it.starts_with("22 dead letters")).await;
    browser.click("dry-run").await;
    browser.shows("replay-now", |it| it == "Replay 22 letters").await;
    browser.write("[name=canary]", "10").await;
    browser.click("replay-now").await;
    let watching = "Canary: 10 sent, watching what becomes of them. The other 12 wait for that";
    browser.shows("replay-word", |it| it.starts_with(watching)).await;
    browser.script("document.getElementById('replay').scrollIntoView()").await;
    browser.keep("canary.png").await;
    browser.click("replay-stop").await;
    browser.shows("replay-word", |it| it.contains("The replay was stopped.")).await;
    browser.shows("dead", |it| it == "12").await;
    sns.set_latency(Duration::ZERO);
}

async fn a_headline_has_its_runbook_and_its_log(browser: &Browser, stand: &Stand, sns: &FakeSns) {
    stand.publish(Event::new("{")).await;
    let of_letters = |it: &str| it.contains(" UTC WARN ") && it.contains("reason=\"undecodable\"");
    browser.shows("headline-log", of_letters).await;
    browser.click_on("#filter button[type=submit]").await;
    browser.shows("groups", |it| it.contains(" UTC WARN ")).await;
    browser.script("scrollTo(0, 0)").await;
    browser.keep("log.png").await;
    sns.fail_requests(next(u64::MAX, RequestFault::INVALID_TOKEN));
    stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
    browser.shows("title", |it| it.starts_with("All topics are held")).await;
    let points = browser.text("points").await;
    assert!(points.contains(" UTC") && !points.contains(".."), "{points}");
    let holds = browser
        .shows("holds-list", |it| it.contains("event=\"held\"") || it.contains("held=\"service\""))
        .await;
    assert!(!holds.contains(".. ") && holds.contains(" UTC ("), "{holds}");
    browser.shows("errors", |it| it.contains("InvalidClientTokenId") && it.contains(" UTC")).await;
    is_accessible(browser, "held, with the log").await;
    browser.script("scrollTo(0, 0)").await;
    browser.keep("held.png").await;
    let link = browser.window.find(By::Id("runbook")).await.unwrap();
    assert!(link.attr("href").await.unwrap().unwrap().ends_with("/runbook#all-topics-are-held"));
    link.click().await.unwrap();
    let there = "return [document.querySelector(':target')?.textContent, document.querySelectorAll('h2').length]";
    let there = browser.script(there).await;
    assert_eq!(there[0], "All topics are held");
    assert!(there[1].as_u64() >= Some(10), "{there}");
    is_accessible(browser, "the runbook").await;
    browser.keep("runbook.png").await;
    browser.looks("light", DESK.0, DESK.1).await;
    browser.window.back().await.unwrap();
    browser.shows("link", |it| it == "live").await;
}

/// A scale of minutes has long words.
async fn scales_are_not_cut_off(browser: &Browser) {
    let draws = r#"
        const done = arguments[0];
        import("/chart.js").then(({ chart }) => import("/dom.js").then(({ seconds, rate }) => {
            const box = document.getElementById("latency-chart"), cut = [];
            for (const [show, areSeconds] of [[seconds, true], [rate, false]]) {
                for (let value = 0.0003; value < 1e6; value *= 1.7) {
                    chart(box, [{ at: new Date().toISOString(), value }], [{ key: "p50", of: (it) => it.value }], show, "", areSeconds);
                    for (const tick of box.querySelectorAll(".tick")) if (tick.getBBox().x < 0) cut.push(tick.textContent);
                }
            }
            done(cut);
        }), (error) => done([String(error)]));"#;
    let cut = browser.window.execute_async(draws, vec![]).await.unwrap();
    assert_eq!(cut.json(), &json!([]));
}
