//! Processes that do not outlive the test process, whatever ends that: its end closes a pipe,
//! and a shell at the other end of it kills them. A test's statics are never dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Says the pid of what it starts, and ends it once nobody holds its standard input any more.
const WATCH: &str = r#"
exec 3<&0
"$@" </dev/null >&2 3<&- &
pid=$!
echo "$pid"
{ read -r _ <&3; kill -KILL "$pid"; } &
watching=$!
wait "$pid"
kill "$watching"
"#;

/// The same for the one that goes last and takes its folder with it.
const WATCH_AND_REMOVE: &str = r#"
exec 3<&0
"$@" </dev/null >&2 3<&- &
pid=$!
echo "$pid"
read -r _ <&3
kill -KILL "$pid"
sleep 1
rm -rf "$PWD"
"#;

/// A process and its watcher.
pub struct Supervised {
    watcher: Child,
    /// Closed, it ends the process.
    _held: ChildStdin,
    pid: Pid,
}

impl Supervised {
    /// Starts a process in a folder; what it says goes into the file `log` there.
    pub fn start(command: &Command, folder: &Path) -> Self {
        Self::watched(WATCH, command, folder)
    }

    /// For the process whose end is the end of the folder.
    pub(super) fn start_last(command: &Command, folder: &Path) -> Self {
        Self::watched(WATCH_AND_REMOVE, command, folder)
    }

    fn watched(script: &str, command: &Command, folder: &Path) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut watcher = Command::new("/bin/sh");
        watcher.args(["-c", script, "watch"]).arg(command.get_program()).args(command.get_args());
        watcher.env_clear().current_dir(folder);
        watcher.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // Ctrl-C on a terminal would end the watcher, and not what it watches.
        watcher.process_group(0);
        watcher.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut watcher = watcher.spawn().expect("there is no sh");
        let mut pid = String::new();
        BufReader::new(watcher.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap());
        Self { _held: watcher.stdin.take().unwrap(), watcher, pid }
    }

    /// Whether the process still runs; its watcher ends with it.
    pub fn runs(&mut self) -> bool {
        self.watcher.try_wait().unwrap().is_none()
    }

    pub fn signal(&mut self, signal: Signal) {
        if self.runs() {
            // It may end at this very moment.
            let _ = kill(self.pid, signal);
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Reaps it, if it has ended; the others are init's after this process.
        let _ = self.watcher.try_wait();
    }
}
