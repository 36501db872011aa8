//! Another number of partitions, while events come.

mod harmed;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

use super::{
    Crew, FEW, FEW_PARTITIONS, KEYS, PARTITIONS, PER_KEY, check, hash_exchange_of, leave_nothing,
    messages, partition_of, recording_sns, while_events_flow,
};
use crate::order::conversations::{Conversations, distinct};
use crate::support::{ADMIN, Ended, Program, Stand, Worker, binary, on_both_brokers, wait_for};

/// Workers have room for twice as many as there are at first.
const MORE: u32 = 2 * FEW;
const ROOM_FOR_MORE: (&str, &str) = (PARTITIONS, "8");

fn partitions(stand: &Stand, arguments: &[&str]) -> Program {
    Program::new(&[&["partitions"], arguments, &["--config", "stand.toml"]].concat())
        .with_file("stand.toml", &stand.configuration())
        .with(ROOM_FOR_MORE.0, ROOM_FOR_MORE.1)
        .with(PER_KEY.0, PER_KEY.1)
}

async fn moved(stand: &Stand, to: u32) -> Ended {
    let ended = partitions(stand, &["move", "--to", &to.to_string()]).run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// A quorum queue.
async fn declare(stand: &Stand, queue: &str, arguments: &[(&str, AMQPValue)]) {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    stand.channel.queue_declare(queue.into(), options, table).await.unwrap();
}

/// A move to more that is killed when something is so.
async fn killed(stand: &Stand, when: &str, is_so: impl AsyncFn() -> bool) {
    let running = partitions(stand, &["move", "--to", "8"]).start();
    wait_for(when, async || is_so().await.then_some(())).await;
    running.crash().await;
}

/// Nothing of the partitions of this number is there.
async fn are_gone(stand: &Stand, count: u32) {
    for number in 0..count {
        let queue = partition_of(stand, count, number);
        assert!(!stand.has_queue(&queue).await, "{queue}");
    }
    assert!(!stand.has_queue(&moving_of(stand)).await);
}

fn moving_of(stand: &Stand) -> String {
    format!("{}.moving", stand.queue())
}

on_both_brokers! {
    async fn a_move_to_more_and_to_fewer_while_events_flow_loses_and_overtakes_nothing(stand: Stand) {
        let sns = recording_sns();
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        crew.grow(2).await;
        let said = while_events_flow(&stand, 10, async {
            let told = moved(&stand, MORE).await;
            told.line(&format!("`{}` has 8 partitions now, and had 4", stand.queue()));
            crew.settles().await;
            are_gone(&stand, FEW).await;
            moved(&stand, 3).await;
        })
        .await;
        are_gone(&stand, MORE).await;
        moved(&stand, 3).await.line("has 3 partitions already");
        crew.ends_in_order(&said).await;
        leave_nothing(stand, 3).await;
    }

    async fn a_move_that_is_killed_at_any_step_is_finished_by_the_next_one(stand: Stand) {
        let sns = recording_sns();
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        crew.grow(2).await;
        let (new, moving) = (partition_of(&stand, MORE, MORE - 1), moving_of(&stand));
        let said = while_events_flow(&stand, 10, async {
            killed(&stand, "new partitions", async || stand.has_queue(&new).await).await;
            killed(&stand, "the move", async || stand.has_queue(&moving).await).await;
            killed(&stand, "what waits in the new ones", async || stand.ready(&new).await > 0).await;
            // Workers that begin now follow it, too.
            crew.grow(3).await;
            killed(&stand, "the new ones being consumed", async || stand.consumers(&new).await > 0).await;
            partitions(&stand, &["plan"]).run().await;
            moved(&stand, MORE).await;
        })
        .await;
        are_gone(&stand, FEW).await;
        crew.ends_in_order(&said).await;
        leave_nothing(stand, MORE).await;
    }

    async fn a_second_move_at_the_same_time_is_refused_in_words(stand: Stand) {
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        // Without a worker it waits.
        let first = partitions(&stand, &["move", "--to", "8"]).start();
        let moving = moving_of(&stand);
        wait_for("the move", async || stand.has_queue(&moving).await.then_some(())).await;
        let second = partitions(&stand, &["move", "--to", "8"]).run().await;
        assert_eq!(second.code, Some(1), "{second:?}");
        assert!(second.all().contains("another `partitions move`"), "{second:?}");
        let sns = recording_sns();
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        crew.grow(1).await;
        let ended = first.wait().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("no worker consumes them: start one"), "{ended:?}");
        crew.ends_in_order(&Conversations::in_turn(0, 0)).await;
        leave_nothing(stand, MORE).await;
    }

    async fn what_comes_to_a_former_partition_after_its_end_is_published_too(stand: Stand) {
        let sns = recording_sns();
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        crew.grow(1).await;
        // As who moves leaves it when he is killed in the last step.
        let late = partition_of(&stand, FEW, 0);
        let moving = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text("4 to 8"))];
        declare(&stand, &moving_of(&stand), &moving).await;
        declare(&stand, &late, &[("x-single-active-consumer", AMQPValue::Boolean(true))]).await;
        for event in messages(0..1) {
            stand.publish_to("", event.routed(&late)).await;
        }
        moved(&stand, MORE).await.line("40 events came late");
        are_gone(&stand, FEW).await;
        crew.ends_in_order(&Conversations::in_turn(KEYS, 1)).await;
        leave_nothing(stand, MORE).await;
    }

    async fn workers_follow_the_number_that_there_is_and_refuse_one_that_they_have_no_room_for(stand: Stand) {
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let sns = recording_sns();
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        crew.grow(1).await;
        let line = crew.workers[0].logged("partitions_differ").await;
        assert_eq!((&line["there"], &line["configured"]), (&4.into(), &8.into()), "{line}");
        let checked = check(&stand, &[ROOM_FOR_MORE, PER_KEY]).await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
        checked.line("there are 4, and partitions = 8");
        let planned = partitions(&stand, &["plan"]).run().await;
        planned.line("in the 4 partitions");
        planned.line("`partitions move --source events --to 8` would");
        assert!(!stand.has_queue(&partition_of(&stand, MORE, 0)).await);
        moved(&stand, MORE).await;
        let narrow = Worker::spawn(&stand, binary(), &[FEW_PARTITIONS, PER_KEY, ADMIN]);
        let refused = narrow.logged("not_consuming").await["error"].to_string();
        assert!(refused.contains("divided into 8 partitions"), "{refused}");
        narrow.stop().await;
        let lost = crew.workers[0].find("not_consuming");
        assert!(lost.is_none(), "a move is no error: {lost:?}");
        stand.publish_all(messages(0..1)).await;
        crew.ends_in_order(&Conversations::in_turn(KEYS, 1)).await;
        assert_eq!(distinct(&sns.accepted()), KEYS);
        leave_nothing(stand, MORE).await;
    }

    async fn what_can_not_be_moved_is_refused_in_words_and_nothing_is_changed(stand: Stand) {
        let none = partitions(&stand, &["move", "--to", "8"]).run().await;
        assert_eq!(none.code, Some(1), "{none:?}");
        assert!(none.all().contains("has no partitions yet"), "{none:?}");
        let many = partitions(&stand, &["move", "--to", "9"]).run().await;
        assert_eq!(many.code, Some(2), "{many:?}");
        assert!(many.all().contains("set it to 9 in every worker"), "{many:?}");
        let other = partitions(&stand, &["plan", "--source", "evnts"]).run().await;
        assert_eq!(other.code, Some(2), "{other:?}");
        assert!(other.all().contains("did you mean \"events\"?"), "{other:?}");
        assert!(!stand.has_queue(&moving_of(&stand)).await);
        assert!(!stand.has_exchange(&hash_exchange_of(&stand, MORE)).await);
    }
}
