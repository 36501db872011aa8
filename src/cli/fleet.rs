//! `fleet`: what concerns all workers of a fleet.

mod paused;
mod pausing;
mod status;
mod table;
mod target;

pub(crate) use self::pausing::run as pausing;
pub(crate) use self::status::run as status;
