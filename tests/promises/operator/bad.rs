//! Whatever is wrong, a line says what and where, and every dead letter stays.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

use super::{declared, expect, ids, stand};
use crate::support::{Letter, OwnBroker, Stand, dlq, dlq_program, message_id};

#[tokio::test]
async fn a_queue_that_is_not_there_or_may_not_be_read_is_named() {
    let stand = Stand::new("bad-queue").await;
    for command in [&["list"][..], &["show", "m-1"], &["replay"], &["discard", "--all", "--yes"]] {
        let ended = dlq(&stand, command).await;
        let dead = format!("queue `{}`: NOT_FOUND", stand.dead_letter_queue());
        expect(&ended, 1, &[&dead, "amqp.dead_letter_queue"]);
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
    assert!(!stand.has_queue(&stand.dead_letter_queue()).await, "a look created its queue");
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = stand.dead_letter_queue();
    let declared =
        stand.channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
    declared.await.unwrap();
    expect(&dlq(&stand, &["list"]).await, 1, &[&format!("queue `{queue}`: RESOURCE_LOCKED")]);
    stand.delete(&queue).await;
}

/// A user of RabbitMQ's may be allowed to see less than the worker.
#[tokio::test]
async fn a_user_without_the_right_to_read_or_write_is_told_so_and_nothing_changes() {
    let (broker, _guard) = OwnBroker::shared().await;
    let stand = declared(Stand::on("bad-rights", &broker.uri(0)).await, "quorum").await;
    stand.bury_numbers(0..3).await;
    let name = &stand.id;
    let uri = format!("amqp://{name}:planted@127.0.0.1:{}/%2f", broker.port(0));
    broker.eval(0, &format!("rabbit_auth_backend_internal:add_user(<<\"{name}\">>, <<\"planted\">>, <<\"test\">>).")).await;
    // Without this nobody is told whether looking takes something.
    let configure = format!("^{}$", stand.dead_letter_queue());
    let permit = async |write: &str, read: &str| {
        let set = format!(
            "rabbit_auth_backend_internal:set_permissions(<<\"{name}\">>, <<\"/\">>, <<\"{configure}\">>, \
             <<\"{write}\">>, <<\"{read}\">>, <<\"test\">>)."
        );
        broker.eval(0, &set).await;
    };
    let run = async |arguments: &[&str]| {
        let ended = dlq_program(&stand, arguments).with("AMQP__URI", &uri).run().await;
        assert!(!ended.all().contains("planted"), "{ended:?}");
        ended
    };
    permit("^$", "^$").await;
    for command in [&["list"][..], &["replay"], &["discard", "--all", "--yes"], &["export", "x"]] {
        let refused = format!("queue `{}`: ACCESS_REFUSED", stand.dead_letter_queue());
        expect(&run(command).await, 1, &[&refused, "the permission that is missing"]);
    }
    permit("^$", ".*").await;
    expect(&run(&["list"]).await, 0, &["3 dead letters"]);
    let ended = run(&["replay"]).await;
    expect(&ended, 1, &["ACCESS_REFUSED", "the permission that is missing", "replayed 0 of 3"]);
    assert_eq!(stand.drain_dead_letters(3).await, ids(0..3));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named() {
    let stand = stand("bad-broker", "quorum").await;
    for command in [&["list"][..], &["replay"], &["discard", "--all", "--yes"]] {
        let program = dlq_program(&stand, command).with("AMQP__URI", "amqp://127.0.0.1:1/%2f");
        expect(&program.run().await, 1, &["cannot connect to RabbitMQ at amqp://127.0.0.1:1"]);
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_foreign_message_is_replayed_only_where_it_is_told() {
    let stand = stand("bad-foreign", "quorum").await;
    stand.bury([Letter::foreign("hello")]).await;
    stand.bury_numbers(0..2).await;
    let ended = dlq(&stand, &["replay", "--watch", "0s"]).await;
    let why = "could not be sent: the letter does not say which queue it came from; name one with --to-queue";
    expect(&ended, 1, &["replayed 2 of 3", why, "1  not replayed; "]);
    let ended = dlq(&stand, &["replay", "--to-exchange"]).await;
    expect(
        &ended,
        1,
        &["the letter does not say which exchange it came from; name one with --to-exchange"],
    );
    let queue = stand.queue();
    let ended = dlq(&stand, &["replay", "--to-queue", &queue, "--watch", "0s"]).await;
    expect(&ended, 0, &["replayed 1 of 1"]);
    let sent = stand.drain(&queue, 3).await;
    assert_eq!(sent[2].data, b"hello");
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_cannot_be_routed_stays_and_one_line_says_so() {
    let stand = stand("bad-target", "quorum").await;
    stand.bury_numbers(0..300).await;
    let unbound = format!("{}.unbound", stand.id);
    stand.declare_exchange(&unbound, lapin::ExchangeKind::Topic, true).await;
    let internal = format!("{}.internal", stand.id);
    let options = ExchangeDeclareOptions { internal: true, ..Default::default() };
    let declared = stand.channel.exchange_declare(
        internal.as_str().into(),
        lapin::ExchangeKind::Fanout,
        options,
        FieldTable::default(),
    );
    declared.await.unwrap();
    let cases = [
        (["--to-queue", "nowhere"], "    300  could not be sent: queue `nowhere`: NOT_FOUND"),
        (["--to-exchange", "nowhere"], "    300  could not be sent: exchange `nowhere`: NOT_FOUND"),
        (["--to-exchange", &unbound], "`: no queue is bound there"),
        (["--to-exchange", &internal], "ACCESS_REFUSED"),
    ];
    for (target, said) in cases {
        let ended = dlq(&stand, &[&["replay"], &target[..]].concat()).await;
        expect(&ended, 1, &[said, "replayed 0 of 300", "    300  not replayed; "]);
        assert_eq!(ended.all().matches(said).count(), 1, "{}", ended.all());
        stand.has_ready(&stand.dead_letter_queue(), 300).await;
    }
    // So many failures that the rest is not sent.
    stand.bury([Letter::number(&stand, 300)]).await;
    let ended = dlq(&stand, &["replay", "--to-exchange", &unbound, "--max-failures", "1"]).await;
    expect(&ended, 1, &["reached --max-failures", "replayed 0 of 301"]);
    // Its queue is gone.
    stand.delete(&stand.queue()).await;
    let ended = dlq(&stand, &["replay"]).await;
    expect(&ended, 1, &[&format!("queue `{}`: NOT_FOUND", stand.queue())]);
    assert_eq!(stand.drain_dead_letters(301).await, ids(0..301));
    stand.declare_queue(&stand.queue(), FieldTable::default()).await;
    for exchange in [unbound, internal] {
        stand.delete_exchange(&exchange).await;
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn what_has_nowhere_to_go_is_no_failure_that_stops_a_replay_of_the_others() {
    let stand = stand("bad-astray", "quorum").await;
    let astray = |number| Letter::number(&stand, number).saying("queue", "nowhere");
    stand.bury((0..3).map(astray)).await;
    stand.bury_numbers(3..8).await;
    let planned = dlq(&stand, &["replay", "--dry-run"]).await;
    expect(&planned, 1, &["      5  would go to", "      3  could not be sent: queue `nowhere`"]);
    let ended = dlq(&stand, &["replay", "--max-failures", "1", "--watch", "0s"]).await;
    expect(&ended, 1, &["replayed 5 of 8", "      3  not replayed; "]);
    assert!(!ended.all().contains("stopped"), "{ended:?}");
    stand.drain(&stand.queue(), 5).await;
    assert_eq!(stand.drain_dead_letters(3).await, ids(0..3));
    stand.leave_nothing().await;
}

/// The confirms of the others are on their way with theirs.
#[tokio::test]
async fn what_cannot_be_routed_stays_among_many_that_can() {
    let stand = stand("bad-among", "quorum").await;
    let some = format!("{}.some", stand.id);
    stand.declare_exchange(&some, lapin::ExchangeKind::Topic, true).await;
    stand.bind(&stand.queue(), &some, "lands").await;
    let lands = |number: usize| !number.is_multiple_of(3);
    stand
        .bury((0..600).map(|number| {
            let key = if lands(number) { "lands" } else { "nowhere" };
            Letter::number(&stand, number).saying("routing-key", key)
        }))
        .await;
    let all = ["replay", "--to-exchange", &some, "--watch", "0s", "--max-failures", "900"];
    let ended = dlq(&stand, &all).await;
    let left = "    200  not replayed; ";
    expect(&ended, 1, &["no queue is bound there", "replayed 400 of 600", left]);
    let replayed = stand.drain(&stand.queue(), 400).await;
    let replayed: Vec<_> = replayed.iter().map(message_id).collect();
    assert_eq!(replayed, ids((0..600).filter(|it| lands(*it))), "in order");
    assert_eq!(stand.drain_dead_letters(200).await, ids((0..600).filter(|it| !lands(*it))));
    stand.delete_exchange(&some).await;
    stand.leave_nothing().await;
}

/// RabbitMQ refuses a user id that is not the publisher's, and drops what has expired.
#[tokio::test]
async fn what_rabbitmq_would_refuse_or_drop_is_sent_all_the_same() {
    let stand = stand("bad-properties", "quorum").await;
    let letter = Letter::number(&stand, 0);
    let properties = letter.properties.clone().with_user_id("guest".into());
    stand.bury([Letter { properties, ..letter }]).await;
    expect(&dlq(&stand, &["replay", "--watch", "0s"]).await, 0, &["replayed 1 of 1"]);
    let sent = stand.drain(&stand.queue(), 1).await.remove(0);
    assert_eq!((message_id(&sent), sent.properties.user_id()), ("m-0".to_owned(), &None));
    let kept = crate::support::header(&sent, "event-pusher-user-id");
    assert_eq!(kept.as_deref(), Some("guest"));
    stand.leave_nothing().await;
}

#[tokio::test]
async fn wrong_arguments_are_status_2_and_invalid_configuration_78() {
    let stand = stand("bad-arguments", "quorum").await;
    for arguments in [
        &["replay", "--canary", "0"][..],
        &["replay", "--rate", "fast"],
        &["replay", "--rate", "0/s"],
        &["replay", "--to-queue", "a", "--to-exchange", "b"],
        &["replay", "--watch", "5"],
        &["show"],
        &["export"],
        &["frobnicate"],
    ] {
        expect(&dlq(&stand, arguments).await, 2, &["--help"]);
    }
    let invalid = dlq_program(&stand, &["list"]).with("SNS__POOL_SIZE", "0");
    expect(&invalid.run().await, 78, &["sns.pool_size"]);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_queue_of_somebody_elses_without_a_limit_is_looked_at_any_number_of_times() {
    let stand = stand("bad-limit", "quorum").await;
    stand.bury_numbers(0..2).await;
    for look in 0..12 {
        let ended = dlq_program(&stand, &["list"]).with("AMQP__DECLARE", "false").run().await;
        expect(&ended, 0, &["2 dead letters"]);
        assert_eq!(ended.stderr, "", "{look}");
    }
    stand.drain_dead_letters(2).await;
    stand.leave_nothing().await;
}
