//! Runs this worker's membership in its fleet on a thread of its own, so that nothing of it gets in the way of events.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::worker_name;
use crate::admin::{OwnReports, Status};
use crate::config::Config;
use crate::fleet::SharedMembers;
use crate::observe::metrics::Metrics;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::fleet::Membership;

/// For the others to be told that this worker ends. It does not wait for a broker that is not there.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// The thread; it leaves the fleet when it is told to.
#[derive(Debug)]
pub(super) struct FleetThread {
    leave: watch::Sender<bool>,
    /// Its sender goes with the thread.
    ended: watch::Receiver<()>,
}

impl FleetThread {
    /// Begins to take part, unless `fleet.view` is off. A machine without another thread is no reason not to publish events.
    pub(super) fn start(
        config: &Config,
        members: Option<SharedMembers>,
        status: watch::Receiver<Status>,
        metrics: Arc<Metrics>,
    ) -> Option<Self> {
        let members = members?;
        let (leave, mut leaving) = watch::channel(false);
        let (alive, ended) = watch::channel(());
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let reports = OwnReports::new(config, host, status, Arc::clone(&metrics));
        let broker = Broker::new(config.amqp.clone(), worker_name());
        let membership = Membership { broker, fleet: config.fleet.clone(), members, metrics };
        let taking_part = move |runtime: tokio::runtime::Runtime| {
            runtime.block_on(async {
                tokio::select! {
                    () = membership.take_part(&mut leaving) => {}
                    () = reports.keep(&membership.members) => {}
                }
            });
            drop(alive);
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let started = runtime.and_then(|runtime| {
            let thread = std::thread::Builder::new().name("fleet".to_owned());
            thread.spawn(move || taking_part(runtime))
        });
        match started {
            Ok(_) => Some(Self { leave, ended }),
            Err(error) => {
                let fleet = &config.fleet.name;
                tracing::warn!(event = "fleet_lost", fleet, %error, "cannot take part in its fleet; restart the worker for that");
                None
            }
        }
    }

    /// Tells the others that this worker ends.
    pub(super) async fn leave(mut self) {
        self.leave.send_replace(true);
        // An error: the thread has ended.
        let _ = timeout(LEAVES_WITHIN, self.ended.changed()).await;
    }
}
