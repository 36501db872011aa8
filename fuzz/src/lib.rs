//! What is pure of event-pusher-sns, and what must be true of it whatever comes in.

mod harness;

/// The reader between socket and lapin, without either.
#[path = "../../src/rabbitmq/connection/wire"]
#[allow(dead_code, unused_imports, reason = "not all of it is called here")]
mod wire {
    pub mod frames;
}

/// The library keeps it to itself.
#[path = "../../src/publish/classify.rs"]
#[allow(dead_code, reason = "not all of it is called here")]
mod classify;

/// What the admin's HTTP requests say.
#[path = "../../src/admin/page/parse.rs"]
mod parse;

/// Headers of dead letters, as they are kept and as they are read.
#[path = "../../src/dead_letters"]
#[allow(dead_code, reason = "not all of it is called here")]
mod dead_letters {
    pub mod provenance;
    pub mod letter {
        mod header_parser;
        pub mod parsed_headers;
    }
}
#[path = "../../src/rabbitmq"]
#[allow(dead_code, reason = "not all of it is called here")]
mod rabbitmq {
    pub mod message;
}

pub use event_pusher_core::event::Format;
use event_pusher_core::{arn, event, headers, limits, outcome, plugin, replay, signature, text, untrusted};
pub use harness::{admin, classify, dead_letter, decode, frames as read_frames, script};
use wire::frames;
