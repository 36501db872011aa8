//! Arguments for which RabbitMQ refuses a method in any case.

use lapin::types::{AMQPValue, FieldTable};

pub(super) fn wrong(argument: &str, value: AMQPValue) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(argument.into(), value);
    arguments
}

/// The arguments of a binding that does not exist, whatever its other parts are.
pub(super) fn no_binding() -> FieldTable {
    let nobodys = format!("{:016x}", fastrand::u64(..));
    wrong("x-event-pusher-check", AMQPValue::LongString(nobodys.into()))
}
