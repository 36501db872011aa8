//! One replay at a time, which everybody sees.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{frame, member, shows, status, workers};
use crate::operator::expect;
use crate::support::{Admin, dlq, dlq_program, on_both_brokers, on_both_own_brokers, wait_for};

pub const TOKEN: (&str, &str) = ("ADMIN__TOKEN", "planted-token-of-some-length");
const BEARER: &str = "Authorization: Bearer planted-token-of-some-length";

pub fn replays(fleet: &Value) -> &Vec<Value> {
    fleet["replays"].as_array().unwrap_or_else(|| panic!("no replays: {fleet}"))
}

/// Waits until a page shows one replay of which some letters are done, and returns that.
async fn is_seen(admin: &Admin, what: &str) -> Value {
    let fleet = shows(admin, what, |it| {
        replays(it).first().is_some_and(|it| it["done"].as_u64() > Some(0))
    });
    let fleet = fleet.await;
    assert_eq!(replays(&fleet).len(), 1, "{fleet}");
    fleet["replays"][0].clone()
}

/// What the page's replay could not begin for.
async fn is_refused(admin: &Admin) -> String {
    let order = json!({});
    let answer = admin.write("/api/dead-letters/replay", &[BEARER], &order).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    admin.replay_ends().await;
    let status = admin.read("/api/status", &[BEARER]).await.json();
    status["frame"]["replay"]["error"].as_str().unwrap_or_else(|| panic!("{status}")).to_owned()
}

fn has_all(words: &str, parts: &[&str]) {
    for part in parts {
        assert!(words.contains(part), "no {part:?} in {words}");
    }
}

on_both_brokers! {
    async fn a_commands_replay_is_seen_by_all_and_others_are_refused_by_its_name(stand: Stand) {
        let (one, admin) = member(&stand, &[TOKEN]).await;
        let (two, other) = member(&stand, &[TOKEN]).await;
        shows(&admin, "two workers", |it| workers(it).len() == 2).await;
        stand.bury_numbers(0..40).await;
        let archive = tempfile::tempdir().unwrap();
        let file = archive.path().join("letters.jsonl");
        let file = file.to_str().unwrap();
        expect(&dlq(&stand, &["export", file]).await, 0, &["exported 40"]);
        let arguments = ["replay", "--rate", "2/s", "--user", "bob@localhost", "--json"];
        let first = dlq_program(&stand, &arguments).with_variable("USER", "ann").start();
        for admin in [&admin, &other] {
            let replay = is_seen(admin, "the command's replay").await;
            let who = replay["by"].as_str().unwrap();
            assert!(who.starts_with("ann@"), "{replay}");
            assert_eq!((&replay["is_worker"], &replay["is_this"]), (&false.into(), &false.into()));
            assert_eq!((&replay["total"], &replay["limit"]), (&40.into(), &json!(2.0)), "{replay}");
            assert_eq!((&replay["queue"], &replay["filter"]), (&stand.dead_letter_queue().into(), &"1 user".into()));
            assert!(!replay.to_string().contains("bob"), "{replay}");
        }
        let fleet = frame(&admin).await["fleet"].take();
        assert_eq!((workers(&fleet).len(), &fleet["sums"]["workers"]), (2, &2.into()), "{fleet}");
        admin.shows("two workers", |it| it.sum("fleet_workers", &[]) == 2).await;
        let ended = status(&stand, &[], &["--json"]).await;
        let fleet: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert!(replays(&fleet)[0]["by"].as_str().unwrap().starts_with("ann@"), "{fleet}");
        let ended = status(&stand, &[], &[]).await;
        let line = ended.line("replays since");
        has_all(line, &["the command of ann@", "of 40 dead letters", "(limit 2/s)", "1 user"]);
        // Who would change something is refused, and waits for nothing.
        let began = std::time::Instant::now();
        for arguments in [&["replay"][..], &["discard", "--all", "--yes"], &["import", file]] {
            let ended = dlq(&stand, arguments).await;
            assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{}", ended.all());
            has_all(&ended.stderr, &["another replay", "is running", "the command of ann@", "of 40 dead letters"]);
        }
        has_all(&is_refused(&admin).await, &["another replay", "the command of ann@"]);
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
        first.signal(Signal::SIGINT);
        let report: Value = serde_json::from_str(&first.wait().await.stdout).unwrap();
        assert_eq!(report["ended"], "stopped", "{report}");
        for admin in [&admin, &other] {
            shows(admin, "no replay", |it| replays(it).is_empty()).await;
        }
        let left = 40 - report["replayed"].as_u64().unwrap();
        let ended = dlq(&stand, &["replay"]).await;
        expect(&ended, 0, &[&format!("replayed {left} of {left} dead letters")]);
        one.stop().await;
        two.stop().await;
        stand.leave_nothing().await;
    }

    async fn a_pages_replay_is_seen_by_all_and_others_are_refused_by_its_worker(stand: Stand) {
        let (one, admin) = member(&stand, &[TOKEN]).await;
        let (two, other) = member(&stand, &[TOKEN]).await;
        shows(&other, "two workers", |it| workers(it).len() == 2).await;
        stand.bury_numbers(0..40).await;
        let order = json!({"filter": {"reason": ["retries_exhausted"]}, "rate": 2});
        let answer = admin.write("/api/dead-letters/replay", &[BEARER], &order).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let here = is_seen(&admin, "its own replay").await;
        assert_eq!((&here["is_worker"], &here["is_this"]), (&true.into(), &true.into()), "{here}");
        let there = is_seen(&other, "the other's replay").await;
        assert_eq!((&there["is_worker"], &there["is_this"], &there["by"]), (&true.into(), &false.into(), &here["by"]));
        assert_eq!((&there["filter"], &there["total"]), (&"reason retries_exhausted".into(), &40.into()));
        let name = format!("the page of worker {}", here["by"].as_str().unwrap());
        has_all(&is_refused(&other).await, &["another replay", &name, "of 40 dead letters"]);
        let discard = json!({"filter": {}, "count": 40});
        let answer = other.write("/api/dead-letters/discard", &[BEARER], &discard).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        has_all(&answer.body, &["another replay", &name]);
        let ended = dlq(&stand, &["replay"]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        // By its host, and what tells it from the other one if both were heard.
        let name = name.rsplit_once(' ').unwrap().0;
        has_all(&ended.stderr, &["another replay", name, "reason retries_exhausted"]);
        // Whoever only looks waits as before, and a lock goes with its holder.
        one.crash().await;
        let ended = dlq(&stand, &["list"]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        let ended = dlq(&stand, &["replay"]).await;
        expect(&ended, 0, &["replayed"]);
        two.stop().await;
        stand.leave_nothing().await;
    }
}

on_both_own_brokers! {
    async fn without_the_fleets_rights_a_replay_runs_and_another_is_refused_without_a_name(broker: &OwnBroker, stand: Stand) {
        let others = format!("^(?!{}\\.fleet)", stand.id);
        broker.permit_only(&stand.id, [&others, &others, &others]).await;
        let uri = format!("amqp://{}:planted@127.0.0.1:{}/%2f", stand.id, broker.port(0));
        stand.declare_all("quorum").await;
        stand.bury_numbers(0..70).await;
        let replay = |arguments: &[&str]| dlq_program(&stand, arguments).with("AMQP__URI", &uri);
        let first = replay(&["replay", "--rate", "1/s", "--watch", "0s", "--json"]).start();
        wait_for("a letter", async || (stand.ready(&stand.queue()).await > 0).then_some(())).await;
        let ended = replay(&["replay"]).run().await;
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        has_all(&ended.stderr, &["waiting: ", "probably another replay", "one runs at a time"]);
        first.signal(Signal::SIGINT);
        let report: Value = serde_json::from_str(&first.wait().await.stdout).unwrap();
        let replayed = usize::try_from(report["replayed"].as_u64().unwrap()).unwrap();
        // The rate follows nobody, and that is said.
        let ended = replay(&["replay", "--rate", "auto", "--limit", "15", "--watch", "0s"]).run().await;
        expect(&ended, 0, &["live events are not seen, so the rate is 10/s", "may not listen", "replayed 15 of 15"]);
        stand.drain(&stand.queue(), replayed + 15).await;
        stand.drain_dead_letters(70 - replayed - 15).await;
        stand.leave_nothing().await;
    }
}
