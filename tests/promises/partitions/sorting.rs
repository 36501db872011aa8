//! Producers that give no key: one worker sorts the events by their conversations.

mod letters;
mod topology;

use std::collections::BTreeSet;

use super::{
    Crew, FEW, FEW_PARTITIONS, KEYS, PER_KEY, leave_nothing, recording_sns, while_events_of,
};
use crate::fake_sns::FakeSns;
use crate::order::conversations::{Conversations, repetitions, spoken_event_of};
use crate::support::{Stand, Worker, on_both_brokers, wait_for};

const BY_CONVERSATION: (&str, &str) = ("AMQP__SOURCES__EVENTS__PARTITION_BY", "conversation");

/// What a worker needs for it.
const SORTED: [(&str, &str); 3] = [FEW_PARTITIONS, PER_KEY, BY_CONVERSATION];

/// Each conversation's.
const EACH: usize = 25;

fn crew<'a>(stand: &'a Stand, sns: &'a FakeSns) -> Crew<'a> {
    Crew::new(stand, sns, "4", &[BY_CONVERSATION])
}

fn sorted_exchange_of(stand: &Stand) -> String {
    format!("{}.sorted", stand.queue())
}

/// Waits until one of them sorts.
pub(super) async fn sorter_of(workers: &[Worker]) -> usize {
    let sorts = async || workers.iter().position(|it| it.find("sorting").is_some());
    wait_for("a worker that sorts", sorts).await
}

async fn leave_nothing_sorted(stand: Stand) {
    stand.delete_exchange(&sorted_exchange_of(&stand)).await;
    leave_nothing(stand, FEW).await;
}

/// Of three workers two leave so one after the other, each when it is the sorter, while events flow. All must come in order.
async fn sorters_leave(stand: &Stand, leaves: impl AsyncFn(&mut Crew<'_>, usize)) -> FakeSns {
    let sns = recording_sns();
    let mut crew = crew(stand, &sns);
    crew.grow(3).await;
    let said = while_events_of(spoken_event_of, stand, 10, async {
        for _ in 0..2 {
            let sorter = sorter_of(&crew.workers).await;
            leaves(&mut crew, sorter).await;
        }
        sorter_of(&crew.workers).await;
    })
    .await;
    crew.ends_in_order(&said).await;
    sns
}

on_both_brokers! {
    async fn both_sides_of_a_conversation_and_all_members_of_a_room_stay_in_order(stand: Stand) {
        let sns = recording_sns();
        let mut crew = crew(&stand, &sns);
        crew.grow(3).await;
        let said = Conversations::in_turn(KEYS, EACH);
        stand.publish_all(said.events_as(spoken_event_of)).await;
        crew.ends_in_order(&said).await;
        assert_eq!(repetitions(&sns.accepted(), &BTreeSet::new()), 0);
        leave_nothing_sorted(stand).await;
    }

    async fn a_sorter_that_is_stopped_loses_repeats_and_overtakes_nothing(stand: Stand) {
        let sns = sorters_leave(&stand, async |crew, sorter| {
            crew.workers.swap(0, sorter);
            crew.shrink(crew.workers.len() - 1).await;
        })
        .await;
        assert_eq!(repetitions(&sns.accepted(), &BTreeSet::new()), 0);
        leave_nothing_sorted(stand).await;
    }

    async fn a_sorter_that_is_killed_loses_and_overtakes_nothing(stand: Stand) {
        sorters_leave(&stand, async |crew, sorter| crew.kill(sorter).await).await;
        leave_nothing_sorted(stand).await;
    }
}
