//! The same cases for every implementation of a port: what is tried in memory holds for
//! the real thing.

mod limits;
mod publish;
mod queue;
mod source;

use event_pusher_sns::config::{Config, Inputs};
use event_pusher_sns::plugin::Plugins;

use crate::support::Stand;

/// The stand's, as the library reads it.
pub fn configuration(stand: &Stand) -> Config {
    let files = vec![("stand.toml".to_owned(), stand.configuration())];
    let inputs = Inputs { files, ..Inputs::default() };
    Config::load(&inputs, &Plugins::default().names().collect::<Vec<_>>()).unwrap()
}
