//! The events of the demo: an afternoon of four people, and what goes wrong in one.

use serde_json::{Value, json};

/// An event as a chat server would publish it.
pub(crate) struct Sample {
    pub id: String,
    /// Its type, which is its routing key as well.
    pub kind: &'static str,
    /// Who, or who → whom.
    pub people: String,
    pub said: Said,
    pub payload: String,
    /// The body that subscribers are to get, if it is published; shows which arrival it is.
    pub body: Value,
}

/// What there is to tell about an event.
pub(crate) enum Said {
    /// A message's text.
    Text(String),
    /// A remark about it.
    Note(&'static str),
    /// What is wrong with it.
    Fault(&'static str),
}

const ANN: &str = "ann@im.test/phone";
const BOB: &str = "bob@im.test/desk";
/// As he wrote himself: a JID's domain and local part know no case.
const BOB_AS_TYPED: &str = "Bob@IM.test/desk";
const CEM: &str = "cem@im.test/web";
/// Her domain has no topic for presences in config/demo.toml.
const EVE: &str = "eve@quiet.example/tv";
const TEA: &str = "tea@conference.im.test";
/// Its domain is neither `muc_host` nor one of `muc_topics`.
const LOBBY: &str = "lobby@rooms.other.test";

/// All of them, in the order of publishing.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = vec![
        presence(ANN, true),
        presence(BOB_AS_TYPED, true),
        message("chat", ANN, BOB, "Tea at five? ☕"),
        message("chat", BOB, ANN, "Yes! Grüße 🍰"),
        presence(EVE, true),
        message("groupchat", ANN, TEA, "Five o'clock!"),
        presence(CEM, true).with_payload(
            r#"{"type":"presence","user_id":"cem@im.test/web","present":"yes"}"#,
            Said::Fault("present: “yes”"),
        ),
        message("groupchat", CEM, TEA, "お茶の時間です"),
        message("groupchat", ANN, LOBBY, "Anyone here?"),
        message("chat", CEM, BOB, "").with_payload(
            r#"{"type":"chat","from_user_id":"cem@im.test/web","to_user_id":"bob@im.test/desk"}"#,
            Said::Note("typing, no text"),
        ),
        message("chat", CEM, BOB, ""),
        message("chat", CEM, ANN, "").with_payload(
            r#"{"type":"chat","from_user_id":"cem@im.test/web","to_user_id":"ann@im.te"#,
            Said::Fault("cut off midway"),
        ),
        message("headline", "news@im.test", ANN, "Restart at 9"),
        message("groupchat", BOB, TEA, r#"I said "cake"!"#),
        presence(BOB, false),
        presence(ANN, false),
    ];
    for (index, sample) in samples.iter_mut().enumerate() {
        sample.id = format!("demo-{:02}", index + 1);
    }
    samples
}

fn presence(user: &str, present: bool) -> Sample {
    Sample {
        id: String::new(),
        kind: "presence",
        people: user.to_owned(),
        said: Said::Note(if present { "online" } else { "offline" }),
        payload: json!({"type": "presence", "user_id": user, "present": present}).to_string(),
        body: json!({"user_id": bare(user), "present": present}),
    }
}

fn message(kind: &'static str, from: &str, to: &str, text: &str) -> Sample {
    let payload =
        json!({"type": kind, "from_user_id": from, "to_user_id": to, "message": text}).to_string();
    Sample {
        id: String::new(),
        kind,
        // Without resources, which presences show already.
        people: format!("{} → {}", bare(from), bare(to)),
        said: Said::Text(text.to_owned()),
        payload,
        body: json!({"from_user_id": bare(from), "to_user_id": bare(to), "message": text}),
    }
}

impl Sample {
    /// The same, gone wrong on its way.
    fn with_payload(mut self, payload: &str, said: Said) -> Self {
        payload.clone_into(&mut self.payload);
        self.said = said;
        self.body = Value::Null;
        self
    }
}

/// Enough for the JIDs above; the worker's own way is `jid`'s.
fn bare(jid: &str) -> String {
    jid.split('/').next().unwrap_or(jid).to_lowercase()
}
