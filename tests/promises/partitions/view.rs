//! The view of the fleet shows how partitions are shared, and `check` names the workers that are to be alike and are not.

use serde_json::{Value, json};

use super::{Crew, FEW_PARTITIONS, PER_KEY, check, leave_nothing, while_events_flow};
use crate::fake_sns::FakeSns;
use crate::support::{Admin, Ended, Program, Stand, on_both_brokers, wait_for};

/// As much as `amqp.prefetch` would be, and half of it.
const PREFETCH: (&str, &str) = ("AMQP__PREFETCH", "4000");
const OTHER: (&str, &str) = ("AMQP__PREFETCH", "2000");

async fn status(stand: &Stand, arguments: &[&str]) -> Ended {
    let arguments = [&["fleet", "status", "--config", "stand.toml"], arguments].concat();
    let program = Program::new(&arguments).with_file("stand.toml", &stand.configuration());
    let ended = program.run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    ended
}

/// What `fleet status --json` prints.
async fn fleet(stand: &Stand) -> Value {
    serde_json::from_str(&status(stand, &["--json"]).await.stdout).unwrap()
}

/// What each worker says of its partitions.
fn shares(fleet: &Value) -> Vec<&Value> {
    let workers = fleet["workers"].as_array().unwrap();
    workers.iter().map(|it| &it["sources"][0]["partitions"]).collect()
}

/// Whether all four partitions are taken, and each worker has two of them.
fn is_shared(fleet: &Value) -> bool {
    let wanted =
        json!([{"source": "events", "active": 4, "of": 4, "beyond": [], "short_seconds": null}]);
    let each = |it: &&Value| it["active"] == 2 && it["of"] == 4 && it["bound"] == 2;
    fleet["partitions"] == wanted && shares(fleet).iter().all(each)
}

on_both_brokers! {
    async fn the_shares_of_two_workers_add_up_for_the_status_and_for_the_page_of_any(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let mut crew = Crew::new(&stand, &sns, "4", &[]);
        crew.grow(2).await;
        let looks = async {
            crew.settles().await;
            wait_for("two shares", async || is_shared(&fleet(&stand).await).then_some(())).await;
            let printed = status(&stand, &[]).await;
            printed.line("partitions  differs in");
            assert!(printed.stdout.contains(" 2 of 4 "), "{}", printed.all());
            printed.line("source events: events come from ");
            for worker in &crew.workers {
                let admin = Admin::of(worker).await;
                wait_for("two shares on the page", async || {
                    let body = admin.read("/api/status", &[]).await.json();
                    is_shared(&body["frame"]["fleet"]).then_some(())
                })
                .await;
            }
        };
        let said = while_events_flow(&stand, 0, looks).await;
        let alike = check(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        assert_eq!(alike.code, Some(0), "{}", alike.all());
        alike.line("partitions: 2 workers that run have the same amqp.prefetch");
        crew.ends_in_order(&said).await;
        // Nobody runs any more.
        let alone = check(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        assert_eq!(alone.code, Some(0), "{}", alone.all());
        assert!(!alone.stdout.contains("that run"), "{}", alone.all());
        assert!(!stand.has_exchange(&format!("{}.fleet", stand.id)).await, "check has left an exchange");
        leave_nothing(stand, 4).await;
    }

    async fn a_worker_with_another_prefetch_is_named_by_check_and_differs_in_the_status(stand: Stand) {
        let sns = FakeSns::start();
        let mut crew = Crew::new(&stand, &sns, "4", &[]);
        crew.grow_with(1, &[PREFETCH]).await;
        crew.grow_with(2, &[OTHER]).await;
        let seen = wait_for("two workers", async || {
            Some(fleet(&stand).await).filter(|it| shares(it).iter().filter(|it| it["of"] == 4).count() == 2)
        })
        .await;
        let mut each: Vec<_> = shares(&seen).iter().map(|it| it["prefetch"].as_u64().unwrap()).collect();
        each.sort_unstable();
        assert_eq!(each, [500, 1000]);
        let differing: Vec<_> =
            seen["workers"].as_array().unwrap().iter().filter(|it| it["differs_in"] == json!(["amqp.prefetch"])).collect();
        assert_eq!(differing.len(), 1, "{seen}");
        let settings = [FEW_PARTITIONS, PER_KEY, PREFETCH];
        let name = |prefetch: u64| {
            let workers = seen["workers"].as_array().unwrap();
            let found = workers.iter().find(|it| it["sources"][0]["partitions"]["prefetch"] == prefetch);
            found.unwrap()["name"].as_str().unwrap().to_owned()
        };
        let checked = check(&stand, &settings).await;
        assert_eq!(checked.code, Some(0), "no problem of this configuration: {}", checked.all());
        let line = checked.line("✓ warning: partitions: ");
        let (other, own) = (name(500), name(1000));
        assert!(line.contains(&format!("{other} (amqp.prefetch")), "{line}");
        assert!(!line.contains(&format!("{own} (amqp.prefetch")), "{line}");
        assert!(line.contains("give all workers the same"), "{line}");
        let offline = Program::new(&["check", "--offline", "--config", "stand.toml"]);
        let offline = settings.iter().fold(offline, |it, (key, value)| it.with(key, value));
        let offline = offline.with_file("stand.toml", &stand.configuration()).run().await;
        assert!(!offline.stdout.contains("that run"), "{}", offline.all());
        crew.shrink(0).await;
        leave_nothing(stand, 4).await;
    }
}
