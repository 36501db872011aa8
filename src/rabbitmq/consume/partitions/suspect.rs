//! Which event of a partition workers may be dying of.
//!
//! RabbitMQ counts a delivery for all that a worker had prefetched, each time when a partition goes from one to another: so its
//! delivery limit is far off. Here only the first event of a session is suspected: it is what the worker before had at the front. What
//! speaks against it is in a queue; see `trial.rs`.

use lapin::BasicProperties;
use lapin::types::AMQPValue;

use crate::headers::DELIVERY_COUNT;

/// Where nobody knows what speaks against an event: deliveries that count besides those of `amqp.delivery_limit`. A hundred hand-overs
/// in which the event made no progress, as while its topic is held.
const HAND_OVERS: u32 = 100;

/// How often the first event of a session was delivered before, if that is often enough to look into it.
pub(super) fn suspected(properties: &BasicProperties, limit: u32) -> Option<i64> {
    let headers = properties.headers().as_ref()?;
    let count = match headers.inner().get(DELIVERY_COUNT)? {
        AMQPValue::LongLongInt(count) => *count,
        AMQPValue::LongInt(count) => (*count).into(),
        AMQPValue::LongUInt(count) => (*count).into(),
        _ => return None,
    };
    (count > 0 && count >= i64::from(limit)).then_some(count)
}

/// Why an event is a dead letter with which so many workers ended.
pub(super) fn by_evidence(ended: usize, count: i64) -> Box<str> {
    format!(
        "{ended} workers ended while they had it at the front of its partition, alone, and it was delivered {count} times before: \
         workers die of it; look at the logs of workers that ended, and replay it when they no longer would"
    )
    .into()
}

/// Why an event is a dead letter of which nobody knows more than how often it came, if it is to be one.
pub(super) fn by_count(count: i64, limit: u32) -> Option<Box<str>> {
    let most = i64::from(limit.saturating_add(HAND_OVERS));
    (count >= most).then(|| {
        format!(
            "it was delivered {count} times before, and always came back: workers may die of it (amqp.delivery_limit is {limit}, and \
             a partition allows {HAND_OVERS} hand-overs more); look at the logs of workers that ended, and replay it"
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldTable;

    use super::*;

    fn came(count: AMQPValue, limit: u32) -> Option<i64> {
        let mut headers = FieldTable::default();
        headers.insert(DELIVERY_COUNT.into(), count);
        suspected(&BasicProperties::default().with_headers(headers), limit)
    }

    #[test]
    fn an_event_is_suspected_from_its_limit_on_and_never_when_it_comes_first() {
        assert_eq!(came(AMQPValue::LongLongInt(19), 20), None);
        assert_eq!(came(AMQPValue::LongLongInt(20), 20), Some(20));
        assert_eq!(came(AMQPValue::LongLongInt(0), 0), None);
        assert_eq!(came(AMQPValue::LongInt(1), 0), Some(1));
        assert_eq!(came(AMQPValue::LongString("999".into()), 20), None, "not RabbitMQ's");
        assert_eq!(suspected(&BasicProperties::default(), 0), None);
    }

    #[test]
    fn without_evidence_an_event_may_come_a_hundred_times_beyond_its_limit() {
        assert_eq!(by_count(119, 20), None);
        assert!(by_count(120, 20).unwrap().contains("120 times"));
        assert!(by_evidence(3, 22).starts_with("3 workers ended"));
    }
}
