//! A report counts by who has published it and by whose key it is signed.

use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::Value;

use super::{member, shows, workers};
use crate::support::{Admin, Stand, on_both_own_brokers, wait_for};

const ID: &str = "00000000000000aa";

fn report(id: &str, sequence: u64) -> String {
    let now = "2026-01-01T00:00:00Z";
    format!(
        r#"{{"id":"{id}","sequence":{sequence},"at":"{now}","started":"{now}","every_ms":1000,"host":"made-up","version":"9.9.9","state":"ready","news":[1]}}"#
    )
}

/// What an operator's command tells of its replay.
const OPERATOR: &str = r#"{"operator":{"id":"00000000000000bb","sequence":1,"at":"2026-01-01T00:00:00Z","by":"made-up@desk","replay":{"queue":"q","total":5}}}"#;

struct Speaker<'a> {
    stand: &'a Stand,
    channel: Channel,
    user: &'a str,
}

impl Speaker<'_> {
    async fn says(&self, body: &[u8], properties: BasicProperties) {
        let (fleet, options) = (self.stand.fleet(), BasicPublishOptions::default());
        let said = self.channel.basic_publish(fleet.into(), "".into(), options, body, properties);
        said.await.unwrap();
    }

    fn own(&self) -> BasicProperties {
        BasicProperties::default().with_user_id(self.user.into())
    }
}

async fn ignores(admin: &Admin, reason: &str) {
    let label = format!("reason=\"{reason}\"");
    admin
        .shows(&format!("a report that is ignored: {reason}"), |it| {
            it.sum("fleet_reports_ignored_total", &[&label]) > 0
        })
        .await;
}

on_both_own_brokers! {
    async fn without_a_key_only_the_workers_user_is_believed_and_rubbish_is_counted(broker: &OwnBroker, stand: Stand) {
        let _ = broker;
        let (worker, admin) = member(&stand, &[]).await;
        shows(&admin, "the fleet", |it| it["link"]["state"] == "joined").await;
        let channel = stand.another_channel().await;
        let guest = Speaker { stand: &stand, channel, user: "guest" };
        let body = report(ID, 1);
        guest.says(body.as_bytes(), BasicProperties::default()).await;
        ignores(&admin, "user").await;
        guest.says(b"{", guest.own()).await;
        guest.says(report("no id", 1).as_bytes(), guest.own()).await;
        ignores(&admin, "malformed").await;
        guest.says(&vec![b' '; 64 * 1024 + 1], guest.own()).await;
        ignores(&admin, "too_large").await;
        guest.says(body.as_bytes(), guest.own()).await;
        let fleet = shows(&admin, "the one of another version", |it| workers(it).len() == 2).await;
        let other = workers(&fleet).iter().find(|it| it["host"] == "made-up").unwrap();
        assert!(other["clock_ahead_seconds"].as_i64() < Some(-60), "{other}");
        assert_eq!((&other["version"], &other["id"]), (&"9.9.9".into(), &ID.into()), "{other}");
        guest.says(body.as_bytes(), guest.own()).await;
        ignores(&admin, "old").await;
        guest.says(OPERATOR.as_bytes(), guest.own()).await;
        let fleet = shows(&admin, "an operator's replay", |it| it["replays"][0]["by"] == "made-up@desk").await;
        assert_eq!((workers(&fleet).len(), &fleet["replays"][0]["total"]), (2, &5.into()), "{fleet}");
        worker.stop().await;
        stand.leave_nothing().await;
    }

    async fn with_a_key_only_what_it_has_signed_is_believed_and_only_once(broker: &OwnBroker, stand: Stand) {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, [7; 64]).unwrap();
        let key = ("AMQP__SIGNING_KEY_FILE", key.to_str().unwrap());
        let (one, admin) = member(&stand, &[key]).await;
        let (two, other) = member(&stand, &[key]).await;
        for admin in [&admin, &other] {
            shows(admin, "two workers", |it| workers(it).len() == 2).await;
        }
        let uri = {
            broker.permit_only(&stand.id, [".*"; 3]).await;
            format!("amqp://{}:planted@127.0.0.1:{}/%2f", stand.id, broker.port(0))
        };
        // Another user of the broker, who may do everything.
        let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mallory = Speaker { stand: &stand, channel, user: &stand.id };
        mallory.says(report(ID, 1).as_bytes(), mallory.own()).await;
        mallory.says(OPERATOR.as_bytes(), mallory.own()).await;
        ignores(&admin, "user").await;
        let channel = stand.another_channel().await;
        let guest = Speaker { stand: &stand, channel, user: "guest" };
        guest.says(OPERATOR.as_bytes(), guest.own()).await;
        guest.says(report(ID, 1).as_bytes(), guest.own()).await;
        ignores(&admin, "signature").await;
        // What a worker has said, said again.
        let (queue, channel) = (format!("{}.copy", stand.id), &guest.channel);
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let none = FieldTable::default;
        channel.queue_declare(queue.as_str().into(), options, none()).await.unwrap();
        let (name, fleet) = (queue.as_str().into(), stand.fleet().into());
        channel.queue_bind(name, fleet, "".into(), QueueBindOptions::default(), none()).await.unwrap();
        let fleet = shows(&admin, "two workers", |it| workers(it).len() == 2).await;
        let other = workers(&fleet).iter().find(|it| it["is_this"] == false).unwrap();
        let other = other["id"].as_str().unwrap();
        let copy = wait_for("a report of the other worker", async || {
            let got = channel.basic_get(queue.as_str().into(), BasicGetOptions { no_ack: true });
            let is_others = |body: &[u8]| String::from_utf8_lossy(body).contains(other);
            got.await.unwrap().filter(|it| is_others(&it.delivery.data))
        })
        .await;
        let (body, properties) = (&copy.delivery.data, copy.delivery.properties.clone());
        assert_eq!(properties.user_id().as_ref().map(ShortString::as_str), Some("guest"));
        guest.says(body, properties.clone()).await;
        ignores(&admin, "old").await;
        // Its time can't be changed without the key.
        let later = String::from_utf8(body.clone()).unwrap().replace("\"sequence\":", "\"sequence\":9");
        let before = admin.scrape().await.sum("fleet_reports_ignored_total", &["reason=\"signature\""]);
        guest.says(later.as_bytes(), properties).await;
        admin
            .shows("one more", |it| {
                it.sum("fleet_reports_ignored_total", &["reason=\"signature\""]) > before
            })
            .await;
        let fleet = shows(&admin, "two workers", |it| workers(it).len() == 2).await;
        assert!(!fleet.to_string().contains("made-up"), "{fleet}");
        assert_eq!(fleet["replays"], Value::Array(vec![]), "{fleet}");
        one.stop().await;
        two.stop().await;
        stand.leave_nothing().await;
    }
}
