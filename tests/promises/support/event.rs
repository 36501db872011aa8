//! An event as a producer sends it.

use lapin::BasicProperties;

/// An event for the stand's exchange.
#[derive(Clone)]
pub struct Event {
    pub routing_key: String,
    pub properties: BasicProperties,
    pub payload: Vec<u8>,
}

impl Event {
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        Self {
            routing_key: "test".to_owned(),
            properties: BasicProperties::default(),
            payload: payload.into(),
        }
    }

    pub fn presence(user: &str, present: bool) -> Self {
        Self::json(&serde_json::json!({"type": "presence", "user_id": user, "present": present}))
    }

    pub fn chat(from: &str, to: &str, message: &str) -> Self {
        Self::message("chat", from, to, message)
    }

    pub fn groupchat(from: &str, to: &str, message: &str) -> Self {
        Self::message("groupchat", from, to, message)
    }

    pub fn message(kind: &str, from: &str, to: &str, message: &str) -> Self {
        let json = serde_json::json!({
            "type": kind, "from_user_id": from, "to_user_id": to, "message": message,
        });
        Self::json(&json)
    }

    pub fn json(json: &serde_json::Value) -> Self {
        Self::new(json.to_string())
    }

    pub fn routed(mut self, routing_key: &str) -> Self {
        routing_key.clone_into(&mut self.routing_key);
        self
    }

    /// With a message id, by which it is found again in logs and among dead letters.
    pub fn identified(mut self, id: &str) -> Self {
        self.properties = self.properties.with_message_id(id.into());
        self
    }
}
