//! The worker needs no file of its own, so that its container's root may be read-only.

use tokio::process::Command;

use crate::support::{Event, Stand, Worker, binary};

/// The system ends a process that writes more to a file than it may, wherever the file is.
#[tokio::test]
async fn a_worker_that_may_write_no_file_works_as_any_other() {
    let (stand, home) = (Stand::new("read-only").await, tempfile::tempdir().unwrap());
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 0 && exec \"$@\"", "sh"]).arg(binary());
    limited.current_dir(&home).env("HOME", home.path()).env("TMPDIR", home.path());
    let worker = Worker::spawn_by(&stand, limited, &[]);
    worker.logged("consuming").await;
    stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
    stand.publish(Event::new("garbage")).await;
    stand.receive("pm", 1).await;
    stand.take_dead_letters(1).await;
    let exit = worker.stop().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert_eq!(home.path().read_dir().unwrap().count(), 0, "it has left something");
    stand.leave_nothing().await;
}
