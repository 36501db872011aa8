//! A quorum queue counts each look as a delivery, and drops what exceeds its limit. So nothing is looked at whose limit
//! is near, whoever has set it, or can't be known.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::{BasicPublishOptions, QueueDeleteOptions};
use lapin::types::AMQPValue;

use crate::operator::expect;
use crate::support::{
    Ended, Letter, Program, Stand, dlq, dlq_program, on_both_brokers, on_both_own_brokers,
};

/// RabbitMQ 4's own, where none is set.
const LIMIT: u32 = 20;

const LETTERS: usize = 10;

async fn check(stand: &Stand, settings: &[(&str, &str)]) -> Ended {
    let program = Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration());
    settings.iter().fold(program, |it, (key, value)| it.with(key, value)).run().await
}

/// How often a letter has come back.
fn returns(letter: &Delivery) -> i64 {
    let headers = letter.properties.headers().as_ref();
    match headers.and_then(|it| it.inner().get("x-delivery-count")) {
        Some(AMQPValue::LongLongInt(count)) => *count,
        None => 0,
        other => panic!("{other:?}"),
    }
}

/// All letters are there, and none has come back more often.
async fn has_all(stand: &Stand, most_returns: i64) {
    let letters = stand.drain(&stand.dead_letter_queue(), LETTERS).await;
    let ids: Vec<_> = letters.iter().map(crate::support::message_id).collect();
    assert_eq!(ids, (0..LETTERS).map(crate::support::id).collect::<Vec<_>>());
    let most = letters.iter().map(returns).max().unwrap();
    assert!(most <= most_returns, "a letter was delivered {most} times before");
}

on_both_own_brokers! {
    async fn a_policy_that_limits_deliveries_is_found_out_before_it_takes_a_letter(
        broker: &OwnBroker, stand: Stand
    ) {
        stand.declare_all("quorum").await;
        let queue = stand.dead_letter_queue();
        broker.limit_deliveries(&queue, Some(LIMIT)).await;
        stand.bury_numbers(0..LETTERS).await;
        let listed = dlq(&stand, &["list"]).await;
        expect(&listed, 0, &["10 dead letters"]);
        let mark = format!("delete queue `{queue}.look`");
        let found = format!("drops letters there after {LIMIT} redeliveries");
        expect(&dlq(&stand, &["list"]).await, 1, &[&found, "`delivery-limit`", &mark]);
        // However often it is asked from now on, and for whatever.
        for command in [&["list"][..], &["replay"], &["discard", "--all", "--yes"], &["export", "-"]] {
            for _ in 0..6 {
                expect(&dlq(&stand, command).await, 1, &["a policy limits its deliveries", &mark]);
            }
        }
        expect(&check(&stand, &[]).await, 1, &["✗ dead letters: queue", "a policy limits", &mark]);

        // Once it is mended, nothing is in the way.
        broker.limit_deliveries(&queue, None).await;
        let gone = stand.channel.queue_delete(format!("{queue}.look").into(), QueueDeleteOptions::default());
        gone.await.unwrap();
        for _ in 0..12 {
            let ended = dlq(&stand, &["list"]).await;
            expect(&ended, 0, &["10 dead letters"]);
            assert_eq!(ended.stderr, "");
        }
        has_all(&stand, 14).await;
        stand.leave_nothing().await;
    }

    async fn the_lowest_limit_is_found_out_by_the_first_look(broker: &OwnBroker, stand: Stand) {
        stand.declare_all("quorum").await;
        broker.limit_deliveries(&stand.dead_letter_queue(), Some(1)).await;
        stand.bury_numbers(0..LETTERS).await;
        expect(&dlq(&stand, &["list"]).await, 1, &["is not browsed any more"]);
        expect(&dlq(&stand, &["list"]).await, 1, &["is not browsed"]);
        has_all(&stand, 1).await;
        expect(&dlq(&stand, &["list"]).await, 0, &["no dead letters"]);
        stand.leave_nothing().await;
    }

    async fn who_may_take_no_turns_is_kept_away_all_the_same(broker: &OwnBroker, stand: Stand) {
        stand.declare_all("quorum").await;
        let (user, queue) = (&stand.id, stand.dead_letter_queue());
        broker.limit_deliveries(&queue, Some(LIMIT)).await;
        stand.bury_numbers(0..LETTERS).await;
        expect(&dlq(&stand, &["list"]).await, 0, &["10 dead letters"]);
        expect(&dlq(&stand, &["list"]).await, 1, &["is not browsed any more"]);
        broker.permit(user, &format!("^{queue}$"), ".*").await;
        let uri = format!("amqp://{user}:planted@127.0.0.1:{}/%2f", broker.port(0));
        for _ in 0..3 {
            let ended = dlq_program(&stand, &["list"]).with("AMQP__URI", &uri).run().await;
            expect(&ended, 1, &["is not browsed", "a policy limits"]);
        }
        has_all(&stand, 2).await;
        expect(&dlq(&stand, &["list"]).await, 0, &["no dead letters"]);
        stand.leave_nothing().await;
    }

    async fn a_look_that_was_forbidden_is_allowed_when_no_letter_is_left(
        broker: &OwnBroker, stand: Stand
    ) {
        stand.declare_all("quorum").await;
        let queue = stand.dead_letter_queue();
        broker.limit_deliveries(&queue, Some(LIMIT)).await;
        stand.bury_numbers(0..LETTERS).await;
        expect(&dlq(&stand, &["list"]).await, 0, &["10 dead letters"]);
        expect(&dlq(&stand, &["list"]).await, 1, &["is not browsed any more"]);
        has_all(&stand, 2).await;
        expect(&dlq(&stand, &["list"]).await, 0, &["no dead letters"]);
        assert!(!stand.has_queue(&format!("{queue}.look")).await);
        stand.leave_nothing().await;
    }

    async fn check_finds_such_a_policy_while_no_letter_is_there(broker: &OwnBroker, stand: Stand) {
        stand.declare_all("quorum").await;
        let queue = stand.dead_letter_queue();
        let well = check(&stand, &[]).await;
        expect(&well, 0, &["dead letters"]);
        broker.limit_deliveries(&queue, Some(LIMIT)).await;
        let found = format!("✗ dead letters: queue `{queue}` must not be browsed");
        expect(&check(&stand, &[]).await, 1, &[&found, "after 20 redeliveries", "`delivery-limit`"]);
        broker.limit_deliveries(&queue, Some(21)).await;
        expect(&check(&stand, &[]).await, 0, &["dead letters"]);
        stand.has_ready(&queue, 0).await;
        stand.leave_nothing().await;
    }

    async fn where_the_limit_can_not_be_asked_for_nothing_is_looked_at(broker: &OwnBroker, stand: Stand) {
        stand.declare_all("quorum").await;
        stand.bury_numbers(0..LETTERS).await;
        let (user, queue) = (&stand.id, stand.dead_letter_queue());
        let uri = format!("amqp://{user}:planted@127.0.0.1:{}/%2f", broker.port(0));
        let settings = [("AMQP__URI", uri.as_str()), ("AMQP__DECLARE", "false")];
        let run = async |command: &[&str]| {
            let program = dlq_program(&stand, command);
            settings.iter().fold(program, |it, (key, value)| it.with(key, value)).run().await
        };
        broker.permit(user, "^$", ".*").await;
        let why = format!("Give this user the `configure` permission on `{queue}` and `{queue}.look`");
        for command in [&["list"][..], &["replay"], &["discard", "--all", "--yes"], &["show", "m-1"]] {
            let ended = run(command).await;
            expect(&ended, 1, &["is not browsed", &why, "ACCESS_REFUSED"]);
            assert!(!ended.all().contains("planted"), "{ended:?}");
        }
        let unknown = format!("✓ dead letters: can't tell whether `{queue}` can be browsed without loss");
        expect(&check(&stand, &settings).await, 0, &[&unknown, &format!("on `{queue}` and `{queue}.look`")]);
        broker.permit(user, &format!("^{queue}([.]look)?$"), ".*").await;
        expect(&run(&["list"]).await, 0, &["10 dead letters"]);
        has_all(&stand, 1).await;
        stand.leave_nothing().await;
    }

    async fn who_can_not_measure_a_limit_looks_ten_times_and_no_more(broker: &OwnBroker, stand: Stand) {
        stand.declare_all("quorum").await;
        let (user, queue) = (&stand.id, stand.dead_letter_queue());
        let uri = format!("amqp://{user}:planted@127.0.0.1:{}/%2f", broker.port(0));
        broker.permit(user, ".*", "^$").await;
        stand.bury_numbers(0..LETTERS).await;
        let list = async || dlq_program(&stand, &["list"]).with("AMQP__URI", &uri).run().await;
        let mut refused = None;
        for look in 1..=30 {
            let ended = list().await;
            match (ended.code, refused) {
                (Some(0), None) => {}
                (Some(1), None) => {
                    expect(&ended, 1, &["can't be measured", "`write` permission on `amq.default`"]);
                    refused = Some(look);
                }
                _ => expect(&ended, 1, &["is not browsed", &format!("{queue}.look")]),
            }
        }
        has_all(&stand, 11).await;
        assert_eq!(refused, Some(11));
        expect(&list().await, 0, &["no dead letters"]);
        stand.leave_nothing().await;
    }
}

on_both_brokers! {
    async fn a_probe_that_a_killed_look_has_left_is_no_letter(stand: Stand) {
        stand.declare_all("quorum").await;
        stand.bury_numbers(0..3).await;
        let queue = stand.dead_letter_queue();
        let probe = || {
            BasicProperties::default()
                .with_type("event-pusher-probe".into())
                .with_message_id("event-pusher-probe-0123456789abcdef".into())
        };
        let publish = async |body: &[u8]| {
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let sent =
                stand.channel.basic_publish("".into(), queue.as_str().into(), options, body, probe());
            assert!(sent.await.unwrap().await.unwrap().is_ack());
        };
        publish(b"").await;
        // What says anything is a letter.
        publish(b"kept").await;
        let list = dlq(&stand, &["list"]).await;
        expect(&list, 0, &["4 dead letters"]);
        stand.has_ready(&queue, 4).await;
        let left = stand.drain(&queue, 4).await;
        assert_eq!(left[3].data, b"kept");
        stand.leave_nothing().await;
    }

    async fn a_producers_count_of_deliveries_counts_nothing(stand: Stand) {
        stand.declare_all("quorum").await;
        let forged = Letter::number(&stand, 0).with("x-delivery-count", 900_i64.into());
        stand.bury([forged]).await;
        stand.bury_numbers(1..LETTERS).await;
        for _ in 0..3 {
            let ended = dlq(&stand, &["list"]).await;
            expect(&ended, 0, &["10 dead letters"]);
            assert_eq!(ended.stderr, "");
        }
        has_all(&stand, 3).await;
        stand.leave_nothing().await;
    }
}
