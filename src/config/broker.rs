//! What belongs together in `[amqp]`.

use std::collections::BTreeMap;
use std::time::Duration;

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
    let Config { amqp, sns, outage, .. } = config;
    nodes(merged, amqp);
    check_tls(merged, amqp);
    if amqp.prefetch == 0 {
        amqp.prefetch = chosen_prefetch(sns);
    }
    check_dead_letter_rate(merged, amqp);
    let asked = outage.hand_back_after + CONSUMER_TIMEOUT_MARGIN;
    amqp.consumer_timeout = asked.max(DEFAULT_CONSUMER_TIMEOUT);
    let parking = (sns.ordering == Ordering::None).then(|| outage.probe_max.max(SHORTEST_PARKING));
    for (source, keeps_order) in amqp.sources.iter_mut().zip(ordered) {
        check_source(merged, source);
        source.single_active &= keeps_order;
        source.parking =
            parking.map(|time| Parking { queue: format!("{}{HELD}", source.queue), time });
    }
    check_queues(merged, &amqp.sources);
}

/// The nodes of the broker: `uris`, or the only one.
fn nodes(merged: &mut Merged, amqp: &mut Amqp) {
    let (one, many) = (Key::from("amqp.uri"), Key::from("amqp.uris"));
    match (amqp.uri.take(), amqp.uris.is_empty()) {
        (Some(_), false) => {
            let origin = merged.value(&one).map_or(Origin::Default, Origin::of);
            let wrong = format!("stands beside amqp.uri ({origin}), which it replaces");
            merged.problem(&many, wrong, "keep one of them; an empty amqp.uri counts as unset");
        }
        (None, true) if merged.is_sound(&one) && merged.is_sound(&many) => merged.problem(
            &one,
            "is unset, so there is no broker to take events from",
            "set it, or amqp.uris",
        ),
        (uri, _) => amqp.uris.extend(uri),
    }
}

fn check_tls(merged: &mut Merged, amqp: &Amqp) {
    let (cert, key) = (Key::from("amqp.cert_file"), Key::from("amqp.key_file"));
    let (unset, given) = match (&amqp.tls.cert_file, &amqp.tls.key_file) {
        (Some(_), None) => (key, cert),
        (None, Some(_)) => (cert, key),
        _ => return,
    };
    if merged.is_sound(&unset) && merged.is_sound(&given) {
        merged.problem(&unset, format!("is unset, but {given} is given"), "set both or neither");
    }
}

/// A delivery waits until its dead letter may be written, and the broker takes it away when that takes too long.
fn check_dead_letter_rate(merged: &mut Merged, amqp: &Amqp) {
    let prefetch = amqp.prefetch;
    let wait = amqp.dead_letters_per_second.map_or(0.0, |rate| f64::from(prefetch) / rate);
    if wait > LONGEST_LETTER_WAIT {
        let wrong = format!(
            "makes the last of {prefetch} unacknowledged deliveries wait for {wait:.0} s, and RabbitMQ \
             takes a delivery away after 1800"
        );
        merged.problem(
            &Key::from("amqp.dead_letters_per_second"),
            wrong,
            "raise it, or lower amqp.prefetch",
        );
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
    if source.queue.len() > LONGEST_SHORT - HELD.len() {
        let wrong = format!("leaves no room for `{HELD}`, which is added for a second queue");
        merged.problem(&key.child("queue"), wrong, "shorten it to 250 bytes");
    }
    if merged.text(&Key::from("amqp.dead_letter_exchange")).as_ref() == Some(&source.exchange) {
        let wrong =
            "is amqp.dead_letter_exchange as well, so each dead letter would come back as an event";
        merged.problem(&key.child("exchange"), wrong, "give one of them another name");
    }
    let exchange_type = source.exchange_type;
    if source.routing_keys.is_empty()
        && matches!(exchange_type, ExchangeType::Topic | ExchangeType::Direct)
        && merged.is_sound(&key.child("routing_keys"))
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
    let mut queues: BTreeMap<String, Key> = BTreeMap::new();
    let dead_letters = Key::from("amqp.dead_letter_queue");
    let lock = merged.text(&dead_letters).unwrap_or_default() + BROWSE_LOCK;
    queues.extend(merged.text(&dead_letters).map(|queue| (queue, dead_letters)));
    for source in sources {
        let key = Key::from(["amqp", "sources", &source.name, "queue"]);
        match queues.get(&source.queue) {
            _ if !merged.is_sound(&key) => {}
            Some(other) => {
                let wrong = format!("is {other} as well");
                merged.problem(&key, wrong, "give every source a queue of its own");
            }
            None => drop(queues.insert(source.queue.clone(), key)),
        }
    }
    for Source { queue, parking, .. } in sources {
        if let Some(key) = queues.get(queue).filter(|_| *queue == lock) {
            let wrong = "is the queue that locks amqp.dead_letter_queue while it is browsed";
            merged.problem(key, wrong, "give it another name");
        }
        if let Some(key) = parking.as_ref().and_then(|parking| queues.get(&parking.queue)) {
            let wrong =
                format!("is where events of `{queue}` are parked while their topic is held");
            merged.problem(key, wrong, "give it another name");
        }
    }
}
