//! What SNS says is data: nothing of an event, of a key, and nothing that a terminal obeys gets out by way of it.

use percent_encoding::percent_decode_str;

use crate::fake_sns::{EntryFault, FakeSns, RequestFault, next};
use crate::support::{ADMIN, Admin, Event, Program, Stand, Worker, header, wait_for};

/// In the event's text, in a user's name, and in the session token.
const PLANTED: &str = "planted-7f3a";

fn assert_clean(what: &str, text: &str) {
    let lower = text.to_lowercase();
    for trace in ["planted", "7f3a", "\u{1b}", "\\u001b", "\u{202e}", "\\u202e"] {
        assert!(!lower.contains(trace), "{what} shows {trace:?}: {text}");
    }
}

/// Quotes the token, then the form as it is and as it was sent.
fn quoting(head: &str, form: &str) -> String {
    let token = head.lines().find(|it| it.to_lowercase().starts_with("x-amz-security-token"));
    let part = |name: &str| form.split('&').find_map(|it| it.split_once(name).map(|it| it.1));
    let message = part("Message=").unwrap_or_default();
    let plain = percent_decode_str(message).decode_utf8_lossy();
    format!(
        "<![CDATA[\u{1b}[31m\u{202e}Canonical String: '{}' of {plain} or {message} with {PLANTED}\u{9b}2J]]>",
        token.unwrap_or_default()
    )
}

struct Scene {
    stand: Stand,
    sns: FakeSns,
    worker: Worker,
    admin: Admin,
}

impl Scene {
    async fn set(name: &str) -> Self {
        let (stand, sns) = (Stand::new(name).await, FakeSns::start());
        sns.explain(quoting);
        let (url, token) = (sns.url(), format!("{PLANTED}-session/token+that=="));
        let settings = [
            ADMIN,
            ("SNS__SNS_HOST", &*url),
            ("SNS__SESSION_TOKEN", &*token),
            ("SNS__PUBLISH_RETRY_TIME_MS", "1"),
            ("OUTAGE__PROBE_MAX_MS", "100"),
            ("LOG__FILTER", "debug"),
        ];
        let worker = Worker::start_with(&stand, &settings).await;
        let admin = Admin::of(&worker).await;
        Self { stand, sns, worker, admin }
    }

    async fn publish(&self) {
        let text = format!("{PLANTED}, meet me at the Blue Union");
        let chat = |_| Event::chat(&format!("{PLANTED}@h"), "bob@h", &text);
        self.stand.publish_all((0..20).map(chat)).await;
    }

    async fn is_clean(&self) {
        for path in ["/metrics", "/readyz", "/livez", "/api/status"] {
            assert_clean(path, &self.admin.get(path).await.1);
        }
        for line in self.worker.log() {
            assert_clean("the log", &line.to_string());
        }
    }

    /// Each letter's headers, which say so.
    async fn letters_say(&self, reason: &str, code: &str) {
        for letter in self.stand.take_dead_letters(20).await {
            let ours = letter.properties.headers().iter().flatten();
            let ours = ours.filter(|(name, _)| name.as_str().starts_with("event-pusher-"));
            assert_clean("a dead letter", &format!("{:?}", ours.collect::<Vec<_>>()));
            assert_eq!(header(&letter, "event-pusher-reason").as_deref(), Some(reason));
            let error = header(&letter, "event-pusher-error").unwrap();
            assert_clean("a dead letter's error", &error);
            assert!(error.contains(code), "{error}");
        }
    }

    async fn leave(self) {
        self.is_clean().await;
        let exit = self.worker.stop().await;
        assert_clean("the report", &exit.last.to_string());
        self.stand.leave_nothing().await;
    }
}

#[tokio::test]
async fn what_sns_quotes_in_the_refusal_of_an_entry_shows_nowhere() {
    let scene = Scene::set("told-entry").await;
    scene.sns.fail_entries(next(
        u64::MAX,
        EntryFault::Failed { code: "InvalidParameter", sender_fault: true },
    ));
    scene.publish().await;
    scene.letters_say("rejected", "InvalidParameter: [31mCanonical String").await;
    scene.leave().await;
}

#[tokio::test]
async fn what_sns_quotes_in_the_refusal_of_a_request_shows_nowhere_and_neither_does_such_a_code() {
    let scene = Scene::set("told-whole").await;
    for code in ["InvalidParameter", PLANTED] {
        let refused = RequestFault::Refused { status: 400, code };
        scene.sns.fail_requests(next(u64::MAX, refused));
        scene.publish().await;
        let shown = if code == PLANTED { "HTTP 400" } else { code };
        scene.letters_say("rejected", &format!("{shown}: [31mCanonical String")).await;
        scene.is_clean().await;
    }
    scene.leave().await;
}

#[tokio::test]
async fn what_sns_quotes_when_it_refuses_the_keys_shows_nowhere_and_not_in_check() {
    let scene = Scene::set("told-keys").await;
    let refused = RequestFault::Refused { status: 403, code: "SignatureDoesNotMatch" };
    scene.sns.fail_requests(next(u64::MAX, refused));
    scene.publish().await;
    let held = scene.admin.is_not_ready("service_held").await;
    assert_clean("readiness", &held.to_string());
    let token = format!("{PLANTED}-session/token+that==");
    let check = Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &scene.stand.configuration())
        .with("SNS__SNS_HOST", &scene.sns.url())
        .with("SNS__SESSION_TOKEN", &token);
    let ended = check.run().await;
    assert!(ended.all().contains("SignatureDoesNotMatch: [31mCanonical"), "{}", ended.all());
    assert_clean("check", &ended.all());
    scene.sns.heal();
    wait_for("the end", async || (scene.sns.counts().messages == 20).then_some(())).await;
    scene.leave().await;
}
