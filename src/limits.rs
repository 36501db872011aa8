//! Every limit of bytes, depth, count and time that what comes from outside meets, with its reason.

// --- bytes in flight ---

/// What a delivery is charged besides its body: what the worker keeps of every event, and headers up to
/// [`LARGE_HEADERS`].
pub(crate) const DELIVERY_OVERHEAD: u64 = 1024;

/// A header frame of more bytes than this is charged by itself.
pub(crate) const LARGE_HEADERS: u64 = 512;

/// What a byte of large headers is charged: the smallest field takes five bytes on the wire, and as an entry of a
/// table and in the texts that formats read, some eighty.
pub(crate) const HEADER_WEIGHT: u64 = 16;

/// Least that `amqp.max_in_flight_bytes` may be: the largest event that SNS takes has room in it.
pub(crate) const LEAST_IN_FLIGHT_BYTES: i64 = 1024 * 1024;

/// For how long reading may pause before the session is given up. RabbitMQ closes a connection when it could not send
/// to it for 15 s (`send_timeout`).
pub(crate) const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// Bytes of dead letters and parked events that are being published at once: lapin copies each into frames.
pub(crate) const PUBLISHING_BYTES: usize = 16 * 1024 * 1024;

/// A burst of dead letters of one source and reason is written at once if it is no more than what the rate allows in
/// so many seconds: an incident that is over soon delays nobody.
pub(crate) const DEAD_LETTER_BURST_SECONDS: u32 = 10;
