//! Listens to the workers of a fleet for long enough to hear each of them.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::sleep_until;

use super::FleetSession;
use crate::fleet::Members;
use crate::outcome::SourceError;

/// For each worker to be heard at least once, if all report each second.
pub(crate) const LISTENS: Duration = Duration::from_secs(2);

/// For a report that is on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// Hears workers for two seconds, or for as long as the rarest of them pauses.
///
/// # Errors
///
/// The session has ended.
pub(crate) async fn listen(
    session: &mut FleetSession,
    members: &mut Members,
) -> Result<(), SourceError> {
    let began = tokio::time::Instant::now();
    loop {
        let until = began + LISTENS.max(members.longest_pause() + ON_ITS_WAY);
        tokio::select! {
            heard = session.next() => match heard {
                // It is counted.
                Some(report) => _ = members.hear(report, Instant::now(), Timestamp::now()),
                None => return Err(session.why_it_ended()),
            },
            () = sleep_until(until) => {
                members.forget(Instant::now());
                members.note_shortages(Instant::now());
                return Ok(());
            }
        }
    }
}
