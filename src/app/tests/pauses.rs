//! What an operator has paused is not published, and costs nothing.

use jiff::SignedDuration;

use super::service::{Accepted, answered};
use super::*;
use crate::fleet::pauses::{Command, Operator, Order, PausedTargets, Target, Via};
use crate::outcome::Scope;
use crate::publish::memory::fault;

const FLEET: &str = "event-pusher";
const MUC: &str = "arn:aws:sns:us-east-1:123456789012:muc";
const SMALL: &str = "[amqp]\nprefetch = 20\ndelivery_limit = 1\n";

fn muc() -> Target {
    Target::Topic(MUC.to_owned())
}

impl Simulation {
    fn order(&self, order: Order) {
        let gate = self.publisher.pauses();
        let by = Operator { name: "ann".to_owned(), via: Via::Page };
        let id = format!("{:016x}", fastrand::u64(..));
        let command = Command { id, at: gate.now(), fleet: FLEET.to_owned(), by, order };
        gate.apply(&command, FLEET).unwrap();
    }

    fn pause(&self, target: Target, minutes: i64) {
        let until = self.publisher.pauses().now() + SignedDuration::from_mins(minutes);
        self.order(Order::Pause { target, until, reason: "a reason".to_owned() });
    }

    fn resume(&self, target: Target) {
        self.order(Order::Resume(target));
    }

    /// Nothing has come back to the queue, which would spend some of the delivery limit.
    fn has_cost_nothing(&self) {
        assert_eq!((self.queue().returns(), self.queue().exceeded().len()), ((0, 0), 0));
        assert!(self.queue().dead_letters().is_empty());
    }
}

#[test]
fn a_paused_topic_gets_no_request_while_others_flow_and_all_of_it_when_it_is_resumed() {
    simulate(SMALL, &Plugins::default(), async |it| {
        it.pause(muc(), 600);
        it.publish((0..100).map(room));
        for round in 1..5 {
            it.publish((50 * (round - 1)..50 * round).map(chat));
            it.until("chats", |it| it.sns.distinct("pm") == 50 * round).await;
            sleep(Duration::from_mins(10)).await;
        }
        assert_eq!((it.sns.distinct("muc"), it.sns.questions(), it.held().len()), (0, 0, 0));
        let line = it.logs("paused").await;
        assert_eq!((&line["by"], &line["reason"]), (&"ann".into(), &"a reason".into()), "{line}");
        it.resume(muc());
        it.has_once("muc", 100).await;
        it.has_cost_nothing();
        assert_eq!((it.log.count("resumed"), it.log.count("held")), (1, 0));
    });
}

#[test]
fn a_pause_ends_by_itself_at_its_time() {
    simulate(SMALL, &Plugins::default(), async |it| {
        it.pause(muc(), 10);
        it.publish((0..5).map(room));
        it.until("waiting events", |it| it.publisher.pauses().waiting(MUC) == 5).await;
        sleep(Duration::from_secs(590)).await;
        assert_eq!(it.sns.requests(), 0);
        it.logs("pause_over").await;
        it.has_once("muc", 5).await;
        it.has_cost_nothing();
    });
}

#[test]
fn a_topic_that_is_held_and_paused_is_not_probed() {
    simulate("", &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        it.publish((0..20).map(room));
        it.logs("held").await;
        it.pause(muc(), 600);
        // A request that is under way.
        sleep(Duration::from_secs(1)).await;
        let asked = (it.sns.requests(), it.sns.questions());
        sleep(Duration::from_mins(20)).await;
        assert_eq!((it.sns.requests(), it.sns.questions()), asked);
        it.sns.heal();
        it.resume(muc());
        it.has_once("muc", 20).await;
    });
}

#[test]
fn a_pause_ends_retries_and_what_waits_for_a_request_and_makes_no_dead_letter() {
    let settings = "[sns]\npublish_retry_count = 8\npublish_retry_time_ms = 500\npool_size = 1\n";
    simulate(settings, &Plugins::default(), async |it| {
        it.sns.fail_requests(|_, batch| (!batch.is_empty()).then(|| fault(Scope::Transient)));
        it.publish((0..300).map(room));
        it.until("requests", |it| it.sns.requests() > 5).await;
        it.pause(muc(), 600);
        sleep(Duration::from_secs(2)).await;
        let requests = it.sns.requests();
        sleep(Duration::from_mins(30)).await;
        assert_eq!(it.sns.requests(), requests);
        it.sns.heal();
        it.resume(muc());
        it.has_once("muc", 300).await;
        assert!(it.queue().dead_letters().is_empty());
    });
}

#[test]
fn a_paused_source_takes_nothing_and_hands_nothing_back() {
    for target in [Target::Source("events".to_owned()), Target::Everything] {
        let totals = simulate(SMALL, &Plugins::default(), async |it| {
            it.publish((0..10).map(chat));
            it.settles(10).await;
            it.pause(target.clone(), 60);
            it.logs("source_paused").await;
            sleep(Duration::from_secs(1)).await;
            it.publish((10..60).map(chat));
            sleep(Duration::from_mins(50)).await;
            assert_eq!((it.queue().ready(), it.queue().unacked()), (50, 0));
            assert_eq!(it.sns.distinct("pm"), 10);
            it.resume(target.clone());
            it.has_once("pm", 60).await;
            it.has_cost_nothing();
        });
        assert_eq!((totals.published, totals.handed_back), (60, 0), "{totals}");
    }
}

#[test]
fn a_source_of_another_name_flows() {
    simulate("", &Plugins::default(), async |it| {
        it.pause(Target::Source("other".to_owned()), 60);
        it.publish((0..10).map(chat));
        it.has_once("pm", 10).await;
    });
}

#[test]
fn when_a_source_is_paused_what_waits_for_a_held_topic_is_parked_and_not_handed_back() {
    simulate(SMALL, &Plugins::default(), async |it| {
        it.sns.delete_topic("muc");
        it.publish((0..5).map(room));
        it.logs("held").await;
        it.pause(Target::Everything, 600);
        it.until("parked events", |it| it.queue().unacked() == 0).await;
        sleep(Duration::from_mins(10)).await;
        it.sns.heal();
        it.resume(Target::Everything);
        it.has_once("muc", 5).await;
        it.has_cost_nothing();
    });
}

/// It can't be parked then. With a limit of one, a second time would be one too many.
#[test]
fn in_order_a_topic_that_is_paused_for_hours_goes_back_once_and_keeps_its_order() {
    let settings = format!("{SMALL}[sns]\nordering = \"per-key\"\n");
    simulate(&settings, &Plugins::default(), async |it| {
        it.pause(muc(), 600);
        it.publish((0..50).map(room));
        it.logs("requeued_paused_too_long").await;
        sleep(Duration::from_hours(1)).await;
        assert_eq!((it.queue().ready(), it.sns.requests(), it.sns.questions()), (50, 0, 0));
        it.resume(muc());
        it.has_once("muc", 50).await;
        let order: Vec<_> = it.sns.of("muc").iter().map(Accepted::number).collect();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
        assert_eq!(it.queue().exceeded().len(), 0);
    });
}

#[test]
fn a_worker_that_does_not_know_what_is_paused_waits_for_some_seconds_and_no_longer() {
    let expecting = || Rc::new(PauseGate::under_a_paused_clock());
    for learns in [true, false] {
        let gate = expecting();
        gate.expect();
        simulate_with(Rc::clone(&gate), async |it| {
            it.publish((0..5).map(chat));
            // However often it can't be read, as while a broker begins.
            for _ in 0..10 {
                gate.failed();
                sleep(Duration::from_millis(400)).await;
            }
            assert_eq!((it.sns.requests(), it.queue().unacked()), (0, 0));
            if learns {
                let mut targets = PausedTargets::default();
                targets.apply(&paused_before(&gate), FLEET).unwrap();
                gate.learnt(targets);
                sleep(Duration::from_mins(1)).await;
                assert_eq!((it.sns.requests(), it.log.count("paused")), (0, 1));
                it.resume(Target::Everything);
            } else {
                it.logs("pauses_unknown").await;
            }
            it.has_once("pm", 5).await;
        });
    }
}

/// As a command that was given before the worker began.
fn paused_before(gate: &PauseGate) -> Command {
    let by = Operator { name: "bob".to_owned(), via: Via::Cli };
    let until = gate.now() + SignedDuration::from_hours(1);
    let order = Order::Pause { target: Target::Everything, until, reason: String::new() };
    Command { id: "1".to_owned(), at: gate.now(), fleet: FLEET.to_owned(), by, order }
}

#[test]
fn a_stop_while_all_is_paused_is_prompt() {
    let both = Some((MemoryQueue::default(), Service::default()));
    let (totals, took) = simulate_and_stop("", &Plugins::default(), both, async |it| {
        it.sns.fail_requests(|_, _| Some(answered("ExpiredToken")));
        it.pause(Target::Everything, 60);
        it.logs("source_paused").await;
        sleep(Duration::from_secs(1)).await;
        it.publish((0..5).map(chat));
        sleep(Duration::from_mins(1)).await;
    });
    assert!(took < Duration::from_millis(100), "took {took:?}");
    assert_eq!((totals.received, totals.handed_back), (0, 0), "{totals}");
}
