//! The least permissions of each command's user on `RabbitMQ`: `commands.rs` tries them, and the documents show them.

/// What a command needs, and no more. E is a source's exchange, Q its queue and H its queue for parked events, DX and
/// DQ the exchange and queue for dead letters, F the exchange and the queues of the fleet, LOOK the queue by which browsers take turns, D `amq.default`.
pub struct Least {
    pub command: &'static str,
    pub configure: &'static str,
    pub write: &'static str,
    pub read: &'static str,
}

/// With `amqp.declare = true`, and nothing there yet.
pub const RUN: Least = Least {
    command: "`run`, `check`, `declare = true`",
    configure: "E Q H DX DQ",
    write: "Q DX DQ D",
    read: "E Q H DX",
};

/// With `amqp.declare = false`, and all there.
pub const RUN_AS_IT_IS: Least = Least {
    command: "`run`, `check`, `declare = false`",
    configure: "H",
    write: "DX D",
    read: "Q",
};

/// Beside those of `run`, for `fleet.view`; a worker without them runs without.
#[allow(dead_code, reason = "for the documents; tests/promises/fleet.rs tries it")]
pub const VIEW: Least = Least {
    command: "the view of the fleet, besides; `fleet status`",
    configure: "F",
    write: "F",
    read: "F",
};

/// Besides, where operators pause; FC is `NAME.fleet.control`.
pub const PAUSED: Least = Least {
    command: "`run` that can be paused, `fleet`, `declare = true`: besides",
    configure: "FC",
    write: "FC",
    read: "FC",
};

pub const PAUSED_AS_IT_IS: Least = Least {
    command: "`fleet`, `declare = false`: besides; `run` that can be paused: read",
    configure: "",
    write: "FC",
    read: "FC",
};

pub const BROWSE: Least = Least {
    command: "`dead-letters list`, `show`, `export`, `discard`",
    configure: "DQ",
    write: "",
    read: "DQ",
};

pub const REPLAY: Least =
    Least { command: "`dead-letters replay`", configure: "DQ", write: "D", read: "DQ" };

pub const CANARY: Least = Least {
    command: "`dead-letters replay --canary`",
    configure: "DQ LOOK",
    write: "D",
    read: "DQ LOOK",
};

pub const IMPORT: Least =
    Least { command: "`dead-letters import`", configure: "DQ", write: "DX", read: "DQ" };

pub const FEED: Least = Least {
    command: "`feed`, `declare = true`",
    configure: "E Q H DX DQ",
    write: "E Q DX DQ D",
    read: "E Q H DX",
};

pub const FEED_AS_IT_IS: Least =
    Least { command: "`feed`, `declare = false`", configure: "", write: "E", read: "" };

#[allow(dead_code, reason = "for the documents")]
pub const ALL: [&Least; 11] = [
    &RUN,
    &RUN_AS_IT_IS,
    &VIEW,
    &PAUSED,
    &PAUSED_AS_IT_IS,
    &BROWSE,
    &REPLAY,
    &CANARY,
    &IMPORT,
    &FEED,
    &FEED_AS_IT_IS,
];
