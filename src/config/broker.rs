//! What belongs together in `[amqp]`.

mod partitions;

use std::collections::BTreeMap;
use std::time::Duration;

use self::partitions::Given;
use super::key::{Key, Origin};
use super::merged::Merged;
use super::settings::{Amqp, Config, ExchangeType, Ordering, Parking, Sns, Source};
use crate::limits::{
    CONSUMER_TIMEOUT_MARGIN, DEFAULT_CONSUMER_TIMEOUT, LONGEST_LETTER_WAIT, LONGEST_SHORT,
};

/// What a source's queue for parked events is called after its queue.
const HELD: &str = ".held";

/// What the queue that locks the dead-letter queue while it is browsed is called after that queue.
pub(crate) const BROWSE_LOCK: &str = ".look";

/// The queue that is the lock of a queue's browsers; `None` where AMQP has no room for the name, and the queue no lock.
pub(crate) fn browse_lock(queue: &str) -> Option<String> {
    Some(format!("{queue}{BROWSE_LOCK}")).filter(|name| name.len() <= LONGEST_SHORT)
}

/// Parked events come round as often as a held topic is probed, but not as fast as the broker can.
const SHORTEST_PARKING: Duration = Duration::from_millis(100);

/// Notes what doesn't fit together, and adds what follows from the rest.
pub(super) fn complete(merged: &mut Merged, config: &mut Config) {
    let ordered: Vec<_> = config.amqp.sources.iter().map(|it| config.keeps_order(it)).collect();
    nodes(merged, &mut config.amqp);
    check_tls(merged);
    let is_chosen = config.amqp.prefetch == 0;
    if is_chosen {
        config.amqp.prefetch = chosen_prefetch(&config.sns);
    }
    check_dead_letter_rate(merged, &config.amqp, is_chosen);
    let Config { amqp, sns, outage, .. } = &mut *config;
    let asked = outage.hand_back_after + CONSUMER_TIMEOUT_MARGIN;
    amqp.consumer_timeout = asked.max(DEFAULT_CONSUMER_TIMEOUT);
    let (time, priority) = (outage.probe_max.max(SHORTEST_PARKING), outage.parked_priority);
    let parks = sns.ordering == Ordering::None;
    for (source, keeps_order) in amqp.sources.iter_mut().zip(ordered) {
        check_source(merged, source);
        let given = Given { queue_type: amqp.queue_type, prefetch: amqp.prefetch };
        partitions::check(merged, source, given, keeps_order);
        source.single_active &= keeps_order;
        let queue = format!("{}{HELD}", source.queue);
        source.parking = parks.then_some(Parking { queue, time, priority });
    }
    check_queues(merged, &amqp.sources);
    check_exchanges(merged, config);
    check_sorted(merged, config);
}

/// The nodes of the broker: `uris`, or the only one.
fn nodes(merged: &mut Merged, amqp: &mut Amqp) {
    let (one, many) = (Key::from("amqp.uri"), Key::from("amqp.uris"));
    if merged.is_given(&one) && merged.is_given(&many) {
        let origin = merged.origin(&one);
        // The default gives way.
        if origin != Origin::Default {
            let wrong = format!("stands beside amqp.uri ({origin}), which it replaces");
            let remedy = "keep one of them; an empty amqp.uri counts as unset";
            merged.problem(&many, wrong, remedy);
        }
    } else if merged.is_unset(&one) && merged.is_unset(&many) {
        let wrong = "is unset, so there is no broker to take events from";
        merged.problem(&one, wrong, "set it, or amqp.uris");
    }
    amqp.uris.extend(amqp.uri.take());
}

fn check_tls(merged: &mut Merged) {
    let (cert, key) = (Key::from("amqp.cert_file"), Key::from("amqp.key_file"));
    for (unset, given) in [(&key, &cert), (&cert, &key)] {
        if merged.is_unset(unset) && merged.is_given(given) {
            merged.problem(unset, format!("is unset, but {given} is given"), "set both or neither");
        }
    }
}

/// A delivery waits until its dead letter may be written, and the broker takes it away when that takes too long.
/// `is_chosen`: the prefetch is, and not set.
fn check_dead_letter_rate(merged: &mut Merged, amqp: &Amqp, is_chosen: bool) {
    const RATE: &str = "amqp.dead_letters_per_second";
    let chosen_by = ["sns.pool_size", "sns.batch_max_entries", "sns.ordering"];
    if !merged.are_sound(&[RATE, "amqp.prefetch"]) || (is_chosen && !merged.are_sound(&chosen_by)) {
        return;
    }
    let prefetch = amqp.prefetch;
    let wait = amqp.dead_letters_per_second.map_or(0.0, |rate| f64::from(prefetch) / rate);
    if wait > LONGEST_LETTER_WAIT {
        let wrong = format!(
            "makes the last of {prefetch} unacknowledged deliveries wait for {wait:.0} s, and RabbitMQ \
             takes a delivery away after 1800"
        );
        merged.problem(&Key::from(RATE), wrong, "raise it, or lower amqp.prefetch");
    }
}

/// Half as much again as what all requests can hold, so that they stay full while
/// acknowledgements are on their way. Where order is kept, three times that: much of it waits for
/// its turn, and only what is at the front of a key can fill a request.
fn chosen_prefetch(sns: &Sns) -> u16 {
    let in_requests = u32::from(sns.pool_size) * u32::from(sns.batch_max_entries);
    let ordered = sns.ordering == Ordering::PerKey;
    let halves = if ordered { 9 } else { 3 };
    u16::try_from(in_requests * halves / 2).unwrap_or(u16::MAX).max(1)
}

fn check_source(merged: &mut Merged, source: &Source) {
    let key = Key::from(["amqp", "sources", &source.name]);
    let (queue, exchange) = (key.child("queue"), key.child("exchange"));
    if source.queue.len() > LONGEST_SHORT - HELD.len() && merged.is_sound(&queue) {
        let wrong = format!("leaves no room for `{HELD}`, which is added for a second queue");
        merged.problem(&queue, wrong, "shorten it to 250 bytes");
    }
    let dead_letters = Key::from("amqp.dead_letter_exchange");
    if merged.text(&dead_letters).as_ref() == Some(&source.exchange)
        && merged.is_sound(&dead_letters)
        && merged.is_sound(&exchange)
    {
        let wrong =
            "is amqp.dead_letter_exchange as well, so each dead letter would come back as an event";
        merged.problem(&exchange, wrong, "give one of them another name");
    }
    let exchange_type = source.exchange_type;
    if source.routing_keys.is_empty()
        && matches!(exchange_type, ExchangeType::Topic | ExchangeType::Direct)
        && merged.is_sound(&key.child("routing_keys"))
        && merged.is_sound(&key.child("exchange_type"))
    {
        let wrong = format!(
            "is empty, so that a {} exchange would hand nothing on",
            exchange_type.into_str()
        );
        let remedy = "give at least one; \"#\" is everything in a topic exchange";
        merged.problem(&key.child("routing_keys"), wrong, remedy);
    }
}

/// Every queue has one purpose.
fn check_queues(merged: &mut Merged, sources: &[Source]) {
    if merged.faults.is_unread {
        // Only what is in the file tells which sources there are.
        return;
    }
    let key_of = |source: &Source| Key::from(["amqp", "sources", &source.name, "queue"]);
    let dead_letters = Key::from("amqp.dead_letter_queue");
    let dead_letter_queue = merged.text(&dead_letters).filter(|_| merged.is_sound(&dead_letters));
    let sound: Vec<_> = sources.iter().filter(|it| merged.is_sound(&key_of(it))).collect();
    let mut queues: BTreeMap<String, Key> = BTreeMap::new();
    queues.extend(dead_letter_queue.clone().map(|queue| (queue, dead_letters)));
    for source in &sound {
        let key = key_of(source);
        match queues.get(&source.queue) {
            Some(other) => {
                let wrong = format!("is {other} as well");
                merged.problem(&key, wrong, "give every source a queue of its own");
            }
            None => drop(queues.insert(source.queue.clone(), key)),
        }
    }
    let lock = dead_letter_queue.map(|queue| queue + BROWSE_LOCK);
    for Source { queue, parking, .. } in sound {
        if let Some(key) = queues.get(queue).filter(|_| lock.as_ref() == Some(queue)) {
            let wrong = "is the queue that locks amqp.dead_letter_queue while it is browsed";
            merged.problem(key, wrong, "give it another name");
        }
        let owner = sources.iter().find(|it| it.queue != *queue && it.appends(queue));
        if let (Some(owner), Some(key)) = (owner, queues.get(queue)) {
            let wrong = format!("is a name that the partitions of source {} need", owner.name);
            merged.problem(key, wrong, "give it another name");
        }
        let parking = parking.as_ref().filter(|_| merged.are_sound(&["sns.ordering"]));
        if let Some(key) = parking.and_then(|parking| queues.get(&parking.queue)) {
            let wrong =
                format!("is where events of `{queue}` are parked while their topic is held");
            merged.problem(key, wrong, "give it another name");
        }
    }
}

/// What a worker has sorted must not come to it again.
fn check_sorted(merged: &mut Merged, config: &Config) {
    let sources = &config.amqp.sources;
    let of_source =
        |it: &Source| (Key::from(["amqp", "sources", &it.name, "exchange"]), it.exchange.clone());
    let dead_letters =
        (Key::from("amqp.dead_letter_exchange"), config.amqp.dead_letter_exchange.clone());
    for (key, exchange) in sources.iter().map(of_source).chain([dead_letters]) {
        let owner = sources.iter().find(|it| it.comes_sorted_by(&exchange));
        if let Some(owner) = owner.filter(|_| merged.is_sound(&key)) {
            let wrong = format!("is a name that the partitions of source {} need", owner.name);
            merged.problem(&key, wrong, "give it another name");
        }
    }
}

/// An exchange is declared once, whoever uses it. Only what is consumed is declared.
fn check_exchanges(merged: &mut Merged, config: &Config) {
    if !config.amqp.declare || !merged.are_sound(&["amqp.declare"]) {
        return;
    }
    let mut by_exchange: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in &config.amqp.sources {
        by_exchange.entry(&source.exchange).or_default().push(source);
    }
    for mut sources in by_exchange.into_values().filter(|it| it.len() > 1) {
        sources.retain(|it| config.missing_topics(it).is_none());
        let Some((first, others)) = sources.split_first() else { continue };
        for other in others {
            let differs = [
                ("exchange_type", first.exchange_type != other.exchange_type),
                ("exchange_durable", first.exchange_durable != other.exchange_durable),
            ];
            for (name, _) in differs.into_iter().filter(|(_, differs)| *differs) {
                exchange_differs(merged, first, other, name);
            }
        }
    }
}

fn exchange_differs(merged: &mut Merged, first: &Source, other: &Source, name: &str) {
    let group = |source: &Source| Key::from(["amqp", "sources", &source.name]);
    let (first_key, key) = (group(first).child(name), group(other).child(name));
    let exchanges = [first, other].map(|it| group(it).child("exchange"));
    if exchanges.iter().chain([&first_key, &key]).all(|it| merged.is_sound(it)) {
        let exchange = &other.exchange;
        let wrong = format!("differs from {first_key}, and both name the exchange `{exchange}`");
        let remedy = "give both what the exchange has, or one of them another exchange";
        merged.problem(&key, wrong, remedy);
    }
}
