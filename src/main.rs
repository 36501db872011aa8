//! The program; all of it is in the library, so that a binary with plugins of its own is as short.

use std::process::ExitCode;

use event_pusher_sns::app;
use event_pusher_sns::plugin::Plugins;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    app::main(&Plugins::default())
}
