//! What keeps a worker's share of the partitions: it counts the workers, lets the lanes begin, and asks them to hand over.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::balance::Balance;
use super::{Opened, Partitions};
use crate::observe::monitor::{Monitor, PartitionShare};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::consume::claim::{Claim, View};
use crate::rabbitmq::topology::partitions::Names;
use crate::rabbitmq::topology::queue_state::QueueState;

/// How often workers are counted, more or less.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// How often a worker looks whether it has more than its share, more or less: what one worker gives up may go to another that has its share,
/// too, and passes it on.
const LOOK_FOR_TOO_MANY: Duration = Duration::from_millis(200);

/// A worker that dies of an event right after its start, again and again, is to take few others along: it begins with one partition.
/// When so many deliveries are settled, or it has lived so long, come the others.
const FIRST_SETTLED: u64 = 10;
const ESTABLISHED: Duration = Duration::from_secs(5);
/// By then a worker that has come consumes all partitions.
const ATTACHED: Duration = Duration::from_secs(6);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Lets the lanes begin, and gives up what is beyond this worker's share.
pub(in crate::rabbitmq::consume) async fn balance(
    partitions: Rc<Partitions>,
    Opened { connection, generation, .. }: Opened,
    monitor: Option<Rc<Monitor>>,
) {
    let mut balance = Balance::new();
    let (claims, names) = (partitions.claims_of(&generation), &generation.names);
    let views = || claims.iter().map(|it| it.view()).collect::<Vec<_>>();
    // Not the same one as other workers that begin now.
    if let Some(claim) = fastrand::choice(claims) {
        claim.begin();
    }
    let settled = || claims.iter().map(|it| it.count_of_settled()).sum::<u64>();
    let (began, before) = (Instant::now(), settled());
    while began.elapsed() < ESTABLISHED && settled() < before + FIRST_SETTLED {
        sleep(LOOK_AGAIN).await;
    }
    // Workers that begin together are in another order in the line of each partition, or one of them would get all that others give up.
    let mut shuffled: Vec<_> = claims.iter().collect();
    fastrand::shuffle(&mut shuffled);
    for claim in shuffled {
        claim.begin();
    }
    // Those that this worker counts first have come before it, or with it.
    let (mut channel, mut arrival) = (None, Some(began));
    loop {
        let until = Instant::now() + by_chance(COUNT_EVERY);
        while Instant::now() < until {
            sleep(by_chance(LOOK_FOR_TOO_MANY)).await;
            if arrival.is_none() {
                let views = views();
                give_up(claims, names, &views, &balance.beyond(&views));
            }
        }
        let workers = match count(&connection, &mut channel, &names.marker).await {
            // This worker is one of them: zero is no answer.
            Ok(workers) if workers > 0 => workers,
            Ok(_) => balance.workers(),
            Err(error) => {
                tracing::debug!(event = "workers_unknown", %error, "cannot count the workers of the partitions");
                balance.workers()
            }
        };
        let views = views();
        let active = views.iter().filter(|it| it.is_active).count();
        let before = balance.workers();
        let is_news = balance.count(workers);
        let bound = balance.bound(views.len());
        if let Some(monitor) = &monitor {
            let numbers = [active, views.len(), bound];
            let [active, of, bound] = numbers.map(|it| u16::try_from(it).unwrap_or(u16::MAX));
            let prefetch = generation.prefetch;
            monitor.partitions(PartitionShare { active, of, bound, prefetch });
        }
        if is_news {
            tracing::info!(
                event = "partitions_workers",
                queue = names.marker,
                workers,
                active,
                bound,
                "number of workers has changed: each may have so many partitions"
            );
            for claim in claims {
                claim.renew();
            }
            if workers > before {
                arrival.get_or_insert_with(Instant::now);
            }
        } else if arrival.is_some_and(|since| since.elapsed() > ATTACHED) {
            // What is given up goes to the next in line, and those who have just come are the last.
            arrival = None;
            let_others_pass(claims, &views, &balance);
        }
    }
}

/// A little more or less, so that workers that begin together do not all act at once.
fn by_chance(time: Duration) -> Duration {
    time.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// A worker that has its share goes to the end of the lines of all other partitions, so that who has room comes before it.
fn let_others_pass(claims: &[Rc<Claim>], views: &[View], balance: &Balance) {
    if balance.has_room(views) {
        return;
    }
    let waiting = claims.iter().zip(views).filter(|(_, view)| !view.is_active);
    waiting.for_each(|(claim, _)| claim.begin_anew());
}

fn give_up(claims: &[Rc<Claim>], names: &Names, views: &[View], given_up: &[usize]) {
    for &index in given_up {
        tracing::debug!(
            event = "partition_given_up",
            queue = names.queues[index],
            times = views[index].given_up,
            "partition is another worker's from now on"
        );
        claims[index].give_up();
    }
}

async fn count(
    connection: &BrokerConnection,
    channel: &mut Option<lapin::Channel>,
    marker: &str,
) -> Result<u32, SourceError> {
    let open = match channel.take().filter(|it| it.status().connected()) {
        Some(open) => open,
        None => connection.channel().await?,
    };
    let state = QueueState::of(&open, marker).await;
    *channel = Some(open);
    Ok(state?.consumers)
}
