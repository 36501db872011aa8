//! Which promise holds on which RabbitMQ: the table is what the tests say that `make check check-long` runs.

use std::fmt::Write;

use super::{assert_generated, path, read, sources};

const BEGIN: &str = "<!-- versions: generated from tests/documents/versions.rs; \
                     UPDATE_DOCUMENTS=1 cargo test --test documents -->\n";
const END: &str = "<!-- end of versions -->";

/// Whether a promise holds on a release.
enum On {
    Holds,
    /// With a remark.
    But(&'static str),
    /// Not, and what is there instead.
    Not(&'static str),
}

use On::{But, Holds, Not};

/// A promise, and the tests of it. They run on both releases, also where one of these can't keep the promise: then they
/// know what it does instead.
struct Row {
    promise: &'static str,
    tests: &'static [&'static str],
    on_3_10: On,
    on_4_3: On,
}

/// Not on those with a single active consumer.
const SHARED: &str = "on queues that workers share";

const fn both(promise: &'static str, tests: &'static [&'static str]) -> Row {
    Row { promise, tests, on_3_10: Holds, on_4_3: Holds }
}

const PROMISES: &[Row] = &[
    both(
        "Nothing is lost and each event ends once, in a storm of all faults",
        &["a_storm_of_every_fault_loses_nothing_and_repeats_no_more_than_was_in_flight"],
    ),
    both(
        "A broker that crashes or restarts is found again, and nothing is lost",
        &[
            "a_broker_that_crashes_is_found_again_and_nothing_is_lost",
            "a_broker_that_restarts_in_order_is_found_again",
        ],
    ),
    Row {
        promise: "A cluster that loses a node is consumed through another one, and nothing is lost",
        tests: &["a_cluster_that_loses_the_queues_leader_is_consumed_through_another_node"],
        on_3_10: Holds,
        on_4_3: But(
            "on a queue that workers share, what a worker connected to that node held comes again after 60 s, so that later events \
             may overtake it",
        ),
    },
    both(
        "Order holds across workers, where they stop, die or lose their node, on queues that `run` creates for sources that keep order",
        &[
            "stops_and_kills_among_three_workers_overtake_nothing_and_stops_repeat_nothing",
            "of_8000_events_none_is_overtaken_when_the_node_of_leader_and_connection_is_lost",
        ],
    ),
    both(
        "What a killed worker held comes again in its order",
        &[
            "a_kill_keeps_the_order_on_a_quorum_queue_and_repeats_no_more_than_was_held",
            "what_several_consumers_of_a_dead_worker_held_comes_back_in_order",
        ],
    ),
    both(
        "What is handed back keeps its order",
        &[
            "a_classic_queue_keeps_the_order_of_what_is_handed_back",
            "a_quorum_queue_with_one_active_consumer_keeps_the_order_of_what_is_handed_back",
            "a_quorum_queue_that_workers_share_keeps_the_order_of_what_is_handed_back",
        ],
    ),
    Row {
        promise: "To be handed back costs an event none of its delivery limit",
        tests: &["what_a_quorum_queue_gets_back_has_come_back_once_or_from_4_3_on_never"],
        on_3_10: Not("each time costs one; parking costs none"),
        on_4_3: But(SHARED),
    },
    Row {
        promise: "Order does not depend on the priorities that producers set",
        tests: &[
            "a_conversation_keeps_its_order_within_each_priority",
            "an_archive_keeps_the_order_within_one_priority",
        ],
        on_3_10: But("quorum queues know none"),
        on_4_3: Not(
            "quorum queues deliver higher priorities first; order holds within one priority",
        ),
    },
    Row {
        promise: "A worker that crashes at its start spends the delivery limit of ten events",
        tests: &["a_worker_that_dies_of_its_start_spends_the_delivery_limit_of_a_few_events_only"],
        on_3_10: But(SHARED),
        on_4_3: But(SHARED),
    },
    both(
        "An event that kills its worker is dead-lettered at the limit",
        &["an_event_that_kills_its_worker_ends_with_the_dead_letters"],
    ),
    both(
        "Parked events come back, as they were",
        &[
            "what_rabbitmq_keeps_of_a_held_topic_comes_round_until_the_topic_is_back",
            "a_parked_event_comes_back_as_it_was",
        ],
    ),
    both(
        "A standby behind a single active consumer takes over by itself",
        &["a_standby_is_quiet_and_takes_over_when_the_first_worker_dies"],
    ),
    both(
        "Browsing leaves the dead letters as they were, and finds a limit that a policy sets",
        &[
            "thirty_looks_in_a_row_lose_reorder_and_spend_nothing",
            "a_policy_that_limits_deliveries_is_found_out_before_it_takes_a_letter",
        ],
    ),
    Row {
        promise: "Queues of your own may leave out `x-delivery-limit`",
        tests: &["a_delivery_limit_beyond_which_events_are_dropped_is_a_problem"],
        on_3_10: But("without it there is none"),
        on_4_3: Not("RabbitMQ's default is 20; `check` names what is lost beyond it"),
    },
    both(
        "A replay survives kills, cuts and a crash of the broker",
        &[
            "fifteen_hundred_letters_survive_three_kills_of_their_replay",
            "they_survive_two_cuts_of_its_connections",
            "they_survive_a_crash_of_the_broker",
        ],
    ),
    Row {
        promise: "When and where RabbitMQ dead-lettered an event can't be forged by its producer",
        tests: &["what_rabbitmq_4_says_of_a_death_is_its_own_word_and_on_3_it_is_claimed"],
        on_3_10: Not("it is shown as claimed, and `discard` leaves such letters"),
        on_4_3: Holds,
    },
    both(
        "No message that a producer can send stops a worker or a command",
        &[
            "no_byte_of_a_producer_stops_a_worker_and_each_poison_ends_once",
            "dead_letters_that_no_client_can_read_are_listed_exported_replayed_and_discarded",
        ],
    ),
    Row {
        promise: "`check` and `run` see whether a queue or exchange exists, without a permission on it",
        tests: &["who_may_only_use_what_is_there_runs_and_checks_all_the_same"],
        on_3_10: Holds,
        on_4_3: Not("`check` says that it can't tell, and `run` goes on and finds out by using it"),
    },
];

/// A variable of the Makefile: parts of tests' names.
fn listed(variable: &str) -> Vec<String> {
    let makefile = read("Makefile");
    let is_of_it = |line: &&str| line.starts_with(&format!("{variable} "));
    let lines: Vec<_> = makefile.lines().filter(is_of_it).collect();
    assert!(!lines.is_empty(), "the Makefile has no {variable}");
    let values = lines.iter().flat_map(|line| line.split_once("= ").unwrap().1.split(' '));
    values.map(ToOwned::to_owned).collect()
}

/// The test's name with its modules, as the Makefile selects by.
fn full_name(test: &str) -> String {
    let folder = path("tests/promises");
    let function = format!("async fn {test}(");
    let is_there =
        |file: &std::path::PathBuf| std::fs::read_to_string(file).unwrap().contains(&function);
    let file = sources(&folder).into_iter().find(is_there);
    let file = file.unwrap_or_else(|| panic!("there is no promise {test}"));
    let module = file.strip_prefix(&folder).unwrap().with_extension("");
    let module: Vec<_> = module.iter().map(|it| it.to_str().unwrap()).collect();
    format!("{}::{test}", module.join("::"))
}

#[test]
fn the_tests_of_the_table_of_versions_run_on_both() {
    let [long, long_on_both, once] = ["LONG", "LONG_ON_BOTH", "ONCE"].map(listed);
    let has = |parts: &[String], name: &str| parts.iter().any(|it| name.contains(it.as_str()));
    for test in PROMISES.iter().flat_map(|it| it.tests) {
        let name = full_name(test);
        assert!(!name.contains("on_3_10") && !name.contains("on_4_3"), "{name} is of one release");
        let is_on_both =
            if has(&long, &name) { has(&long_on_both, &name) } else { !has(&once, &name) };
        assert!(is_on_both, "the Makefile runs {name} on one release only");
    }
}

#[test]
fn the_table_of_versions_is_current() {
    let mut table = "| promise | RabbitMQ 3.10 | RabbitMQ 4.3 |\n| --- | --- | --- |\n".to_owned();
    for Row { promise, on_3_10, on_4_3, .. } in PROMISES {
        let [old, new] = [on_3_10, on_4_3].map(|on| match on {
            Holds => "✓".to_owned(),
            But(remark) => format!("✓ {remark}"),
            Not(instead) => format!("✗ {instead}"),
        });
        writeln!(table, "| {promise} | {old} | {new} |").unwrap();
    }
    assert_generated("docs/reliability.md", BEGIN, END, &table);
}
