//! What others do to a move, and what it is asked for by mistake.

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;

use super::super::{
    Crew, FEW, FEW_PARTITIONS, PER_KEY, all_come, check, hash_exchange_of, leave_nothing,
    partition_of, recording_sns, while_events_flow,
};
use super::{MORE, ROOM_FOR_MORE, declare, moved, moving_of, partitions};
use crate::order::conversations::Conversations;
use crate::support::{Running, Stand, Worker, on_both_brokers, wait_for};

/// A move to more, of which nobody publishes what is in the former partitions yet.
async fn begun(stand: &Stand) -> Running {
    let running = partitions(stand, &["move", "--to", "8"]).start();
    is_there(stand, &moving_of(stand), running).await
}

/// One that waits until that is published.
async fn draining(stand: &Stand) -> Running {
    let running = begun(stand).await;
    let former = hash_exchange_of(stand, FEW);
    wait_for("the next step", async || (!stand.has_exchange(&former).await).then_some(())).await;
    running
}

/// Waits for a queue, which this run declares.
async fn is_there(stand: &Stand, queue: &str, mut running: Running) -> Running {
    let look = async || match (stand.has_queue(queue).await, running.has_ended()) {
        (false, false) => None,
        (is_there, _) => Some(is_there),
    };
    if wait_for(queue, look).await {
        return running;
    }
    panic!("{:?}", running.wait().await)
}

/// Deletes a queue, and waits until it is there again.
async fn is_declared_again(stand: &Stand, queue: &str, running: Running) -> Running {
    stand.channel.queue_delete(queue.into(), <_>::default()).await.unwrap();
    is_there(stand, queue, running).await
}

/// Messages as workers write them when a partition is over, but in another move.
async fn write_records_of_another_move(stand: &Stand) {
    let properties = BasicProperties::default()
        .with_type("event-pusher-partition-ended".into())
        .with_message_id("00000001".into())
        .with_user_id("guest".into());
    for number in 0..FEW {
        let (to, body) = (moving_of(stand), partition_of(stand, FEW, number));
        let options = BasicPublishOptions::default();
        let body = body.as_bytes();
        let sent =
            stand.channel.basic_publish("".into(), to.into(), options, body, properties.clone());
        sent.await.unwrap().await.unwrap();
    }
}

on_both_brokers! {
    async fn a_move_whose_queue_somebody_deletes_goes_on(stand: Stand) {
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let sns = recording_sns();
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        let said = while_events_flow(&stand, 10, async {
            let running = draining(&stand).await;
            let running = is_declared_again(&stand, &moving_of(&stand), running).await;
            crew.grow(2).await;
            let ended = running.wait().await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
        })
        .await;
        crew.ends_in_order(&said).await;
        leave_nothing(stand, MORE).await;
    }

    async fn what_waits_where_a_move_was_forgotten_is_told_and_published_if_that_is_wanted(stand: Stand) {
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let sns = recording_sns();
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        let said = while_events_flow(&stand, 10, async {
            let running = begun(&stand).await;
            let new = partition_of(&stand, MORE, 0);
            wait_for("what waits", async || (stand.ready(&new).await > 0).then_some(())).await;
            running.crash().await;
            stand.channel.queue_delete(moving_of(&stand).into(), <_>::default()).await.unwrap();
            let refused = partitions(&stand, &["move", "--to", "8"]).run().await;
            assert_eq!(refused.code, Some(1), "{refused:?}");
            assert!(refused.all().contains("--to 8 --with-waiting"), "{refused:?}");
            crew.grow(2).await;
            let moved = partitions(&stand, &["move", "--to", "8", "--with-waiting"]).run().await;
            assert_eq!(moved.code, Some(0), "{moved:?}");
        })
        .await;
        all_come(&sns, &said).await;
        crew.ends().await;
        leave_nothing(stand, MORE).await;
    }

    async fn a_new_partition_that_somebody_deletes_during_a_move_is_told(stand: Stand) {
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let running = draining(&stand).await;
        let new = partition_of(&stand, MORE, 0);
        let running = is_declared_again(&stand, &new, running).await;
        let sns = recording_sns();
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        crew.grow(1).await;
        let ended = running.wait().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains(&format!("queue `{new}` was deleted during the move")), "{ended:?}");
        crew.ends_in_order(&Conversations::in_turn(0, 0)).await;
        leave_nothing(stand, MORE).await;
    }

    async fn records_of_another_move_end_no_partition(stand: Stand) {
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let running = draining(&stand).await;
        write_records_of_another_move(&stand).await;
        let moving = moving_of(&stand);
        wait_for("records that are read", async || (stand.ready(&moving).await == 0).then_some(())).await;
        // It is not beyond the step in which it looks after the new partitions.
        let new = partition_of(&stand, MORE, 0);
        let running = is_declared_again(&stand, &new, running).await;
        running.crash().await;
        let sns = recording_sns();
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        crew.grow(1).await;
        moved(&stand, MORE).await;
        crew.ends_in_order(&Conversations::in_turn(0, 0)).await;
        leave_nothing(stand, MORE).await;
    }

    async fn a_move_by_another_configuration_than_the_workers_have_is_refused(stand: Stand) {
        let sns = recording_sns();
        let mut crew = Crew::new(&stand, &sns, ROOM_FOR_MORE.1, &[]);
        crew.grow(1).await;
        let named = |name: &str| format!("AMQP__SOURCES__EVENTS__{name}");
        for (key, value, said) in [
            (named("EXCHANGE"), "other", "amqp.sources.events.exchange"),
            (named("PARTITIONS"), "12", "amqp.sources.events.partitions"),
            ("AMQP__DELIVERY_LIMIT".to_owned(), "7", "amqp.delivery_limit"),
        ] {
            for command in ["plan", "move"] {
                let refused = partitions(&stand, &[command, "--to", "4"]).with(&key, value).run().await;
                assert_eq!(refused.code, Some(1), "{refused:?}");
                assert!(refused.all().contains(said), "{refused:?}");
            }
        }
        assert!(!stand.has_queue(&partition_of(&stand, FEW, 0)).await);
        crew.ends_in_order(&Conversations::in_turn(0, 0)).await;
        leave_nothing(stand, MORE).await;
    }

    async fn a_queue_that_says_nothing_of_a_move_is_told_before_a_worker_refuses_it(stand: Stand) {
        declare(&stand, &moving_of(&stand), &[]).await;
        let checked = check(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        assert_eq!(checked.code, Some(1), "{checked:?}");
        checked.line(&format!("queue `{}` says from which number", moving_of(&stand)));
        stand.channel.queue_delete(moving_of(&stand).into(), <_>::default()).await.unwrap();
        stand.leave_nothing().await;
    }
}
