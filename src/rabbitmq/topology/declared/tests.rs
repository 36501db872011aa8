//! The tables of `docs/own-queues.md` have the arguments that queues are declared with.

use std::collections::BTreeMap;

use super::*;
use crate::config::{Config, Inputs};

const DOCUMENT: &str = include_str!("../../../../docs/own-queues.md");

/// The names in the document.
const NAMES: &str = "[amqp]\ndead_letter_exchange = \"event-pusher-sns.dead\"\nqueue_type = ";

/// Arguments and their values, of the row with this name of a queue and of each one below it.
type Rows = BTreeMap<String, BTreeMap<String, String>>;

/// The table for one type of queue.
fn table(heading: &str) -> Rows {
    let (_, section) = DOCUMENT.split_once(heading).unwrap();
    let mut rows = Rows::new();
    let lines = section.lines().skip_while(|line| !line.starts_with("| --- |")).skip(1);
    for line in lines.take_while(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.split('|').map(|it| it.trim().trim_matches('`')).collect();
        let (queue, argument, value) = (cells[1], cells[2], cells[3]);
        if argument.starts_with("x-") {
            let of_queue = rows.entry(queue.to_owned()).or_default();
            of_queue.insert(argument.to_owned(), value.trim_matches('"').to_owned());
        }
    }
    rows
}

fn shown(arguments: &FieldTable) -> BTreeMap<String, String> {
    let value = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::Boolean(set) => set.to_string(),
        other => panic!("{other:?}"),
    };
    arguments.inner().iter().map(|(name, it)| (name.to_string(), value(it))).collect()
}

#[test]
fn the_tables_have_what_is_declared() {
    for kind in ["quorum", "classic"] {
        let files = vec![("own.toml".to_owned(), format!("{NAMES}\"{kind}\"\n"))];
        let inputs = Inputs { files, environment: Vec::new() };
        let amqp = Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap().amqp;
        let declared = Rows::from([
            ("source".to_owned(), shown(&queue_arguments(&amqp, &amqp.sources[0]))),
            ("parking".to_owned(), shown(&parking_arguments(amqp.queue_type, "event-pusher-sns"))),
            ("dead letters".to_owned(), shown(&dead_letter_arguments(amqp.queue_type))),
        ]);
        assert_eq!(table(&format!("## Arguments: {kind}")), declared, "{kind}");
    }
}

#[test]
fn the_table_for_order_has_what_is_added_where_order_is_kept() {
    for kind in ["quorum", "classic"] {
        let amqp = |ordering: &str| {
            let text = format!("{NAMES}\"{kind}\"\n[sns]\nordering = \"{ordering}\"\n");
            let inputs =
                Inputs { files: vec![("own.toml".to_owned(), text)], environment: Vec::new() };
            Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap().amqp
        };
        let (plain, ordered) = (amqp("none"), amqp("per-key"));
        let plain = shown(&queue_arguments(&plain, &plain.sources[0]));
        let mut added = shown(&queue_arguments(&ordered, &ordered.sources[0]));
        added.retain(|argument, _| !plain.contains_key(argument));
        let rows = table("## Order across workers").remove("source").unwrap();
        let rows = rows
            .into_iter()
            .filter(|(argument, _)| kind == "quorum" || !argument.ends_with("timeout"));
        assert_eq!(added, rows.collect(), "{kind}");
    }
}

/// The example for `rabbitmqctl import_definitions` has them, too.
#[test]
fn the_definitions_have_what_is_declared() {
    let (_, rest) = DOCUMENT.split_once("```json\n").unwrap();
    let (definitions, _) = rest.split_once("```").unwrap();
    let definitions: serde_json::Value = serde_json::from_str(definitions).unwrap();
    let files = vec![("own.toml".to_owned(), format!("{NAMES}\"quorum\"\n"))];
    let inputs = Inputs { files, environment: Vec::new() };
    let amqp = Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap().amqp;
    for (queue, declared) in [
        ("event-pusher-sns", queue_arguments(&amqp, &amqp.sources[0])),
        ("event-pusher-sns.held", parking_arguments(amqp.queue_type, "event-pusher-sns")),
        ("event-pusher-sns.dead", dead_letter_arguments(amqp.queue_type)),
    ] {
        let queues = definitions["queues"].as_array().unwrap();
        let found = queues.iter().find(|it| it["name"] == queue).unwrap();
        assert_eq!(found["durable"], true, "{queue}");
        let arguments = found["arguments"].as_object().unwrap().iter();
        let text = |it: &serde_json::Value| it.as_str().map_or_else(|| it.to_string(), Into::into);
        let arguments: BTreeMap<_, _> =
            arguments.map(|(name, it)| (name.clone(), text(it))).collect();
        assert_eq!(arguments, shown(&declared), "{queue}");
    }
}
