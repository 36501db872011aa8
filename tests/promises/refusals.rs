//! What SNS could only refuse is never sent to it.

use serde_json::{Value, json};

use crate::fake_sns::FakeSns;
use crate::support::{Event, Stand, Worker, custom_plugin};

/// A chat event with a key more, which the plugin `metadata` makes an attribute.
fn with_attribute(name: &str, value: Value) -> Event {
    let mut event =
        json!({"type": "chat", "from_user_id": "a@h", "to_user_id": "b@h", "message": "x"});
    event[name] = value;
    Event::json(&event)
}

async fn worker_with_attributes(stand: &Stand, sns: &FakeSns) -> Worker {
    let settings = [("SNS__SNS_HOST", &*sns.url()), ("SNS__PLUGIN_MODULE", "metadata")];
    let worker = Worker::spawn(stand, custom_plugin(), &settings);
    worker.logged("consuming").await;
    worker
}

#[tokio::test]
async fn an_attribute_within_the_rules_arrives_and_more_than_ten_are_warned_of_once() {
    let (stand, sns) = (Stand::new("attributes-taken").await, FakeSns::start());
    sns.record();
    let worker = worker_with_attributes(&stand, &sns).await;
    let long = "n".repeat(256);
    let cases = [
        (&*long, json!("x"), ("String", "x")),
        ("A-z_0.9", json!("\t\n\r \u{7f}ü🦀"), ("String", "\t\n\r \u{7f}ü🦀")),
        ("AWS.SNS.MOBILE.APNS.PRIORITY", json!("10"), ("String", "10")),
        ("number", json!(-1.5e-9), ("Number", "-1.5e-9")),
        ("milliseconds", json!(1_792_000_000_000_i64), ("Number", "1792000000000")),
    ];
    for (name, value, _) in &cases {
        stand.publish(with_attribute(name, value.clone())).await;
    }
    sns.until(|counts| counts.messages == cases.len() as u64).await;
    for (name, _, (data_type, value)) in &cases {
        let accepted = sns.accepted();
        let found = accepted.iter().find_map(|it| it.attributes.get(*name));
        let found = found.unwrap_or_else(|| panic!("{name} has not come"));
        assert_eq!((&*found.data_type, &*found.value), (*data_type, *value));
    }
    assert_eq!(worker.count("too_many_attributes"), 0);
    let mut eleven =
        json!({"type": "chat", "from_user_id": "a@h", "to_user_id": "b@h", "message": "x"});
    (0..11).for_each(|number| eleven[format!("name{number}")] = "x".into());
    stand.publish_all([Event::json(&eleven), Event::json(&eleven)]).await;
    worker.settles(cases.len() + 2).await;
    assert_eq!(sns.accepted().last().unwrap().attributes.len(), 11);
    assert_eq!(worker.count("too_many_attributes"), 1);
    worker.stop().await;
    stand.leave_nothing().await;
}
