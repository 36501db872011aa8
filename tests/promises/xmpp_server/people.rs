//! The people, who are clients in a process of their own: see `clients.py`.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::PATIENCE;

/// They are killed when dropped.
pub struct People {
    process: Child,
    prompts: ChildStdin,
    acts: Lines<BufReader<ChildStdout>>,
}

impl People {
    /// On the server that listens at this port.
    pub fn on(port: u16) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".services/venv/bin/python");
        assert!(
            python.exists(),
            "there is no {}; make it with `scripts/services install`",
            python.display()
        );
        let mut process = Command::new(python)
            .arg(root.join("tests/promises/xmpp_server/clients.py"))
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let prompts = process.stdin.take().unwrap();
        let acts = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, prompts, acts }
    }

    /// Waits until everything before an act has been said and heard.
    pub async fn are_at(&mut self, act: &str) {
        // Each wait within an act has a time of its own, at the end of which they say what is missing.
        let line = tokio::time::timeout(PATIENCE * 2, self.acts.next_line()).await;
        let line = line.unwrap_or_else(|_elapsed| panic!("they never came to {act:?}")).unwrap();
        assert_eq!(line.as_deref(), Some(act), "they gave up; what they miss stands above");
    }

    pub async fn go_on(&mut self) {
        self.prompts.write_all(b"\n").await.unwrap();
    }

    /// Waits until all have left.
    pub async fn have_gone(mut self) {
        let ended = tokio::time::timeout(PATIENCE * 2, self.process.wait()).await;
        assert!(ended.expect("they do not go").unwrap().success(), "they gave up; see above");
    }
}
