//! What `check` says of the workers that run, where partitions need all of them to be alike.

use crate::cli::heard::hear;
use crate::config::{Askable, Draft};
use crate::fleet::{Compared, Comparison};
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::inspect::Finding;
use crate::text::counted;

/// Workers that are named.
const MOST_NAMED: usize = 10;

/// Listens to the fleet for two seconds. Where nobody is heard there is nothing to say; that the user may not is said elsewhere.
pub(super) async fn inspect(draft: &Draft, name: &str) -> Vec<Finding> {
    // The prefetch follows other keys, so that all must be sound.
    let config = Some(draft.config()).filter(|it| draft.is_valid() && it.fleet.view);
    let compared = config.and_then(Compared::of);
    let (Some(config), Some(compared)) = (config, compared) else { return Vec::new() };
    let Askable::Topology(amqp) = draft.askable_broker() else { return Vec::new() };
    let broker = Broker::new(amqp, name.to_owned());
    let heard = hear(&broker, config, &compared, "check").await;
    heard.and_then(|(comparison, ignored)| finding(&comparison, ignored)).into_iter().collect()
}

fn finding(Comparison { heard, differing }: &Comparison, ignored: u64) -> Option<Finding> {
    if *heard == 0 {
        let reports = counted(ignored, "report", "reports");
        return (ignored > 0).then(|| {
            Finding::good(format!(
                "partitions: can't tell whether the workers that run have this configuration: {reports} of the fleet came from another user, or \
                 could not be read or believed; `fleet status` says why"
            ))
        });
    }
    if differing.is_empty() {
        let workers = counted(*heard as u64, "worker that runs has", "workers that run have");
        return Some(Finding::good(format!(
            "partitions: {workers} the same amqp.prefetch, sns.pool_size, partitions and partition_by"
        )));
    }
    let named = differing.iter().take(MOST_NAMED);
    let mut named: Vec<_> =
        named.map(|(worker, keys)| format!("{worker} ({})", keys.join(", "))).collect();
    if differing.len() > MOST_NAMED {
        named.push(format!("{} more", differing.len() - MOST_NAMED));
    }
    let workers = counted(differing.len() as u64, "worker that runs has", "workers that run have");
    Some(Finding::good(format!(
        "warning: partitions: {workers} other values than this configuration: {}; give all workers the same, and restart those that differ. With \
         another prefetch of its partitions, order may be lost when two of them die; one with another key, or with fewer partitions than there \
         are, is refused (docs/partitions.md)",
        named.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(heard: usize, differing: &[(&str, &str)], ignored: u64) -> String {
        let differing =
            differing.iter().map(|(worker, key)| ((*worker).to_owned(), vec![(*key).to_owned()]));
        let comparison = Comparison { heard, differing: differing.collect() };
        let found = finding(&comparison, ignored);
        found.map_or_else(String::new, |it| {
            assert!(it.good, "it is no problem of this configuration: {}", it.text);
            it.text
        })
    }

    #[test]
    fn workers_that_differ_are_named_with_their_keys_and_those_that_do_not_are_counted() {
        let told = said(3, &[("pod-2", "amqp.prefetch")], 0);
        let begins = "warning: partitions: 1 worker that runs has other values than this configuration: pod-2 (amqp.prefetch); ";
        assert!(told.starts_with(begins), "{told}");
        assert!(said(2, &[], 0).starts_with("partitions: 2 workers that run have the same"));
        let many = [("pod", "sns.pool_size"); MOST_NAMED + 2];
        assert!(said(20, &many, 0).contains("(sns.pool_size), 2 more; give all workers"));
    }

    #[test]
    fn where_nobody_is_heard_it_says_nothing_unless_somebody_was_not_believed() {
        assert_eq!(said(0, &[], 0), "");
        assert!(said(0, &[], 3).contains("3 reports of the fleet"));
    }
}
