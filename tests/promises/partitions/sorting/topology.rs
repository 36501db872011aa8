//! What the sorter needs at the broker: what is there already, changes, is missing, or belongs to others.

use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;

use super::super::{MORE_PARTITIONS, all_partitions, check, hash_exchange_of, marker_of};
use super::{
    BY_CONVERSATION, Crew, FEW, FEW_PARTITIONS, KEYS, PER_KEY, SORTED, crew, leave_nothing,
    leave_nothing_sorted, recording_sns, sorted_exchange_of, sorter_of, while_events_of,
};
use crate::order::conversations::{Conversations, spoken_event_of};
use crate::support::{ADMIN, Program, Worker, binary, on_both_brokers, wait_for};

/// So many of each conversation's messages come before there are partitions.
const BEFORE: usize = 12;
const EACH: usize = 20;

const MORE: u32 = 2 * FEW;

on_both_brokers! {
    async fn what_was_in_the_queue_before_is_sorted_first_and_by_one_worker(stand: Stand) {
        let sns = recording_sns();
        Worker::create_queue(&stand, &[PER_KEY]).await;
        let said = Conversations::in_turn(KEYS, BEFORE);
        stand.publish_all(said.events_as(spoken_event_of)).await;
        let mut crew = crew(&stand, &sns);
        // Both at once, and each of them finds that there were no partitions before.
        crew.grow(2).await;
        let later = (BEFORE..EACH).flat_map(|number| (0..KEYS).map(move |key| spoken_event_of(key, number)));
        stand.publish_all(later).await;
        crew.ends_in_order(&Conversations::in_turn(KEYS, EACH)).await;
        leave_nothing_sorted(stand).await;
    }

    async fn a_move_to_more_partitions_while_events_are_sorted_loses_and_overtakes_nothing(stand: Stand) {
        let sns = recording_sns();
        Worker::create_queue(&stand, &SORTED).await;
        let mut crew = Crew::new(&stand, &sns, MORE_PARTITIONS.1, &[BY_CONVERSATION]);
        crew.grow(2).await;
        let said = while_events_of(spoken_event_of, &stand, 10, async {
            sorter_of(&crew.workers).await;
            let moving = Program::new(&["partitions", "move", "--to", "8", "--config", "stand.toml"])
                .with_file("stand.toml", &stand.configuration());
            let settings = [MORE_PARTITIONS, PER_KEY, BY_CONVERSATION];
            let moving = settings.iter().fold(moving, |it, (key, value)| it.with(key, value));
            let ended = moving.run().await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            ended.line("has 8 partitions now, and had 4");
            crew.settles().await;
        })
        .await;
        for queue in all_partitions(&stand, FEW) {
            assert!(!stand.has_queue(&queue).await, "{queue}");
        }
        crew.ends_in_order(&said).await;
        stand.delete_exchange(&sorted_exchange_of(&stand)).await;
        leave_nothing(stand, MORE).await;
    }

    async fn the_exchange_of_sorted_events_comes_back_when_it_is_deleted_and_nothing_is_lost(stand: Stand) {
        let sns = recording_sns();
        let mut crew = crew(&stand, &sns);
        crew.grow(2).await;
        let said = Conversations::in_turn(KEYS, EACH);
        let mut events = said.events_as(spoken_event_of);
        stand.publish_all(events.by_ref().take(KEYS)).await;
        sorter_of(&crew.workers).await;
        stand.delete_exchange(&sorted_exchange_of(&stand)).await;
        stand.publish_all(events).await;
        let told = wait_for("a sorter that fails", async || {
            crew.workers.iter().find_map(|it| it.find("not_consuming"))
        })
        .await["error"]
            .to_string();
        assert!(told.contains(&sorted_exchange_of(&stand)), "{told}");
        crew.ends_in_order(&said).await;
        leave_nothing_sorted(stand).await;
    }

    async fn check_says_what_order_is_kept_and_what_the_sorter_lacks(stand: Stand) {
        let settings = [&SORTED[..], &[ADMIN]].concat();
        let sorted = sorted_exchange_of(&stand);
        let before = check(&stand, &settings).await;
        assert_eq!(before.code, Some(0), "{before:?}");
        before.line(&format!("exchange `{sorted}` (fanout, for sorted events): does not exist yet"));
        before.line("each conversation, each room");
        Worker::create_queue(&stand, &settings).await;
        check(&stand, &settings).await.line(&format!("exchange `{sorted}` (fanout, for sorted events): exists, as configured"));
        // Another key.
        let other = Worker::spawn(&stand, binary(), &[FEW_PARTITIONS, PER_KEY]);
        let refused = other.logged("not_consuming").await["error"].to_string();
        assert!(refused.contains("are divided by") && refused.contains("conversation"), "{refused}");
        other.stop().await;
        stand.delete_exchange(&sorted).await;
        let gone = check(&stand, &settings).await;
        assert_eq!(gone.code, Some(1), "{gone:?}");
        gone.line("is gone, and events stay in queue");
        let as_it_is = [&settings[..], &[("AMQP__DECLARE", "false")]].concat();
        let missing = check(&stand, &as_it_is).await;
        assert_eq!(missing.code, Some(1), "{missing:?}");
        missing.line("for sorted events): does not exist, so that events stay in queue");
        // Another type.
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let kind = ExchangeKind::Topic;
        stand.channel.exchange_declare((&*sorted).into(), kind, options, FieldTable::default()).await.unwrap();
        let differs = check(&stand, &settings).await;
        assert_eq!(differs.code, Some(1), "{differs:?}");
        differs.line("type = \"topic\" instead of \"fanout\"");
        assert!(stand.has_exchange(&hash_exchange_of(&stand, FEW)).await);
        assert!(stand.has_queue(&marker_of(&stand)).await);
        leave_nothing_sorted(stand).await;
    }
}
