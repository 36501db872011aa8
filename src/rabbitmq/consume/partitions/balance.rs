//! How many partitions a worker may have, and which it gives up. Workers know only how many they are.

use std::cmp::Reverse;

use crate::rabbitmq::consume::claim::View;

/// Decides for one worker.
#[derive(Debug)]
pub(super) struct Balance {
    workers: u32,
}

impl Balance {
    /// Nothing is known of other workers.
    pub(super) const fn new() -> Self {
        Self { workers: 1 }
    }

    pub(super) const fn workers(&self) -> u32 {
        self.workers
    }

    /// So many partitions may one of the workers have.
    pub(super) fn bound(&self, partitions: usize) -> usize {
        let workers = usize::try_from(self.workers).unwrap_or(usize::MAX);
        partitions.div_ceil(workers.max(1))
    }

    /// There are so many workers, this one included. Returns whether that is news.
    pub(super) fn count(&mut self, workers: u32) -> bool {
        std::mem::replace(&mut self.workers, workers) != workers
    }

    /// Whether this worker may have more than it has.
    pub(super) fn has_room(&self, claims: &[View]) -> bool {
        claims.iter().filter(|it| it.is_active).count() < self.bound(claims.len())
    }

    /// Which partitions another worker is to have.
    pub(super) fn beyond(&self, claims: &[View]) -> Vec<usize> {
        let mut mine: Vec<_> = (0..claims.len()).filter(|it| claims[*it].is_active).collect();
        let beyond = mine.len().saturating_sub(self.bound(claims.len()));
        mine.retain(|it| !claims[*it].came_back);
        // What nobody has room for goes round until somebody has.
        mine.sort_by_key(|it| Reverse(claims[*it].given_up));
        mine.truncate(beyond);
        mine
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn claims(active: usize, of: usize) -> Vec<View> {
        let given_up = (0..of).map(|it| u16::try_from(of - (it * 7) % of).unwrap());
        let view = |(it, given_up)| View { given_up, is_active: it < active, came_back: false };
        given_up.enumerate().map(view).collect()
    }

    #[test]
    fn a_worker_alone_may_have_all_and_ten_a_share_each() {
        for (workers, bound) in [(1, 40), (10, 4), (3, 14), (100, 1)] {
            assert_eq!(Balance { workers }.bound(40), bound, "{workers}");
        }
    }

    #[test]
    fn what_is_beyond_the_bound_is_given_up_beginning_with_what_was_given_up_most_often() {
        let mut balance = Balance::new();
        let claims = claims(7, 10);
        assert_eq!(balance.beyond(&claims), [0; 0], "it is alone");
        assert!(balance.count(2) && !balance.count(2));
        assert_eq!(balance.beyond(&claims), [0, 3], "5 of 10 is its bound");
        assert_eq!(balance.beyond(&claims[..5]), [0, 3], "3 of 5");
        let idle: Vec<_> = claims.iter().map(|it| View { is_active: false, ..*it }).collect();
        assert_eq!(balance.beyond(&idle), [0; 0], "what is idle does not count");
        let back: Vec<_> = claims.iter().map(|it| View { came_back: true, ..*it }).collect();
        assert_eq!(balance.beyond(&back), [0; 0], "there may be nobody else");
    }

    /// Workers that each see only their own claims, and a broker that gives what is given up to the next in the line of a partition.
    /// Nine have a fair share or one more, and a tenth has come last; or one has all, and nine have come.
    #[test]
    fn ten_workers_come_to_rest_within_the_bound_and_few_partitions_move() {
        let most = [come_to_rest(9), come_to_rest(1)];
        println!("{most:?} hand-overs of 40 partitions");
        assert!(most[0] <= 10 && most[1] <= 100, "{most:?} hand-overs");
    }

    fn come_to_rest(had: usize) -> usize {
        const PARTITIONS: usize = 40;
        const WORKERS: usize = 10;
        let mut random = fastrand::Rng::with_seed(1);
        let mut lines: Vec<VecDeque<usize>> = (0..PARTITIONS)
            .map(|partition| {
                let owner = partition % had;
                // Who has its share has let those pass who came.
                let (mut full, mut new): (Vec<_>, Vec<_>) =
                    (0..WORKERS).filter(|it| *it != owner).partition(|it| *it < had);
                random.shuffle(&mut full);
                random.shuffle(&mut new);
                std::iter::once(owner).chain(new).chain(full).collect()
            })
            .collect();
        let mut given_up = vec![[0_u16; PARTITIONS]; WORKERS];
        let mut balance = Balance::new();
        balance.count(10);
        let mut moves = 0;
        for _round in 0..60 {
            let owners: Vec<_> = lines.iter().map(|it| it[0]).collect();
            let mut is_at_rest = true;
            for (worker, given_up) in given_up.iter_mut().enumerate() {
                let view = |partition: usize| View {
                    given_up: given_up[partition],
                    is_active: owners[partition] == worker,
                    came_back: false,
                };
                let views: Vec<_> = (0..PARTITIONS).map(view).collect();
                for partition in balance.beyond(&views) {
                    lines[partition].rotate_left(1);
                    given_up[partition] += 1;
                    (moves, is_at_rest) = (moves + 1, false);
                }
            }
            if is_at_rest {
                assert!((0..WORKERS).all(|it| owners.iter().filter(|by| **by == it).count() == 4));
                return moves;
            }
        }
        unreachable!("no rest");
    }
}
