//! Events of every kind, each with a number by which it is known wherever it ends.

use super::Event;

const ROOM: &str = "room@conference.localhost";
const FOREIGN_ROOM: &str = "room@muc.elsewhere.example";

/// Where an event must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Behind(&'static str),
    Skipped,
    DeadLettered,
}

/// The event of a number: of every hundred, three are skipped, two can't be decoded, and the
/// others are presences, chats and groupchats in turn. The number is in its body and is its id.
pub fn event_of(number: u32) -> (Event, End) {
    let (text, user) = (number.to_string(), format!("user-{number}@localhost/phone"));
    let (event, end) = match (number % 100, number % 3) {
        (7, _) => (Event::message("headline", &user, "bob@localhost", &text), End::Skipped),
        (37, _) => (Event::groupchat(&user, FOREIGN_ROOM, &text), End::Skipped),
        (67, _) => {
            let json =
                serde_json::json!({"type": "chat", "from_user_id": user, "to_user_id": ROOM});
            (Event::json(&json), End::Skipped)
        }
        (23, _) => (Event::new(&b"{\"type\":\"chat\",\"message\":\"cut o"[..]), End::DeadLettered),
        (73, _) => (Event::chat(&user, "not a @ jid @", &text), End::DeadLettered),
        (_, 0) => (Event::presence(&user, number.is_multiple_of(2)), End::Behind("presence")),
        (_, 1) => (Event::chat(&user, "bob@localhost", &text), End::Behind("pm")),
        _ => (Event::groupchat(&user, ROOM, &text), End::Behind("muc")),
    };
    (event.identified(&text), end)
}

/// The number of the event that a notification was made from.
pub fn number_in(body: &serde_json::Value) -> u32 {
    let text = body.get("message").and_then(|it| it.as_str()).map(str::to_owned);
    let user = || body["user_id"].as_str().unwrap().replace("user-", "").replace("@localhost", "");
    text.unwrap_or_else(user).parse().unwrap()
}
