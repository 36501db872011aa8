//! What a command hears of the workers that run.

use std::time::Instant;

use crate::config::Config;
use crate::fleet::{Compared, Comparison, Link, Members};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::{FleetSession, listen};

/// Listens to the fleet for two seconds. Returns how the workers compare, and how many reports were not believed or understood; `None` where
/// the fleet can't be heard.
pub(super) async fn hear(
    broker: &Broker,
    config: &Config,
    compared: &Compared,
    purpose: &str,
) -> Option<(Comparison, u64)> {
    if !config.fleet.view {
        return None;
    }
    let mut members = Members::new(&config.fleet.name);
    let listening = async {
        let opened = FleetSession::open_if_there(broker, &config.fleet, purpose).await?;
        let Some(mut session) = opened else { return Ok(()) };
        members.set_link(Link::Joined, Instant::now());
        listen(&mut session, &mut members).await?;
        session.close().await;
        Ok::<_, SourceError>(())
    };
    if let Err(error) = listening.await {
        tracing::debug!(event = "fleet_not_heard", %error, "the command does not hear the fleet");
        return None;
    }
    let ignored = members.picture(Instant::now()).ignored.values().sum();
    Some((members.compare(compared, Instant::now()), ignored))
}
