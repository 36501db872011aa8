//! The names of all headers that this program writes into messages, and of RabbitMQ's headers that it reads.

/// How all headers of ours begin.
pub const PREFIX: &str = "event-pusher-";

/// The exchange to which the producer published.
pub const EXCHANGE: &str = "event-pusher-exchange";
/// The routing key with which it did.
pub const ROUTING_KEY: &str = "event-pusher-routing-key";
/// The source's queue.
pub const QUEUE: &str = "event-pusher-queue";

/// The reason of a dead letter: a [`Reason`](crate::outcome::Reason).
pub const REASON: &str = "event-pusher-reason";
/// What happened, in words.
pub const ERROR: &str = "event-pusher-error";
/// Publish attempts made.
pub const ATTEMPTS: &str = "event-pusher-attempts";
/// The topic's ARN, where one was found.
pub const TOPIC: &str = "event-pusher-topic";
/// When the event was dead-lettered, by RFC 3339.
pub const FAILED_AT: &str = "event-pusher-failed-at";
/// Version and host of the worker.
pub const WORKER: &str = "event-pusher-worker";
/// The expiration that the event came with: a dead letter must not vanish.
pub const EXPIRATION: &str = "event-pusher-expiration";
/// The user id that the event came with: RabbitMQ refuses another than the connection's.
pub const USER_ID: &str = "event-pusher-user-id";

/// How often a message was replayed. Its other headers say so only while it is dead.
pub const REPLAYS: &str = "event-pusher-replays";
/// Which replay sent a message, and as which of its messages.
pub const REPLAY_ID: &str = "event-pusher-replay-id";
/// The priority that an event had before a replay gave it another one: an
/// [`OriginalPriority`](crate::priority::OriginalPriority). It stays with the event, for the next replay.
pub const PRIORITY: &str = "event-pusher-priority";
/// In a worker's report to a replay: what became of the event, a [`Report`](crate::replay::OutcomeReport)'s label.
pub const OUTCOME: &str = "event-pusher-outcome";

/// What decides an event's partition, where a worker sorts the events of a source: a hash exchange reads it.
pub const ORDER_KEY: &str = "event-pusher-order-key";

/// Appended to the name of a source's queue for the exchange through which sorted events come to their partitions.
pub const SORTED_EXCHANGE: &str = ".sorted";

/// Since when an event is parked. It marks what has been; the names of all headers of a parked event begin so.
pub const PARKED: &str = "event-pusher-parked";
/// Before the name of a header that the broker must not see while it keeps a parked event.
pub const PARKED_COVER: &str = "event-pusher-parked-";
/// The expiration of a parked event.
pub const PARKED_EXPIRATION: &str = "event-pusher-parked-expiration";
/// The user id of a parked event.
pub const PARKED_USER_ID: &str = "event-pusher-parked-user-id";
/// The priority of a parked event, where it is parked with another one; as [`PRIORITY`].
pub const PARKED_PRIORITY: &str = "event-pusher-parked-priority";

/// Before the name of a header that means to RabbitMQ, and to who reads a letter, that the letter itself has died.
pub const COVER: &str = "event-pusher-covered-";
/// Before the name of what was changed, with the bytes as they came.
pub const ORIGINAL: &str = "event-pusher-original-";
/// Names the headers that were left out.
pub const DROPPED: &str = "event-pusher-dropped-headers";
/// The signature, in hexadecimal digits.
pub const SIGNATURE: &str = "event-pusher-signature";
/// Marks the message by which a queue's delivery limit is measured.
pub const PROBE: &str = "event-pusher-probe";

/// How often a quorum queue has redelivered a message.
pub const DELIVERY_COUNT: &str = "x-delivery-count";
/// How often it has delivered it at all; from RabbitMQ 4.0 on.
pub const ACQUIRED_COUNT: &str = "x-acquired-count";
/// What a quorum queue writes into what it delivers again.
pub const COUNTS: [&str; 2] = [DELIVERY_COUNT, ACQUIRED_COUNT];

/// Headers that RabbitMQ writes into what it dead-letters. A worker covers those that an event comes with.
pub const OF_A_DEATH: [&str; 7] = [
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
];

/// What only a dead letter has.
pub const OF_A_DEAD_LETTER: [&str; 7] = [REASON, ERROR, ATTEMPTS, TOPIC, FAILED_AT, WORKER, QUEUE];
