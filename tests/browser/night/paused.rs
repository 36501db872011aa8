//! Operators pause and resume on the page.

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};

use super::{DESK, PHONE, TOKEN, is_accessible, open};
use crate::chromium::Browser;
use crate::support::{ADMIN, Admin, Event, Stand, Worker};

async fn logs_in(browser: &Browser) {
    browser.click("log-in").await;
    browser.write("#login [name=token]", TOKEN).await;
    browser.click_on("#login button[type=submit]").await;
    browser.shows("log-out", |it| it == "Log out").await;
}

async fn choose(browser: &Browser, what: &str) {
    let script = format!(
        "const options = [...document.querySelectorAll('#pause option')]; \
         document.querySelector('#pause select').value = options.find((it) => it.textContent.startsWith('{what}')).value"
    );
    browser.script(&script).await;
}

#[tokio::test]
async fn an_operator_pauses_and_resumes_on_the_page() {
    let stand = Stand::new("pause-page").await;
    let settings = [("FLEET__PAUSE", "true"), ("ADMIN__TOKENS__ANN", TOKEN), ADMIN];
    let worker = Worker::start_with(&stand, &settings).await;
    let (admin, browser) = (Admin::of(&worker).await, Browser::start().await);
    open(&browser, &admin).await;
    assert_eq!(browser.text("pauses").await, "", "who has not logged in sees pauses only");
    logs_in(&browser).await;
    // Nothing is paused that was not chosen.
    browser.write("#pause [name=why]", "the subscriber is moved").await;
    browser.click("pause-now").await;
    choose(&browser, "Topic").await;
    browser.write("#pause [name=time]", "30m").await;
    browser.click("pause-now").await;
    browser.shows("pause-word", |it| it.starts_with("Paused.")).await;
    let listed = browser.shows("paused-list", |it| it.contains("Paused by ann at")).await;
    assert!(
        listed.contains("the subscriber is moved") && !listed.contains("Everything"),
        "{listed}"
    );
    browser.shows("title", |it| it.contains("aused")).await;
    browser.shows("points", |it| it.contains("paused by ann until")).await;
    is_accessible(&browser, "paused").await;
    for (name, scheme, (width, height)) in
        [("light", "light", DESK), ("dark", "dark", DESK), ("phone", "light", PHONE)]
    {
        browser.looks(scheme, width, height).await;
        browser.script("document.getElementById('pauses').scrollIntoView({block: 'start'})").await;
        browser.keep(&format!("paused-{name}.png")).await;
    }
    browser.looks("light", DESK.0, DESK.1).await;
    browser.click_on("#paused-list button").await;
    browser.shows("paused-list", str::is_empty).await;
    stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
    stand.receive("pm", 1).await;
    browser.window.clone().quit().await.unwrap();
    worker.stop().await;
    let control = format!("{}.fleet.control", stand.id);
    let (queue, exchange) = (QueueDeleteOptions::default(), ExchangeDeleteOptions::default());
    stand.channel.queue_delete(control.as_str().into(), queue).await.unwrap();
    stand.channel.exchange_delete(control.into(), exchange).await.unwrap();
    stand.leave_nothing().await;
}
