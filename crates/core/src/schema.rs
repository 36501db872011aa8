//! JSON Schemas of events and notifications: the files in schema/.
//!
//! They are of draft 7, the newest that editors for TOML read.

mod native;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

pub use self::native::{JidText, NativeEvent};
use crate::route::{MessageBody, PresenceBody};

/// Every schema with the name of its file in schema/.
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    let chat = titled::<MessageBody<'_>>("Notification of a message to a user");
    let mut groupchat = titled::<MessageBody<'_>>("Notification of a message to a room");
    groupchat["properties"]["to_user_id"]["description"] = json!("The room: its bare JID.");
    vec![
        ("native-event.schema.json", titled::<NativeEvent>("Native event")),
        (
            "notification-presence.schema.json",
            titled::<PresenceBody<'_>>("Notification of a presence"),
        ),
        ("notification-chat.schema.json", chat),
        ("notification-groupchat.schema.json", groupchat),
    ]
}

/// As it is written: that is how what has no value is left out.
fn titled<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft07().for_serialize();
    let mut schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    // A comment's lines are no paragraphs.
    if let Some(text) = schema.get("description").and_then(Value::as_str) {
        let line = text.replace('\n', " ");
        schema.insert("description".to_owned(), line.into());
    }
    schema.to_value()
}
