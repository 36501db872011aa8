//! A real XMPP server as producer: people who talk through Prosody with the module of
//! `examples/prosody`, a real RabbitMQ, the worker, and what subscribers of SNS get.

mod people;
mod prosody;

use people::People;
use prosody::Prosody;
use serde_json::json;

use crate::support::{OwnBroker, Stand, Totals, Worker};

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";
const ROOM: &str = "room@conference.localhost";

/// Events until the broker goes away: 14 stanzas of theirs, and the 2 by which Prosody tells Bob's
/// two clients of each other, which pass its hooks like any that a client has sent.
const BEFORE: usize = 16;
/// Then 5 more, and 3 by which Prosody tells those who knew of a client that it has gone.
const IN_ALL: usize = BEFORE + 8;

fn message(from: &str, to: &str, message: &str) -> String {
    json!({"from_user_id": from, "to_user_id": to, "message": message}).to_string()
}

fn presence(user: &str, present: bool) -> String {
    json!({"user_id": user, "present": present}).to_string()
}

/// The bodies behind a topic, once there are as many as are expected.
async fn bodies(stand: &Stand, topic: &str, count: usize) -> Vec<String> {
    let received = stand.receive(topic, count).await;
    sorted(received.iter().map(|it| it.json().to_string()))
}

fn sorted(expected: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut expected: Vec<_> = expected.into_iter().collect();
    expected.sort();
    expected
}

/// `xmpp_server/clients.py` is what they do, act by act. The counts are exact: nothing comes twice,
/// nothing but what people said comes, and what they say while the broker is away comes later.
#[tokio::test]
async fn what_people_say_through_a_real_server_arrives_once_and_nothing_else_does() {
    let (broker, _shared) = OwnBroker::shared().await;
    let stomp = broker.listen_for_stomp().await;
    let stand = Stand::on("prosody", &broker.uri(0)).await;
    let worker = Worker::start_with(&stand, &[("AMQP__SOURCES__EVENTS__FORMAT", "xmpp")]).await;
    let mut server = Prosody::start(stomp, &stand.exchange()).await;
    let mut people = People::on(server.port);
    for act in ["they come", "they talk", "they meet"] {
        people.are_at(act).await;
        people.go_on().await;
    }

    people.are_at("the broker is away").await;
    worker.settles(BEFORE).await;
    assert_eq!(bodies(&stand, "presence", 3).await, sorted(came()));
    assert_eq!(bodies(&stand, "pm", 4).await, sorted(talked()));
    assert_eq!(bodies(&stand, "muc", 1).await, [message(ALICE, ROOM, "Hi all")]);

    // What was not confirmed would be sent again, and rightly come twice.
    server.knows_of_confirms(BEFORE).await;
    broker.eval(0, "ok = application:stop(rabbitmq_stomp).").await;
    server.logs("no link to RabbitMQ").await;
    people.go_on().await;
    people.are_at("they go").await;
    assert_eq!(worker.settled(), BEFORE, "something came while nothing could");
    broker.eval(0, "ok = application:start(rabbitmq_stomp).").await;
    people.go_on().await;
    people.have_gone().await;
    worker.settles(IN_ALL).await;
    assert_eq!(bodies(&stand, "presence", 3).await, sorted(went()));
    assert_eq!(bodies(&stand, "pm", 1).await, [message(ALICE, BOB, "meanwhile")]);

    let exit = worker.stop().await;
    let totals = Totals { received: 24, published: 12, skipped: 12, ..Totals::default() };
    assert_eq!(exit.totals(), totals, "{exit:?}");
    assert_eq!(exit.reasons(), "unsupported_type 1, copy 1, directed 8, no_text 2");
    stand.leave_nothing().await;
}

fn came() -> [String; 3] {
    [ALICE, BOB, BOB].map(|user| presence(user, true))
}

fn talked() -> [String; 4] {
    [
        message(ALICE, BOB, "Hi <b>Bob</b> & ❤️🦀 ]]>"),
        message(BOB, ALICE, "<Hello>👋"),
        message(ALICE, ALICE, "milk"),
        message(BOB, ROOM, "psst"),
    ]
}

fn went() -> [String; 3] {
    [BOB, ALICE, BOB].map(|user| presence(user, false))
}
