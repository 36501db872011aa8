//! What waits for an alarm of RabbitMQ says so, and ends when it is told to.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::operator::expect;
use crate::support::{ADMIN, Admin, OwnBroker, Stand, Worker, dlq_program, wait_for};

/// So long nobody who has pressed Ctrl-C waits.
const AT_ONCE: Duration = Duration::from_secs(8);

/// An alarm of memory, as long as it is asked for.
struct Alarm<'a> {
    broker: &'a OwnBroker,
    before: String,
}

const WATERMARK: &str = "vm_memory_monitor:set_vm_memory_high_watermark";

impl<'a> Alarm<'a> {
    async fn set(broker: &'a OwnBroker) -> Self {
        let before = broker.eval(0, "vm_memory_monitor:get_vm_memory_high_watermark().").await;
        broker.eval(0, &format!("{WATERMARK}(0.00001).")).await;
        Self { broker, before }
    }

    async fn clear(self) {
        self.broker.eval(0, &format!("{WATERMARK}({}).", self.before)).await;
    }
}

/// Waits until the broker has blocked a connection of that purpose.
async fn blocks(broker: &OwnBroker, purpose: &str) {
    let blocked = format!(
        "length([N || [{{state, blocked}}, {{client_properties, C}}] <- \
         rabbit_networking:connection_info_all([state, client_properties]), \
         {{<<\"connection_name\">>, _, N}} <- C, binary:match(N, <<\"{purpose}\">>) =/= nomatch])."
    );
    wait_for(&format!("a blocked connection that {purpose}"), async || {
        (broker.eval(0, &blocked).await != "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn during_an_alarm_each_command_that_publishes_says_so_and_the_first_ctrl_c_ends_it() {
    let broker = &OwnBroker::single().await;
    let stand = Stand::on("alarm", &broker.uri(0)).await;
    stand.declare_all("quorum").await;
    stand.bury_numbers(0..20).await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("stand.toml"), stand.configuration()).unwrap();
    let within = |arguments: &[&str]| dlq_program(&stand, arguments).within(directory.path());
    expect(&within(&["export", "letters.jsonl"]).run().await, 0, &["exported 20"]);
    let alarm = Alarm::set(broker).await;
    let feed =
        crate::support::Program::new(&["feed", "--config", "stand.toml"]).within(directory.path());
    let emptied = async || drop(stand.drain_dead_letters(20).await);
    for (what, program) in [
        ("replay", within(&["replay"])),
        ("feed", feed),
        ("import", within(&["import", "letters.jsonl"])),
    ] {
        if what == "import" {
            emptied().await;
        }
        let running = program.start();
        blocks(broker, what).await;
        let pressed = Instant::now();
        running.signal(Signal::SIGINT);
        let ended = running.wait().await;
        assert!(pressed.elapsed() < AT_ONCE, "{what} took {:?}: {ended:?}", pressed.elapsed());
        assert!(ended.all().contains("memory or disk alarm"), "{what}: {ended:?}");
    }
    alarm.clear().await;
    for queue in [stand.queue(), stand.dead_letter_queue()] {
        stand.purge(&queue).await;
    }
    for queue in [stand.queue(), stand.dead_letter_queue()] {
        stand.delete(&queue).await;
    }
}

#[tokio::test]
async fn the_page_says_that_a_replay_waits_for_an_alarm_to_end() {
    let broker = &OwnBroker::single().await;
    let stand = Stand::on("alarm-page", &broker.uri(0)).await;
    let token = "planted-token-of-enough-letters";
    let bearer = format!("Authorization: Bearer {token}");
    let worker = Worker::start_with(&stand, &[ADMIN, ("ADMIN__TOKEN", token)]).await;
    let admin = Admin::of(&worker).await;
    stand.bury_numbers(0..3).await;
    let alarm = Alarm::set(broker).await;
    let answer = admin.write("/api/dead-letters/replay", &[&bearer], &json!({})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let title = async || {
        let status = admin.read("/api/status", &[&bearer]).await.json();
        Some(status["frame"]["headline"]["title"].as_str()?.to_owned())
    };
    wait_for("a headline that says so", async || {
        title().await.filter(|it| it == "A replay is blocked: RabbitMQ accepts no messages")
    })
    .await;
    let stopped = admin.write("/api/dead-letters/replay/stop", &[&bearer], &json!({})).await;
    assert_eq!(stopped.status, 202, "{stopped:?}");
    let began = Instant::now();
    let ended = admin.replay_ends().await;
    assert!(began.elapsed() < AT_ONCE, "{ended}");
    assert_eq!(ended["report"]["ended"], "stopped", "{ended}");
    alarm.clear().await;
    worker.stop().await;
    stand.purge(&stand.dead_letter_queue()).await;
}
