//! Messages that RabbitMQ takes and an AMQP client can't read: each ends once, and stops nobody.

mod dead_letters;
mod innocents;
pub mod kinds;

use self::kinds::{Ends, Poison};
use crate::support::raw::RawPublisher;
use crate::support::{Event, Stand, Worker};

#[tokio::test]
async fn no_byte_of_a_producer_stops_a_worker_and_each_poison_ends_once() {
    let stand = Stand::new("poison").await;
    poison_ends_once(&stand, &[]).await;
    stand.leave_nothing().await;
}

/// On whatever broker the stand is, with these settings of the worker.
pub async fn poison_ends_once(stand: &Stand, settings: &[(&str, &str)]) {
    let worker = Worker::start_with(stand, settings).await;
    let mut publisher = RawPublisher::connect(&stand.amqp_uri).await;
    let (poison, exchange) = (kinds::all(), stand.exchange());
    for (number, bad) in poison.iter().enumerate() {
        publisher.publish(&exchange, &bad.message(bad.name)).await;
        stand.publish(Event::chat("a@localhost", "b@localhost", &number.to_string())).await;
    }
    let mut innocents: Vec<_> = stand.receive("pm", poison.len()).await;
    innocents.sort_by_key(|it| it.json()["message"].as_str().unwrap().parse::<usize>().unwrap());
    for (number, innocent) in innocents.iter().enumerate() {
        assert_eq!(innocent.json()["message"], number.to_string());
    }
    worker.settles(2 * poison.len()).await;

    let is_published = |bad: &&Poison| matches!(bad.ends, Ends::Published);
    let mut expected: Vec<_> = poison.iter().filter(is_published).map(|it| &it.name).collect();
    let received = stand.receive("presence", expected.len()).await;
    let mut users: Vec<_> = received.iter().map(|it| it.json()["user_id"].to_string()).collect();
    expected.sort();
    users.sort();
    let names: Vec<_> = expected.iter().map(|name| format!("\"{name}@localhost\"")).collect();
    assert_eq!(users, names);
    assert!(stand.received_now("presence").await.is_empty(), "something was published twice");

    let mut letters = vec![];
    while let Some(letter) = publisher.get(&stand.dead_letter_queue()).await {
        letters.push(letter);
    }
    assert_eq!(letters.len(), poison.len() - expected.len());
    for bad in &poison {
        let Ends::Dead(expected) = &bad.ends else { continue };
        let body = bad.message(bad.name).body;
        let letter = letters.iter().find(|letter| letter.body == body);
        let letter = letter.unwrap_or_else(|| panic!("{} is not dead", bad.name));
        assert_eq!(expected.misses(letter), None, "{}", bad.name);
    }
    let exit = worker.stop().await;
    assert!(exit.status.success() && exit.totals().handed_back == 0, "{exit:?}");
}
