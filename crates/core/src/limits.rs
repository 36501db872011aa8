//! Limits on untrusted input: bytes, depth, count and time, each with its reason.

// --- frames from the broker ---

/// Depth of nested tables and lists in a message's headers. lapin reads them by recursion, on the stack of
/// its own thread, which has room for hundreds; no real event has more.
pub const DEEPEST_HEADER: usize = 32;

/// Bytes of a frame that is buffered until it is complete. RabbitMQ's own limit is `frame_max`, 128 KiB by default,
/// and it sends no header that it has not received in a frame.
pub const LARGEST_FRAME: usize = 1 << 20;

/// Bytes of a short string, such as a routing key or the name of a queue, by AMQP 0-9-1.
pub const LONGEST_SHORT: usize = 255;

/// Invalid header names in one frame that are mended. Each is made different from all others, which takes
/// up to 126 attempts; a table with more of them is not read.
pub const MOST_MENDED_NAMES: usize = 64;

/// Entries of an event's headers, including those of nested tables and lists. Real events have at most some
/// dozen; ten thousand empty ones fit into a frame, and would cost more than a hundred other events.
pub const MOST_HEADERS_OF_EVENTS: usize = 1000;

/// Additional entries for the headers that workers and RabbitMQ add to an event that was parked, replayed or delivered
/// before. Observed: 30.
pub const MOST_HEADERS_ADDED: usize = 100;

/// Entries of a dead letter's headers, which include all headers of the event and those that workers and RabbitMQ
/// add.
pub const MOST_HEADERS: usize = 4000;

/// Original bytes of mended deliveries that are kept until the consumer receives them, for one connection. Without a
/// limit, a prefetch of large invalid headers would be in memory twice.
pub const MOST_NOTED_BYTES: usize = 8 << 20;

// --- what others say ---

/// Bytes that are shown of a text of SNS, the broker, a resolver or a proxy. Longer than
/// any of SNS's own error messages, and short enough for a line of the log.
pub const LONGEST_SAID: usize = 300;

/// Bytes of SNS's error message that are read. In the longest text that SNS quotes, the canonical string of a
/// signature, the event's part comes later.
pub const EXPLANATION_READ: usize = 1024;

/// Bytes of an error's code. SNS's longest has 37.
pub const LONGEST_CODE: usize = 64;

/// Bytes of SNS's id for a message, a UUID of 36.
pub const LONGEST_MESSAGE_ID: usize = 64;

/// Bytes of an answer of SNS. The longest one, for a batch of ten, has some 3 KB.
pub const LONGEST_ANSWER: usize = 256 * 1024;

/// Entries in an answer to a batch. A request has ten.
pub const ANSWER_ENTRIES: usize = 100;

// --- open files ---

/// Open files of an idle worker: standard streams, two runtimes, signals, `admin.listen`, and temporary ones for
/// resolving names and reading keys. Observed: 14.
pub const OWN_FILES: u64 = 24;

/// Open files of a connection to RabbitMQ: its socket, and a second handle of it.
pub const FILES_OF_A_CONNECTION: u64 = 2;

/// Connections to RabbitMQ besides those of the sources: dead letters, the fleet's view, operators' commands, a browser of the
/// page, one that sends a command of the page, and one that is being closed.
pub const OTHER_CONNECTIONS: u64 = 6;

/// Partitions of a source. Each is a quorum queue of the broker, and a channel of every worker, of which RabbitMQ allows 2,047 on a
/// connection.
pub const MOST_PARTITIONS: u16 = 256;

/// Connections that a source may have at once: a session, and its replacement.
pub const CONNECTIONS_OF_A_SOURCE: u64 = 2;

/// Open files of a request to SNS: its connection, and another one that was begun before a connection became free.
pub const FILES_OF_A_REQUEST: u64 = 2;

/// Connections to `admin.listen` at once, if there are enough open files.
pub const MOST_ADMIN_CONNECTIONS: u64 = 128;

/// Connections to `admin.listen` at once with too few open files: a probe, a monitor, and two slow clients.
pub const FEWEST_ADMIN_CONNECTIONS: u64 = 4;

// --- admin: clients of the page, and probes ---

/// Least characters of `admin.token`. A shorter token could be guessed, and is not accepted for login.
pub const SHORTEST_TOKEN: usize = 24;

/// Connections at once whose request head has not arrived. The head arrives with the first packets, unless the client
/// delays it; beyond the limit, the client with the most connections loses its oldest one.
pub const ARRIVING_CONNECTIONS: usize = 48;

/// Connections at once for `/livez`, `/readyz` or `/metrics`: a kubelet and a few scrapers.
pub const PROBES: usize = 16;

/// Connections at once of clients without a login: sixteen open pages, and their other requests.
pub const ANONYMOUS_CONNECTIONS: usize = 48;

/// Connections at once of clients with a login.
pub const TRUSTED_CONNECTIONS: usize = 16;

/// Pages at once that get a stream without a login; further pages poll.
pub const ANONYMOUS_STREAMS: usize = 16;

/// Pages at once that get a stream with a login.
pub const TRUSTED_STREAMS: usize = 8;

/// Parameters of a query. The page's form has eleven fields, or the ids of the letters that are chosen among the 200 that it
/// lists; a script may repeat some of them.
pub const QUERY_PAIRS: usize = 256;

/// Wrong tokens from one network (/24, or /64 of IPv6) within a minute, after which all tokens from it are refused.
pub const WRONG_TOKENS: u32 = 5;

/// Networks whose wrong tokens are counted one by one.
pub const WRONG_TOKEN_NETWORKS: usize = 1024;

/// Wrong tokens within a minute from all networks beyond those, together.
pub const WRONG_TOKENS_ELSEWHERE: u32 = 50;

// --- dead letters: looking, and who has written them ---

/// Least delivery limit of a queue that may be browsed: each browse is a delivery, and above the limit
/// RabbitMQ drops the letters. A million browses are never reached; RabbitMQ 4 has 20 by default.
pub const LEAST_DELIVERY_LIMIT: i64 = 1_000_000;

/// Further deliveries that a dead-letter queue must allow. A browser measures this before it requeues its letters, and uses
/// one; the others are for browsers that were killed before they had measured. The second browse detects a limit of 20,
/// RabbitMQ 4's default.
pub const LOOKS_AHEAD: u64 = 20;

/// Requeues of the letters up to which each browse measures.
pub const MEASURED_EACH_TIME: u64 = 32;

/// Requeues of the letters after which a queue whose limit can't be measured is not browsed any more: half of
/// RabbitMQ 4's default of 20, to leave some for earlier versions of this program.
pub const MOST_UNMEASURED_RETURNS: u64 = 10;

/// Highest limit that is measured: this takes as many answers of the broker, some 2 ms each.
pub const MOST_MEASURED_RETURNS: u64 = 1000;

/// Arguments of another program's queue that are determined one by one; RabbitMQ 4 has 22.
pub const MOST_ARGUMENTS: usize = 32;

/// Bytes of the product, and of the version, that a broker says it is; "RabbitMQ" has 8.
pub const LONGEST_SERVER: usize = 64;

/// Least bytes of a signing key: the length of a SHA-256 hash; shorter keys are easier to guess.
pub const SHORTEST_SIGNING_KEY: usize = 32;

/// Most bytes of a signing key. A larger file is the wrong file.
pub const LONGEST_SIGNING_KEY: usize = 4096;

/// Bytes of the header with the replay and the number of an event in it: sixteen digits, two dots and two numbers.
pub const LONGEST_REPLAY_ID: usize = 32;

/// Reports of a worker to replays in a second. A canary has few events, and what lies beyond can be a producer's, who has
/// written ids of no replay.
pub const MOST_REPORTS: u32 = 100;

/// Bytes of a circuit's name in a report: an ARN and more.
pub const LONGEST_CIRCUIT: usize = 512;

// --- the fleet: what workers say of themselves ---

/// Characters of a fleet's name: a queue's name is this, `.fleet.` and sixteen digits.
pub const LONGEST_FLEET: usize = 100;

/// Bytes of what a worker says of itself. With the default configuration it has 2.4 KB.
pub const LONGEST_FLEET_REPORT: usize = 64 * 1024;

/// Workers of a fleet that are shown, this one included.
pub const MOST_WORKERS: usize = 200;

/// Workers that are gone whose last report is remembered, so that no older one is believed.
pub const MOST_GONE_WORKERS: usize = 1000;

/// Commands of operators that are heard at once. One replay of a dead-letter queue runs at a time.
pub const MOST_OPERATORS: usize = 20;

/// Bytes of a name or an error in what another worker says, and of a state.
pub const LONGEST_OF_FLEET: usize = 300;

/// Sources of a worker that are said and shown.
pub const MOST_FLEET_SOURCES: usize = 100;

/// Holds of a worker that are said and shown.
pub const MOST_FLEET_HOLDS: usize = 50;

/// Keys, or else groups of keys, by which configurations are compared.
pub const MOST_COMPARED: usize = 250;

/// Seconds by which the clock of a worker may differ where reports are signed: what is older may be a copy. SNS refuses
/// requests of a worker whose clock is as far off.
pub const LARGEST_CLOCK_DIFFERENCE: i64 = 15 * 60;

// --- pauses of a fleet ---

/// Bytes of a command to a fleet. The longest one that is written has some 1,800, escapes included.
pub const LONGEST_COMMAND: usize = 4096;

/// Characters of a command's id: sixteen hexadecimal digits are written.
pub const LONGEST_COMMAND_ID: usize = 32;

/// Bytes of the name of who gave a command: a user and a host, or the name of a token.
pub const LONGEST_OPERATOR: usize = 100;

/// Bytes of the reason for a pause.
pub const LONGEST_REASON: usize = 200;

/// Bytes of the name of what is paused: SNS's longest ARN has some 310.
pub const LONGEST_PAUSED_NAME: usize = 400;

/// Pauses at once. More sources and topics are paused by pausing everything.
pub const MOST_PAUSES: usize = 100;

/// The longest pause. The stream of commands keeps a command for a day longer ([`KEEP_COMMANDS`]), so that no pause is
/// forgotten before its end.
pub const LONGEST_PAUSE_OF_A_FLEET: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// How long RabbitMQ keeps a command, as the argument `x-max-age` says it.
pub const KEEP_COMMANDS: &str = "8D";

/// Bytes of commands that RabbitMQ keeps: a command every twenty seconds for a week.
pub const KEEP_COMMAND_BYTES: i64 = 20_000_000;

/// Ids of commands that are remembered, so that one that is sent again has no effect.
pub const MOST_COMMANDS_REMEMBERED: usize = 1000;

/// How far the clock of who pauses something may be from a worker's without a word: pauses end by the worker's clock.
pub const CLOCKS_DIFFER: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

// --- bytes in flight, and dead letters in a second ---

/// Bytes that each delivery counts besides its body: the worker's state of an event, and headers up to
/// [`LARGE_HEADERS`].
pub const DELIVERY_OVERHEAD: u64 = 1024;

/// Bytes of a header frame above which it is counted separately.
pub const LARGE_HEADERS: u64 = 512;

/// Factor for each byte of large headers: the smallest field has five bytes on the wire, and some eighty in memory, as an
/// entry of a table and in the texts for the formats.
pub const HEADER_WEIGHT: u64 = 16;

/// Least value of `amqp.max_in_flight_bytes`: enough for the largest event that SNS accepts.
pub const LEAST_IN_FLIGHT_BYTES: i64 = 1024 * 1024;

/// How long reading may pause before the session ends. RabbitMQ closes a connection to which it could not send
/// for 15 s (`send_timeout`).
pub const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// Bytes of dead letters and parked events that are being published at once: lapin copies each into frames.
pub const PUBLISHING_BYTES: usize = 16 * 1024 * 1024;

/// Size of a burst of dead letters of one source and reason that is written at once, in seconds of the allowed rate, so that
/// a short incident causes no delay.
pub const DEAD_LETTER_BURST_SECONDS: u32 = 10;

/// RabbitMQ's own consumer timeout. A consumer that says how long it may hold a delivery never asks for less.
pub const DEFAULT_CONSUMER_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(30);

/// What a consumer asks for beyond `outage.hand_back_after_s`: finishing the requests in progress, and a replay's round, which may take
/// a quarter longer.
pub const CONSUMER_TIMEOUT_MARGIN: std::time::Duration = std::time::Duration::from_mins(10);

/// Seconds that a delivery may wait to be dead-lettered if the whole prefetch is invalid: well below RabbitMQ's
/// acknowledgement timeout of 1800. With the default rate, the largest prefetch takes 655.
pub const LONGEST_LETTER_WAIT: f64 = 1200.0;

// --- scripts: one call of a function, by docs/performance.md at most 2.5 ms ---

/// Operations of a script, each of which takes some 50 to 130 ns.
pub const SCRIPT_OPERATIONS: u64 = 10_000;

/// Units of weight of a script's operations and functions: a unit is some 50 ns at most. Reading 128 bytes of a text is
/// one unit, and so is reading 8 bytes letter by letter, writing 2 bytes, or copying 4 elements.
pub const SCRIPT_WEIGHT: u64 = 40_000;

/// Bytes of a text literal in a script. Each operation is charged for the longest literal, since the engine does not show
/// which operations use it.
pub const SCRIPT_LITERAL: usize = 8 * 1024;

/// Depth of nested calls of a script's functions. The engine calls them by recursion, in a debug build on a test's stack
/// of 2 MiB.
pub const SCRIPT_CALLS: usize = 8;

/// Depth of nested expressions and blocks of a script, which the engine reads and runs by recursion, in each of the
/// nested calls.
pub const SCRIPT_NESTING: usize = 32;

/// Bytes of a text, or of all texts in an array or map, of a script: SNS's default limit of a message.
pub const SCRIPT_TEXT: usize = 256 * 1024;

/// Elements of an array of a script, including nested arrays: 16 KB, copied in some 10 µs.
pub const SCRIPT_ARRAY: usize = 1_000;

/// Entries of a map of a script, including nested maps. Copying them takes as long as copying the array.
pub const SCRIPT_MAP: usize = 250;

/// Variables that a function has at one time. The engine searches all of them for a name.
pub const SCRIPT_VARIABLES: usize = 32;

/// Functions of a script.
pub const SCRIPT_FUNCTIONS: usize = 100;

/// Bytes of a script. It is compiled on the worker's thread, before anything else runs.
pub const LONGEST_SCRIPT: usize = 256 * 1024;

/// Depth of nested maps and arrays in the metadata that a script returns: subscribers read these as JSON, many of them by
/// recursion.
pub const DEEPEST_METADATA: usize = 16;

/// Characters of a name from a script that an error shows.
pub const LONGEST_SHOWN_NAME: usize = 64;

/// Lines of the log that wait to be written, some megabytes: enough for a reader that is blocked for a moment.
pub const MOST_LOG_LINES: usize = 10_000;

/// Warnings and errors of the log that the page shows. A hold of all topics writes one a minute.
pub const RECENT_LOG_LINES: usize = 100;

/// Bytes of each of these.
pub const LONGEST_RECENT_LOG_LINE: usize = 800;

/// Bytes of a payload. SNS accepts at most 1 MiB; escapes and metadata for plugins make an event longer than its
/// message.
pub const LONGEST_PAYLOAD: usize = 8 << 20;

/// Values of one JSON payload, including nested ones: many times more than any event has. A value can take a
/// hundred times the memory of its text.
pub const MOST_JSON_VALUES: usize = 100_000;

/// Bytes of a stanza. XMPP servers allow their clients a quarter of that.
pub const LONGEST_STANZA: usize = 1 << 20;

/// Bytes of a configuration file: many more than ten thousand sources take, and few beside the memory of a worker.
pub const LONGEST_CONFIGURATION: u64 = 16 << 20;

/// Bytes of a PEM file: ten times as many as the authorities of all public certificates take.
pub const LONGEST_PEM: u64 = 4 << 20;
