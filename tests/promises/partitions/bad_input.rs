//! What an operator or a broker can get wrong: each is told in words that say what to do, and nothing is lost.

mod plugin;

use lapin::Confirmation;
use lapin::options::BasicPublishOptions;

use super::{
    Crew, FEW, FEW_PARTITIONS, KEYS, PARTITIONS, PER_KEY, all_come, all_partitions, check,
    hash_exchange_of, leave_nothing, messages, partition_of,
};
use crate::fake_sns::FakeSns;
use crate::order::conversations::{Conversations, routed_event_of};
use crate::support::{
    ADMIN, Admin, Event, Stand, Worker, binary, on_both_brokers, on_both_own_brokers, wait_for,
};

/// Publishes, and returns whether the broker has taken it.
async fn is_taken(stand: &Stand, event: &Event) -> bool {
    let Event { routing_key, properties, payload } = event.clone();
    let exchange = stand.exchange().as_str().into();
    let options = BasicPublishOptions::default();
    let (channel, key) = (&stand.channel, routing_key.as_str().into());
    let sent = channel.basic_publish(exchange, key, options, &payload, properties).await;
    sent.unwrap().await.unwrap().is_ack()
}

/// Publishes, and returns whether it has reached a queue.
async fn is_routed(stand: &Stand, event: &Event) -> bool {
    let Event { routing_key, properties, payload } = event.clone();
    let exchange = stand.exchange().as_str().into();
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let (channel, key) = (&stand.channel, routing_key.as_str().into());
    let sent = channel.basic_publish(exchange, key, options, &payload, properties).await;
    matches!(sent.unwrap().await.unwrap(), Confirmation::Ack(None))
}

on_both_brokers! {
    async fn fewer_partitions_than_there_are_are_refused_in_words_by_run_and_by_check(stand: Stand) {
        let worker = Worker::start_with(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let other = [(PARTITIONS, "3"), PER_KEY, ADMIN];
        let refused = Worker::spawn(&stand, binary(), &other);
        let line = refused.logged("not_consuming").await["error"].as_str().unwrap().to_owned();
        let words = [
            format!("`{}` is divided into 4 partitions", stand.queue()),
            "amqp.sources.events.partitions is 3".to_owned(),
            "set amqp.sources.events.partitions = 4 or more".to_owned(),
        ];
        let checked = check(&stand, &other).await;
        assert_eq!(checked.code, Some(1), "{checked:?}");
        for word in words {
            assert!(line.contains(&word), "{word:?} is not in {line}");
            checked.line(&word);
        }
        let (status, body) = Admin::of(&refused).await.ready().await;
        assert_eq!(status, 503, "{body}");
        refused.stop().await;
        for number in 0..3 {
            let queue = partition_of(&stand, 3, number);
            assert!(!stand.has_queue(&queue).await, "{queue} was declared");
        }
        // Those who are right go on.
        stand.publish(routed_event_of(0, 0)).await;
        stand.receive("pm", 1).await;
        worker.stop().await;
        leave_nothing(stand, FEW).await;
    }

    /// Else workers with either would divide the events in two ways.
    async fn another_key_is_refused_in_words_by_run_and_by_check(stand: Stand) {
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let other = ("AMQP__SOURCES__EVENTS__PARTITION_BY", "header:conversation");
        let settings = [FEW_PARTITIONS, PER_KEY, other];
        let refused = Worker::spawn(&stand, binary(), &settings);
        let line = refused.logged("not_consuming").await["error"].to_string();
        let key = "amqp.sources.events.partition_by";
        assert!(line.contains(key), "{line}");
        refused.stop().await;
        let checked = check(&stand, &settings).await;
        assert_eq!(checked.code, Some(1), "{checked:?}");
        checked.line(key);
        leave_nothing(stand, FEW).await;
    }

    async fn settings_that_fit_no_partitions_are_problems_of_the_configuration(stand: Stand) {
        for (further, words) in [
            (&[][..], "sns.ordering"),
            (&[PER_KEY, ("AMQP__QUEUE_TYPE", "classic")], "amqp.queue_type"),
            (&[PER_KEY, ("AMQP__SOURCES__EVENTS__SINGLE_ACTIVE", "false")], "single_active"),
            (&[PER_KEY, ("AMQP__SOURCES__EVENTS__PARTITION_BY", "property:message_id")], "partition_by"),
            (&[PER_KEY, (PARTITIONS, "257")], "256"),
        ] {
            let settings = [&[FEW_PARTITIONS], further].concat();
            let ended = check(&stand, &settings).await;
            assert_eq!(ended.code, Some(78), "{further:?}: {ended:?}");
            assert!(ended.all().contains(words), "{further:?}: {}", ended.all());
        }
    }

    /// RabbitMQ divides the keys otherwise then.
    async fn a_partition_that_is_deleted_stops_the_source_which_says_so_in_words(stand: Stand) {
        let settings = [FEW_PARTITIONS, PER_KEY, ADMIN];
        let worker = Worker::start_with(&stand, &settings).await;
        let gone = partition_of(&stand, FEW, 2);
        stand.delete(&gone).await;
        let problem = Admin::of(&worker).await.is_not_ready("disconnected").await.to_string();
        wait_for("the remedy", async || {
            let problem = Admin::of(&worker).await.is_not_ready("disconnected").await.to_string();
            (problem.contains(&gone) && problem.contains("on_order_lost")).then_some(())
        })
        .await;
        assert!(!problem.is_empty() && !stand.has_queue(&gone).await);
        let checked = check(&stand, &settings).await;
        assert_eq!(checked.code, Some(1), "{checked:?}");
        checked.line("1 of 4 are gone");
        worker.stop().await;
        // Those that are there.
        let all = (0..FEW).filter(|it| *it != 2).map(|it| partition_of(&stand, FEW, it));
        for queue in all {
            assert_eq!(stand.ready(&queue).await, 0);
        }
        Worker::create_queue(&stand, &[FEW_PARTITIONS, PER_KEY, WARN]).await;
        leave_nothing(stand, FEW).await;
    }

    /// What is published meanwhile has no queue.
    async fn the_exchange_that_divides_events_comes_back_when_it_is_deleted_and_the_log_says_so(stand: Stand) {
        let worker = Worker::start_with(&stand, &[FEW_PARTITIONS, PER_KEY]).await;
        let exchange = hash_exchange_of(&stand, FEW);
        stand.delete_exchange(&exchange).await;
        let line = worker.logged("not_consuming").await["error"].to_string();
        assert!(line.contains(&exchange) && line.contains("had no queue"), "{line}");
        wait_for("the exchange", async || stand.has_exchange(&exchange).await.then_some(())).await;
        // Until all bindings are there again, nobody gets it.
        wait_for("a queue for an event", async || is_routed(&stand, &routed_event_of(0, 0)).await.then_some(())).await;
        stand.receive("pm", 1).await;
        worker.stop().await;
        leave_nothing(stand, FEW).await;
    }

    async fn of_workers_with_two_numbers_that_begin_together_one_number_is_chosen(stand: Stand) {
        let settings = |number| [(PARTITIONS, number), PER_KEY, ADMIN];
        let (few, more) = (settings("4"), settings("8"));
        let both = [Worker::spawn(&stand, binary(), &few), Worker::spawn(&stand, binary(), &more)];
        // Who has room for more follows, and who has not is refused.
        both[1].logged("consuming").await;
        let chosen = both[1].find("partitions_differ").map_or(8, |_| FEW);
        both[0].logged(if chosen == FEW { "consuming" } else { "not_consuming" }).await;
        let other = if chosen == FEW { 8 } else { FEW };
        assert!(!stand.has_exchange(&hash_exchange_of(&stand, other)).await);
        stand.publish(routed_event_of(0, 0)).await;
        stand.receive("pm", 1).await;
        for worker in both {
            worker.stop().await;
        }
        leave_nothing(stand, chosen).await;
    }

    async fn a_partition_that_is_deleted_comes_back_and_its_events_flow_again(stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let mut crew = Crew::new(&stand, &sns, "4", &[WARN]);
        crew.grow(2).await;
        stand.publish_all(messages(0..1)).await;
        all_come(&sns, &Conversations::in_turn(KEYS, 1)).await;
        for queue in all_partitions(&stand, FEW) {
            stand.delete(&queue).await;
            // Whoever consumes it has bound it before.
            let consumed = async || {
                let is_there = stand.has_queue(&queue).await;
                (is_there && stand.consumers(&queue).await > 0).then_some(())
            };
            wait_for("the partition", consumed).await;
        }
        stand.publish_all(messages(1..5)).await;
        crew.ends_in_order(&Conversations::in_turn(KEYS, 5)).await;
        leave_nothing(stand, FEW).await;
    }
}

/// Order that is lost is told, and no more.
const WARN: (&str, &str) = ("AMQP__SOURCES__EVENTS__ON_ORDER_LOST", "warn");

/// Of a partition.
const LIMIT: u32 = 5;

on_both_own_brokers! {
    async fn a_full_partition_refuses_events_which_are_all_published_when_they_are_sent_again(broker: &OwnBroker, stand: Stand) {
        let sns = FakeSns::start();
        sns.record();
        let mut crew = Crew::new(&stand, &sns, "4", &[]);
        crew.create_queues().await;
        let pattern = format!("^{}[.]4[.]", stand.queue().replace('.', "[.]"));
        let policy = format!(
            "rabbit_policy:set(<<\"/\">>, <<\"{}\">>, <<\"{pattern}\">>, [{{<<\"max-length\">>, {LIMIT}}}], 0, <<\"queues\">>, <<\"test\">>).",
            stand.id,
        );
        assert_eq!(broker.eval(0, &policy).await, "ok");
        // One conversation, so that it is one partition.
        let events: Vec<_> = (0..50).map(|number| routed_event_of(0, number)).collect();
        let mut taken = 0;
        wait_for("a full partition", async || {
            if taken < events.len() && is_taken(&stand, &events[taken]).await {
                taken += 1;
                return None;
            }
            Some(())
        })
        .await;
        println!("{taken} were taken");
        assert!(taken >= LIMIT as usize && taken < events.len(), "{taken} were taken");
        // A producer that keeps order sends what was refused until it is taken.
        crew.grow(2).await;
        for event in &events[taken..] {
            wait_for("room", async || is_taken(&stand, event).await.then_some(())).await;
        }
        crew.ends_in_order(&Conversations::in_turn(1, events.len())).await;
        let clear = format!("rabbit_policy:delete(<<\"/\">>, <<\"{}\">>, <<\"test\">>).", stand.id);
        assert_eq!(broker.eval(0, &clear).await, "ok");
        leave_nothing(stand, FEW).await;
    }
}
