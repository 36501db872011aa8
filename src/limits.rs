//! Limits on what others send: bytes, depth, count and time, each with its reason.

// --- frames from the broker ---

/// Tables and lists within each other in a message's headers. lapin reads them by recursion, on a stack of
/// its own thread; nobody has use for more, and the stack has room for hundreds.
pub(crate) const DEEPEST_HEADER: usize = 32;

/// Bytes of a frame that is held until it is whole. RabbitMQ's own limit is 128 KiB unless its
/// `frame_max` says otherwise, and it sends no header that it has not received in a frame.
pub(crate) const LARGEST_FRAME: usize = 1 << 20;

/// Names of headers in one frame that are made valid. Each is made different from all others, which takes
/// up to 126 tries; with more of them, the table is not read.
pub(crate) const MOST_MENDED_NAMES: usize = 64;

/// Bytes of what was replaced that wait for their deliveries to be taken, for one connection. Without a
/// bound a prefetch of large bad headers would be kept twice.
pub(crate) const MOST_NOTED_BYTES: usize = 8 << 20;
