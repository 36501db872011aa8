//! Limits on what others send: bytes, depth, count and time, each with its reason.

// --- frames from the broker ---

/// Tables and lists within each other in a message's headers. lapin reads them by recursion, on a stack of
/// its own thread; nobody has use for more, and the stack has room for hundreds.
pub const DEEPEST_HEADER: usize = 32;

/// Bytes of a frame that is held until it is whole. RabbitMQ's own limit is 128 KiB unless its
/// `frame_max` says otherwise, and it sends no header that it has not received in a frame.
pub const LARGEST_FRAME: usize = 1 << 20;

/// Bytes of a short string, such as a routing key or the name of a queue, by AMQP 0-9-1.
pub const LONGEST_SHORT: usize = 255;

/// Names of headers in one frame that are made valid. Each is made different from all others, which takes
/// up to 126 tries; with more of them, the table is not read.
pub const MOST_MENDED_NAMES: usize = 64;

/// Entries of an event's headers, those of tables and lists within them included. Nobody has use for more than some
/// dozen; ten thousand empty ones fit into a frame, and would cost more than a hundred other events.
pub const MOST_HEADERS_OF_EVENTS: usize = 1000;

/// Entries beyond that, where workers or RabbitMQ have put headers on an event that was parked, replayed or delivered before.
/// Seen: 30.
pub const MOST_HEADERS_ADDED: usize = 100;

/// The same for messages that workers and RabbitMQ have put headers on: dead letters, which workers keep all headers
/// of an event in.
pub const MOST_HEADERS: usize = 4000;

/// Bytes of what was replaced that wait for their deliveries to be taken, for one connection. Without a
/// bound a prefetch of large bad headers would be kept twice.
pub const MOST_NOTED_BYTES: usize = 8 << 20;

// --- what others say ---

/// Bytes that are shown of a text that somebody else wrote: SNS, the broker, a resolver, a proxy. Longer than
/// any of SNS's own explanations of a refusal, and a line of a log all the same.
pub const LONGEST_SAID: usize = 300;

/// Bytes that are looked at of SNS's explanation of a refusal. The canonical string of a signature, the longest
/// that SNS quotes, has the event's part behind that.
pub const EXPLANATION_READ: usize = 1024;

/// Bytes of an error's code. SNS's longest has 37.
pub const LONGEST_CODE: usize = 64;

/// Bytes of SNS's id for a message, a UUID of 36.
pub const LONGEST_MESSAGE_ID: usize = 64;

/// Bytes of an answer of SNS. Its longest, to a batch of ten, has some 3 KB.
pub const LONGEST_ANSWER: usize = 256 * 1024;

/// Entries in an answer to a batch. A request has ten.
pub const ANSWER_ENTRIES: usize = 100;

// --- open files ---

/// Open files of a worker that has nothing to do: standard streams, two runtimes, signals, `admin.listen`, and
/// what resolving names and reading keys takes for a moment. Seen: 14.
pub const OWN_FILES: u64 = 24;

/// Open files of a connection to RabbitMQ: its socket, and a second handle of it.
pub const FILES_OF_A_CONNECTION: u64 = 2;

/// Connections to RabbitMQ beside the sources' own: dead letters, a look from the page, and one that is being
/// given up.
pub const OTHER_CONNECTIONS: u64 = 3;

/// Connections that a source may have at once: a session, and one that takes its place.
pub const CONNECTIONS_OF_A_SOURCE: u64 = 2;

/// Open files of a request to SNS: its connection, and one more that was begun for it before another became free.
pub const FILES_OF_A_REQUEST: u64 = 2;

/// Connections to `admin.listen` at once, where open files suffice.
pub const MOST_VISITORS: u64 = 128;

/// And where they don't: a probe, a monitor, and two that are slow.
pub const FEWEST_VISITORS: u64 = 4;

// --- admin: visitors of the page, and probes ---

/// Characters of `admin.token`. Anything shorter is found by those who guess; a shorter one lets nobody log in.
pub const SHORTEST_TOKEN: usize = 24;

/// Connections at once whose request's head has not arrived yet. It is there with the first packets, unless
/// somebody keeps it back; then the oldest of whoever has the most makes room.
pub const ARRIVING_CONNECTIONS: usize = 48;

/// Connections at once that ask for `/livez`, `/readyz` or `/metrics`: a kubelet and a few scrapers.
pub const PROBES: usize = 16;

/// Connections at once of those who have not logged in: sixteen open pages, and what they ask beside it.
pub const ANONYMOUS_CONNECTIONS: usize = 48;

/// The same of those who have.
pub const TRUSTED_CONNECTIONS: usize = 16;

/// Pages at once that get a stream without having logged in; a further one asks now and then.
pub const ANONYMOUS_STREAMS: usize = 16;

/// The same of those who have logged in.
pub const TRUSTED_STREAMS: usize = 8;

/// Pairs of a query. The page's form has eleven fields, and a script may give some of them more than once.
pub const QUERY_PAIRS: usize = 64;

/// Wrong tokens from one network (/24, or /64 of IPv6) within a minute, before none is looked at any more.
pub const WRONG_TOKENS: u32 = 5;

/// Networks whose wrong tokens are counted one by one.
pub const WRONG_TOKEN_NETWORKS: usize = 1024;

/// Wrong tokens within a minute from all networks beyond those, together.
pub const WRONG_TOKENS_ELSEWHERE: u32 = 50;

// --- dead letters: looking, and who has written them ---

/// A look at a queue with a lower delivery limit than this is refused: each look is a delivery, and above the limit
/// RabbitMQ drops the letters. Nobody looks a million times; RabbitMQ 4 gives 20 where no limit is set.
pub const LEAST_DELIVERY_LIMIT: i64 = 1_000_000;

/// Further looks that a dead-letter queue must bear. A look measures that before it puts back its letters, and spends
/// one; what remains is for looks that were killed before they had measured. A limit of 20, which
/// is RabbitMQ 4's own, is found out by the second look.
pub const LOOKS_AHEAD: u64 = 20;

/// Up to so many returns of its letters, each look measures.
pub const MEASURED_EACH_TIME: u64 = 32;

/// Once its letters have come back so often, a queue whose limit can't be measured is looked at no more: half of the
/// 20 that RabbitMQ 4 has by itself, so that former versions' looks have room too.
pub const MOST_UNMEASURED_RETURNS: u64 = 10;

/// A limit above this is not looked for: measuring takes as many answers of the broker, some 2 ms each.
pub const MOST_MEASURED_RETURNS: u64 = 1000;

/// Arguments of somebody else's queue that are found out one by one; RabbitMQ 4 knows 22.
pub const MOST_ARGUMENTS: usize = 32;

/// Bytes of the frame with which a broker greets; RabbitMQ's has 500.
pub const LONGEST_GREETING: usize = 16 * 1024;

/// Bytes of a key to sign with: SHA-256 makes no use of more, and fewer can be guessed.
pub const SHORTEST_SIGNING_KEY: usize = 32;

/// More is no key, but another file by mistake.
pub const LONGEST_SIGNING_KEY: usize = 4096;

/// Bytes of the header that says of which replay an event is, and as which: eight digits, a dot and a number.
pub const LONGEST_REPLAY_ID: usize = 32;

// --- bytes in flight, and dead letters in a second ---

/// What a delivery is charged besides its body: what the worker keeps of every event, and headers up to
/// [`LARGE_HEADERS`].
pub const DELIVERY_OVERHEAD: u64 = 1024;

/// A header frame of more bytes than this is charged by itself.
pub const LARGE_HEADERS: u64 = 512;

/// What a byte of large headers is charged: the smallest field takes five bytes on the wire, and as an entry of a
/// table and in the texts that formats read, some eighty.
pub const HEADER_WEIGHT: u64 = 16;

/// Least that `amqp.max_in_flight_bytes` may be: the largest event that SNS takes has room in it.
pub const LEAST_IN_FLIGHT_BYTES: i64 = 1024 * 1024;

/// For how long reading may pause before the session is given up. RabbitMQ closes a connection when it could not send
/// to it for 15 s (`send_timeout`).
pub const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// Bytes of dead letters and parked events that are being published at once: lapin copies each into frames.
pub const PUBLISHING_BYTES: usize = 16 * 1024 * 1024;

/// A burst of dead letters of one source and reason is written at once if it is no more than what the rate allows in
/// so many seconds: an incident that is over soon delays nobody.
pub const DEAD_LETTER_BURST_SECONDS: u32 = 10;

/// Seconds that a delivery may wait for its dead letter to be written when the whole prefetch is rubbish: well below the
/// 1800 after which RabbitMQ takes it away. The default rate lets the largest prefetch pass in 655.
pub const LONGEST_LETTER_WAIT: f64 = 1200.0;

// --- scripts: one call of a function, by docs/performance.md at most 2.5 ms ---

/// Steps of a script, each of which takes some 50 to 130 ns, whatever it does.
pub const SCRIPT_OPERATIONS: u64 = 10_000;

/// What its operations and its functions touch: a unit is some 50 ns at most. 128 bytes of a text that is gone through
/// are one, and so are 8 bytes that are read letter by letter, 2 that are built anew, 4 elements that are copied.
pub const SCRIPT_WEIGHT: u64 = 40_000;

/// Bytes of a text that stands in a script. Each operation is charged for the longest, since the engine shows nobody
/// which of them uses it; nobody writes a longer one into a policy.
pub const SCRIPT_LITERAL: usize = 8 * 1024;

/// Functions of a script within functions. The engine calls them by recursion, in a debug build on a test's 2 MiB of stack.
pub const SCRIPT_CALLS: usize = 8;

/// Expressions and blocks of a script within each other, which the engine reads and runs by recursion, in each of the
/// functions that are within each other.
pub const SCRIPT_NESTING: usize = 32;

/// Bytes of a text, or of all texts in an array or map, of a script: as much as SNS takes by default.
pub const SCRIPT_TEXT: usize = 256 * 1024;

/// Elements of an array of a script, those of arrays in it included: 16 KB, which are copied in some 10 µs.
pub const SCRIPT_ARRAY: usize = 1_000;

/// Entries of a map of a script, those of maps in it included. They are copied in as long a time as the array.
pub const SCRIPT_MAP: usize = 250;

/// Variables that a function has at one time. The engine looks for a name through all of them.
pub const SCRIPT_VARIABLES: usize = 32;

/// Functions of a script.
pub const SCRIPT_FUNCTIONS: usize = 100;

/// Bytes of a script. It is compiled on the worker's thread, before anything else runs.
pub const LONGEST_SCRIPT: usize = 256 * 1024;

/// Maps and arrays within each other in metadata that a script gives: subscribers read them as JSON, many of them by
/// recursion.
pub const DEEPEST_METADATA: usize = 16;

/// Characters of a name that a script gives, where an error shows it.
pub const LONGEST_SHOWN_NAME: usize = 64;

/// Lines of the log that wait to be written, some megabytes: what a reader that stands still for a moment leaves.
pub const MOST_LOG_LINES: usize = 10_000;

/// Bytes of a payload. SNS takes 1 MiB at most; escapes and what only plugins read make the event longer than its
/// message.
pub const LONGEST_PAYLOAD: usize = 8 << 20;

/// Values of one JSON payload, those within others among them: many times more than any event has. One can take a
/// hundred times the memory of its text.
pub const MOST_JSON_VALUES: usize = 100_000;

/// Bytes of a stanza. XMPP servers allow their clients a quarter of that.
pub const LONGEST_STANZA: usize = 1 << 20;
