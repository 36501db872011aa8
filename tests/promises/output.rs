//! What can't be told is not done, and who is told to end does.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::fake_sns::FakeSns;
use crate::support::{Event, Program, Stand, Worker, dlq_program, wait_for};

/// Takes nothing, as a full disk does.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A named pipe where the program runs.
fn make_pipe(program: &Program) {
    let path = program.directory().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

async fn fails(what: &str, program: Program) {
    let ended = program.with_output(full()).run().await;
    assert_eq!(ended.code, Some(1), "{what}: {ended:?}");
    assert!(ended.stderr.contains("No space left on device"), "{what}: {ended:?}");
}

#[tokio::test]
async fn a_command_whose_output_finds_no_room_fails_and_says_so() {
    let stand = Stand::new("output-full").await;
    stand.declare_all("quorum").await;
    stand.bury_numbers(0..3).await;
    for arguments in [
        &["list"][..],
        &["list", "--each"],
        &["list", "--json"],
        &["show", "m-1"],
        &["export", "-"],
        &["export", "letters.jsonl"],
        &["replay", "--dry-run"],
        &["discard", "--id", "m-2", "--yes"],
    ] {
        fails(&arguments.join(" "), dlq_program(&stand, arguments)).await;
    }
    let with_configuration = |arguments: &[&str]| {
        let arguments = [arguments, &["--config", "stand.toml"]].concat();
        Program::new(&arguments).with_file("stand.toml", &stand.configuration())
    };
    fails("check", with_configuration(&["check", "--offline"])).await;
    fails("feed", with_configuration(&["feed", "--count", "1"])).await;
    let event = br#"{"type":"chat","from_user_id":"a@h","to_user_id":"b@h","message":"hi"}"#;
    fails("try", with_configuration(&["try"]).with_input(event)).await;
    let import = Program::new(&["import", "mongooseim.toml"]);
    let foreign = "[modules.mod_event_pusher.sns]\naccess_key_id = \"A\"\nsecret_access_key = \"b\"\nregion = \"eu-west-1\"\naccount_id = \"123456789012\"\nsns_host = \"sns.eu-west-1.amazonaws.com\"\npm_messages_topic = \"pm\"\n";
    fails("import", import.with_file("mongooseim.toml", foreign)).await;
    for arguments in [&["--help"][..], &["--version"], &["help", "try"]] {
        fails(&arguments.join(" "), Program::new(arguments)).await;
    }
    stand.purge(&stand.queue()).await;
    stand.purge(&stand.dead_letter_queue()).await;
    stand.leave_nothing().await;
}

/// The log's reader may have gone, or its disk be full. Each line is lost then, and nothing else.
#[tokio::test]
async fn a_worker_whose_log_finds_no_room_works_on_and_stops_in_order() {
    for format in ["text", "json"] {
        let (stand, sns) = (Stand::new("log-full").await, FakeSns::start());
        Worker::create_queue(&stand, &[]).await;
        stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
        let program = Program::new(&["run", "--config", "stand.toml"])
            .with_file("stand.toml", &stand.configuration())
            .with("SNS__SNS_HOST", &sns.url())
            .with("LOG__FILTER", "debug")
            .with("LOG__FORMAT", format);
        let running = program.with_errors(full()).start();
        sns.until(|counts| counts.messages == 1).await;
        running.signal(Signal::SIGTERM);
        let ended = running.wait().await;
        assert_eq!(ended.code, Some(0), "{format}: {ended:?}");
        stand.leave_nothing().await;
    }
    let invalid = Program::new(&["run", "--config", "absent.toml"]).with_errors(full()).run().await;
    assert_eq!(invalid.code, Some(78), "{invalid:?}");
}

/// As when a terminal is paused, or a log driver hangs.
#[tokio::test]
async fn a_worker_whose_log_is_not_read_works_on_and_stops_in_order() {
    const EVENTS: u64 = 1000;
    let (stand, sns) = (Stand::new("log-unread").await, FakeSns::start());
    Worker::create_queue(&stand, &[]).await;
    stand.publish_all((0..EVENTS).map(|it| Event::chat("ann@h", "bob@h", &it.to_string()))).await;
    let (unread, errors) = nix::unistd::pipe().unwrap();
    let program = Program::new(&["run", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration())
        .with("SNS__SNS_HOST", &sns.url())
        .with("LOG__FILTER", "debug")
        .with("LOG__FORMAT", "json");
    let running = program.with_errors(errors.into()).start();
    sns.until(|counts| counts.messages == EVENTS).await;
    running.signal(Signal::SIGTERM);
    let ended = running.wait().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    drop(unread);
    stand.leave_nothing().await;
}

/// A stream that takes nothing any more, and its other end, which nobody reads.
fn full_stream() -> (UnixStream, File) {
    let (unread, mut full) = UnixStream::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    full.set_nonblocking(false).unwrap();
    (unread, File::from(OwnedFd::from(full)))
}

/// Who would start it again waits for its end.
#[tokio::test]
async fn a_worker_that_can_not_start_ends_though_nobody_reads_why() {
    for (arguments, status) in [
        (&["run", "--config", "absent.toml"][..], 78),
        (&["run", "--config", "invalid.toml"], 78),
        (&["run", "--no-such-option"], 2),
    ] {
        let (unread, errors) = full_stream();
        let program = Program::new(arguments).with_file("invalid.toml", "sns.pool_size = 0");
        let ended = program.with_errors(errors).run().await;
        assert_eq!(ended.code, Some(status), "{arguments:?}: {ended:?}");
        drop(unread);
    }
}

#[tokio::test]
async fn who_waits_for_a_pipe_that_nobody_writes_to_ends_at_once_when_told_to() {
    let stand = Stand::new("output-pipe").await;
    stand.declare_all("quorum").await;
    let configuration = ["--config", "stand.toml"];
    let import = dlq_program(&stand, &["import", "pipe"]);
    make_pipe(&import);
    let ended = import.run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("pipe is not a regular file"), "{ended:?}");
    for (arguments, signal, status) in [
        (&["import", "pipe"][..], Signal::SIGINT, 130),
        (&["import", "pipe"], Signal::SIGTERM, 143),
        (&["try", "pipe"], Signal::SIGINT, 130),
        (&["try", "pipe"], Signal::SIGHUP, 129),
    ] {
        let all = if arguments[0] == "try" {
            [arguments, &configuration].concat()
        } else {
            arguments.to_vec()
        };
        let program = Program::new(&all).with_file("stand.toml", &stand.configuration());
        make_pipe(&program);
        let running = program.start();
        let hears = async || running.catches(signal).then_some(());
        wait_for("a program that hears signals", hears).await;
        let told = Instant::now();
        running.signal(signal);
        let ended = running.wait().await;
        assert_eq!(ended.code, Some(status), "{arguments:?}: {ended:?}");
        assert!(told.elapsed() < Duration::from_secs(5), "{arguments:?}: {:?}", told.elapsed());
    }
    stand.leave_nothing().await;
}
