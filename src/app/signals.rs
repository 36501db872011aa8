//! Signals: the first SIGTERM, SIGINT (Ctrl-C) or SIGHUP stops a command in order, another one ends it at once, as far as it is
//! no part of the same request.
//!
//! One request may come as two signals: `timeout` and some service managers signal the process and its group, and
//! systemd's `SendSIGHUP=` sends SIGHUP after SIGTERM.
//!
//! SIGHUP is left alone where the process was started with it ignored, as by `nohup`.

use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{FAILED, logging};
use crate::pipeline::worker::Stop;

/// As shells show who was ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// The same for SIGTERM.
const TERMINATED: i32 = 143;

/// The same for SIGHUP, which a terminal sends when it is closed.
const HUNG_UP: i32 = 129;

/// For the signals of one request to come. Nobody who waits for a stop has lost patience by then.
const ONE_REQUEST: Duration = Duration::from_millis(500);

/// The signals that stop the program.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None`: it is ignored.
    hang_up: Option<Signal>,
}

impl Signals {
    fn listen() -> Result<Self, String> {
        let listen =
            |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        // To listen for it would end that it is ignored.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let hears_hang_up = !ignores_hang_up(&status);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: hears_hang_up.then(|| listen(SignalKind::hangup())).transpose()?,
        })
    }

    /// Waits for the next one; returns how a shell shows who was ended by that.
    async fn next(&mut self) -> i32 {
        let Self { terminate, interrupt, hang_up } = self;
        let hung_up = async {
            match hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => TERMINATED,
            _ = interrupt.recv() => INTERRUPTED,
            _ = hung_up => HUNG_UP,
        }
    }
}

/// Whether a process ignores SIGHUP, by its `/proc/PID/status`. Signal 1 is the lowest bit.
fn ignores_hang_up(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// For what has nothing to finish: ends the process at once, whatever it waits for, and even where it is the first one
/// of a container, whom signals do not end by themselves.
pub(super) fn end_on_signals() -> Result<(), String> {
    let failed = |error| format!("cannot listen for signals: {error}");
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::listen()?
    };
    let waiting = move || std::process::exit(runtime.block_on(signals.next()));
    std::thread::Builder::new().name("signals".to_owned()).spawn(waiting).map_err(failed)?;
    Ok(())
}

/// What a signal asks for, after those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Stop,
    /// What has been asked for already.
    Same,
    EndAtOnce,
}

/// The first signal, and when it came.
#[derive(Debug, Default)]
struct Requests(Option<(i32, Instant)>);

impl Requests {
    fn hear(&mut self, signal: i32) -> Request {
        let Some((first, asked)) = self.0 else {
            self.0 = Some((signal, Instant::now()));
            return Request::Stop;
        };
        let is_alike = (signal == INTERRUPTED) == (first == INTERRUPTED);
        if is_alike && asked.elapsed() <= ONE_REQUEST { Request::Same } else { Request::EndAtOnce }
    }
}

/// The first signal asks for a drain, the second ends the process at once.
pub(super) fn stop_on_signals() -> Result<Stop, String> {
    let (ask, stop) = watch::channel(false);
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        let mut requests = Requests::default();
        loop {
            match requests.hear(signals.next().await) {
                Request::Stop => drop(ask.send_replace(true)),
                Request::Same => {}
                Request::EndAtOnce => {
                    tracing::warn!(
                        event = "stopping_at_once",
                        "second signal: the process ends at once; events in flight are delivered again"
                    );
                    logging::finish();
                    std::process::exit(FAILED.into());
                }
            }
        }
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn signals_of_one_request_do_not_cut_the_drain_and_a_second_request_does() {
        for (signals, last) in [
            (&[(7000, TERMINATED)][..], Request::Stop),
            // To the process and to its group.
            (&[(0, TERMINATED), (0, TERMINATED)], Request::Same),
            (&[(7000, TERMINATED), (500, TERMINATED)], Request::Same),
            (&[(0, TERMINATED), (0, HUNG_UP), (500, TERMINATED)], Request::Same),
            (&[(0, INTERRUPTED), (1, INTERRUPTED)], Request::Same),
            (&[(0, TERMINATED), (501, TERMINATED)], Request::EndAtOnce),
            (&[(0, TERMINATED), (300, TERMINATED), (300, TERMINATED)], Request::EndAtOnce),
            // Somebody presses Ctrl-C.
            (&[(0, TERMINATED), (1, INTERRUPTED)], Request::EndAtOnce),
            (&[(0, INTERRUPTED), (1, TERMINATED)], Request::EndAtOnce),
        ] {
            let mut requests = Requests::default();
            let mut heard = Vec::new();
            for (after, signal) in signals {
                advance(Duration::from_millis(*after)).await;
                heard.push(requests.hear(*signal));
            }
            assert_eq!(heard.pop(), Some(last), "{signals:?}");
            assert!(!heard.contains(&Request::EndAtOnce), "{signals:?}: {heard:?}");
        }
    }

    #[test]
    fn nohup_is_seen_in_the_mask_of_ignored_signals() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hang_up(&status("0000000000001001")));
        assert!(!ignores_hang_up(&status("0000000000001000")));
        assert!(!ignores_hang_up("") && !ignores_hang_up(&status("x")));
    }
}
