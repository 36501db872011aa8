//! The whole of a worker with a plugin of its own; `plugin_module = "no_robots"` selects it.

use event_pusher_sns::event::Event;
use event_pusher_sns::plugin::{Plugin, PluginError, Plugins};

struct NoRobots;
impl Plugin for NoRobots {
    fn keep(&self, event: &Event<'_>) -> Result<bool, PluginError> {
        Ok(event.sender().node().is_none_or(|name| !name.as_str().starts_with("bot-")))
    }
}
fn main() -> std::process::ExitCode {
    event_pusher_sns::app::main(&Plugins::default().register("no_robots", NoRobots))
}
