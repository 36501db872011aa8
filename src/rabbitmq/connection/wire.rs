//! The stream between socket and lapin, which mends frames that lapin could not read.
//!
//! lapin refuses a frame in which a short string is not UTF-8, and with it the connection; and it recurses
//! as deep as headers are nested, until its thread's stack overflows. RabbitMQ delivers both. So frames
//! are looked at as they pass, and mended in their place; [`frames`] does so and knows nothing of sockets.

mod filtered_stream;
pub(in crate::rabbitmq) mod frames;
mod reactor;

pub(in crate::rabbitmq) use filtered_stream::FilteredStream;
pub(crate) use frames::Server;
pub(in crate::rabbitmq) use frames::{Note, Notes, Part};
pub(in crate::rabbitmq) use reactor::runtime;
