//! Open files that don't suffice cost speed, and neither probes nor events.

use std::time::Duration;

use tokio::process::Command;

use crate::fake_sns::FakeSns;
use crate::support::{ADMIN, Admin, Event, Program, Stand, Worker, binary, wait_for};

/// Runs it with so many open files, of its own and at most.
fn limited(soft: u32, hard: u32) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={soft}:{hard}")).arg("--").arg(binary());
    command
}

fn open_files(worker: &Worker) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", worker.id())).unwrap().count()
}

fn limit_of(worker: &Worker) -> u64 {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", worker.id())).unwrap();
    let line = limits.lines().find(|it| it.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[tokio::test]
async fn with_few_open_files_requests_are_fewer_and_probes_are_answered() {
    const FILES: u32 = 64;
    let (stand, sns) = (Stand::new("files").await, FakeSns::start());
    let url = sns.url();
    let settings = [
        ADMIN,
        ("SNS__SNS_HOST", &*url),
        ("SNS__POOL_SIZE", "1000"),
        ("SNS__BATCH_MAX_ENTRIES", "1"),
    ];
    let worker = Worker::spawn_by(&stand, limited(FILES, FILES), &settings);
    let admin = Admin::of(&worker).await;
    assert!(worker.find("open_files_low").is_some(), "{:?}", worker.log());
    admin.is_ready().await;
    sns.set_latency(Duration::from_millis(200));
    let chat = |number: usize| Event::chat("ann@h", "bob@h", &number.to_string());
    stand.publish_all((0..250).map(chat)).await;
    let mut most = 0;
    wait_for("all of them", async || {
        let (status, _) = admin.get("/livez").await;
        assert_eq!(status, 200);
        most = most.max(open_files(&worker));
        (sns.counts().messages >= 250).then_some(())
    })
    .await;
    assert!(most < 64, "{most} open files");
    assert!(sns.counts().most_in_flight > 4, "{:?}", sns.counts());
    let exit = worker.stop().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert_eq!(exit.totals().published, 250, "{exit:?}");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_stop_while_sns_is_slow_and_open_files_are_few_is_one_in_order() {
    let (stand, sns) = (Stand::new("files-stop").await, FakeSns::start());
    let url = sns.url();
    let settings = [
        ADMIN,
        ("SNS__SNS_HOST", &*url),
        ("SNS__POOL_SIZE", "1000"),
        ("SNS__BATCH_MAX_ENTRIES", "1"),
        ("SHUTDOWN__GRACE_MS", "500"),
    ];
    let worker = Worker::spawn_by(&stand, limited(64, 64), &settings);
    let admin = Admin::of(&worker).await;
    admin.is_ready().await;
    // Each that goes well lets one more be in flight, up to the limit.
    sns.set_latency(Duration::from_millis(50));
    let chat = |number: usize| Event::chat("ann@h", "bob@h", &number.to_string());
    stand.publish_all((0..4000).map(chat)).await;
    sns.until(|counts| counts.messages > 1000).await;
    sns.set_latency(Duration::from_mins(1));
    sns.until(|counts| counts.in_flight > 8).await;
    assert_eq!(admin.get("/livez").await.0, 200);
    worker.signal(nix::sys::signal::Signal::SIGTERM);
    worker.logged("stopped").await;
    assert!(worker.find("panicked").is_none(), "{:?}", worker.log());
    let exit = worker.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    stand.purge(&stand.queue()).await;
    stand.leave_nothing().await;
}

/// Where the limit is taken away from under it, what it needs for its last steps is not there.
#[tokio::test]
async fn a_worker_in_which_something_panicked_does_not_end_with_0() {
    let stand = Stand::new("files-panic").await;
    let worker = Worker::start_with(&stand, &[ADMIN]).await;
    Admin::of(&worker).await.is_ready().await;
    let pid = worker.id().to_string();
    let lowered = Command::new("prlimit").args(["--pid", &pid, "--nofile=8:8"]).status().await;
    assert!(lowered.unwrap().success());
    worker.signal(nix::sys::signal::Signal::SIGTERM);
    let exit = worker.wait().await;
    assert_eq!(exit.status.code(), Some(i32::from(exit.panicked)), "{exit:?}");
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_as_far_as_it_may() {
    let stand = Stand::new("files-raised").await;
    let settings = [ADMIN, ("SNS__POOL_SIZE", "1000")];
    let worker = Worker::spawn_by(&stand, limited(64, 4096), &settings);
    let _ = Admin::of(&worker).await;
    assert!((2000..=4096).contains(&limit_of(&worker)), "{}", limit_of(&worker));
    assert!(worker.find("open_files_low").is_none(), "{:?}", worker.log());
    worker.stop().await;
}

#[tokio::test]
async fn too_few_open_files_are_said_at_the_start_and_by_check() {
    let program = |files: u32, command: &str| {
        let arguments = [&*format!("--nofile={files}:{files}"), "--", binary().to_str().unwrap()]
            .map(str::to_owned);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).chain([command]).collect();
        Program::of("prlimit".into(), &arguments)
            .with("SNS__POOL_SIZE", "1000")
            .with("SNS__PM_MESSAGES_TOPIC", "arn:aws:sns:us-east-1:123456789012:pm")
            .with("AMQP__URI", "amqp://127.0.0.1:1/%2f")
    };
    let ended = program(20, "run").run().await;
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(ended.all().contains("20 open files"), "{}", ended.all());
    let check = program(64, "check").run().await;
    assert_eq!(check.code, Some(1), "{}", check.all());
    let line = check.line("open files");
    assert!(line.contains("sns.pool_size = 1000") && line.contains("LimitNOFILE"), "{line}");
}
