//! No delivery is kept for as long as RabbitMQ's acknowledgement timeout.

use super::service::{Accepted, answered};
use super::*;

const PREFETCH: &str = "[amqp]\nprefetch = 20\n";

/// Waits until all is back in the queue, with nobody who takes it: not where asking says that SNS is
/// well, for there it is taken again at once.
async fn is_handed_back(simulation: &Simulation, count: usize) {
    let line = simulation.logs("requeued_held_too_long").await;
    assert_eq!(line["source"], "events", "{line}");
    let all = |it: &Simulation| (it.queue().ready(), it.queue().unacked()) == (count, 0);
    simulation.until("all in the queue", all).await;
}

fn numbers(accepted: &[Accepted]) -> Vec<usize> {
    accepted.iter().map(Accepted::number).collect()
}

#[test]
fn what_is_held_for_too_long_is_handed_back_once_and_taken_again_when_sns_is_back() {
    let totals = simulate(PREFETCH, &Plugins::default(), async |it| {
        it.sns.fail_requests(|_, _| Some(answered("ExpiredToken")));
        it.publish((0..50).map(chat));
        is_handed_back(it, 50).await;
        // It goes on asking whether SNS is back, and publishes nothing for that.
        let (requests, questions) = (it.sns.requests(), it.sns.questions());
        it.until("ten questions", |it| it.sns.questions() >= questions + 10).await;
        assert_eq!(it.sns.requests(), requests);
        assert_eq!((it.queue().ready(), it.queue().unacked()), (50, 0));
        assert_eq!(it.log.count("requeued_held_too_long"), 1);
        assert_eq!(it.queue().returns_of_each().iter().max(), Some(&1));
        it.sns.heal();
        it.logs("hold_over").await;
        it.has_once("pm", 50).await;
    });
    assert_eq!((totals.published, totals.handed_back), (50, 20), "{totals}");
}

/// With a limit of two, the broker would dead-letter what comes back for the third time.
#[test]
fn a_long_outage_that_asking_does_not_show_spends_no_delivery_limit() {
    let settings = format!("{PREFETCH}delivery_limit = 2\n");
    simulate(&settings, &Plugins::default(), async |it| {
        it.sns.refuse_messages("ExpiredToken");
        it.publish((0..30).map(chat));
        it.logs("requeued_held_too_long").await;
        // Six times as long as an event may wait.
        sleep(Duration::from_hours(2)).await;
        assert_eq!(it.log.count("requeued_held_too_long"), 1);
        assert_eq!((it.queue().dead_letters().len(), it.queue().exceeded().len()), (0, 0));
        it.sns.heal();
        it.has_once("pm", 30).await;
    });
}

/// By two holds and more that asking does not show; `code` says of what.
fn keeps_its_order(topic: &str, code: &'static str, ordering: &str) {
    let sns = format!("[sns]\npm_messages_topic = \"{topic}\"\nordering = \"{ordering}\"\n");
    let settings = format!("{PREFETCH}{sns}[outage]\nhand_back_after_s = 300\n");
    let (queue, sns) = (MemoryQueue::with_prefetch(20), Service::default());
    let both = || Some((queue.clone(), sns.clone()));
    sns.refuse_messages(code);
    simulate_on(&settings, &Plugins::default(), both(), async |it| {
        it.publish((0..20).map(chat));
        let four_times = |it: &Simulation| it.log.count("requeued_held_too_long") >= 4;
        it.until("the fourth time", four_times).await;
        let returns = it.queue().returns();
        assert_eq!(returns.0, 20 * returns.1, "not all together");
    });
    assert_eq!((queue.ready(), sns.accepted().len()), (20, 0));
    sns.heal();
    simulate_on(&settings, &Plugins::default(), both(), async |it| {
        it.has_once(topic, 20).await;
    });
    assert_eq!(numbers(&sns.accepted()), (0..20).collect::<Vec<_>>());
}

#[test]
fn where_order_is_kept_all_go_back_together_and_none_is_overtaken() {
    keeps_its_order("pm", "AuthorizationError", "per-key");
}

/// Though the configuration asks for no order: a FIFO topic is nothing without.
#[test]
fn with_a_fifo_topic_all_go_back_together_whatever_is_held() {
    for code in ["AuthorizationError", "ExpiredToken"] {
        keeps_its_order("pm.fifo", code, "none");
    }
}

#[test]
fn a_stop_while_everything_is_handed_back_is_prompt() {
    let (queue, sns) = (MemoryQueue::default(), Service::default());
    let both = Some((queue.clone(), sns));
    let (totals, took) = simulate_and_stop(PREFETCH, &Plugins::default(), both, async |it| {
        it.sns.fail_requests(|_, _| Some(answered("ExpiredToken")));
        it.publish((0..5).map(chat));
        is_handed_back(it, 5).await;
    });
    assert!(took < Duration::from_millis(100), "took {took:?}");
    assert_eq!((totals.received, totals.handed_back), (5, 5), "{totals}");
    assert_eq!(queue.ready(), 5);
}

#[test]
fn a_topic_in_order_that_is_held_for_too_long_is_handed_back_and_keeps_its_order() {
    let settings = format!("{PREFETCH}[sns]\nordering = \"per-key\"\n");
    simulate(&settings, &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        it.publish((0..50).map(room));
        is_handed_back(it, 50).await;
        it.sns.heal();
        it.has_once("muc", 50).await;
        assert_eq!(numbers(&it.sns.of("muc")), (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn a_topic_that_is_held_for_too_long_keeps_no_delivery_and_no_channel_from_the_others() {
    simulate(PREFETCH, &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        it.publish((0..5).map(room));
        it.logs("held").await;
        sleep(Duration::from_mins(1)).await;
        assert_eq!((it.queue().unacked(), it.queue().parked()), (5, 0), "within their share");
        // They are parked when their time is over.
        it.until("parked events", |it| it.queue().parked() == 5).await;
        it.publish((0..20).map(chat));
        it.has_once("pm", 20).await;
        assert_eq!((it.log.count("consuming"), it.queue().returns()), (1, (0, 0)));
        it.sns.heal();
        it.has_once("muc", 5).await;
    });
}
