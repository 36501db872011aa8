//! Reads the signing key that the configuration names, once.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::config::{Config, Key, Problems};
use crate::limits::LONGEST_SIGNING_KEY;
use crate::signature::SigningKey;

/// The configuration with its key, if it names one.
///
/// # Errors
///
/// The file can't be read, or has no key.
pub(super) fn with_key(mut config: Config) -> Result<Config, Problems> {
    let Some(path) = config.amqp.signing_key_file.clone() else { return Ok(config) };
    match read(&path) {
        Ok(key) => config.amqp.signing_key = Some(key),
        Err(wrong) => {
            let remedy = "create a key with `openssl rand -out FILE 64`, and use the same key for all workers and all replays";
            let problem = config.problem(&Key::from("amqp.signing_key_file"), wrong, remedy);
            return Err(Problems::from(problem));
        }
    }
    Ok(config)
}

/// No more of it than a key may have, and one byte to show that there is more.
fn read(path: &Path) -> Result<SigningKey, String> {
    let mut key = Vec::new();
    let longest = LONGEST_SIGNING_KEY as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(longest).read_to_end(&mut key));
    read.map_err(|error| format!("can't be read: {error}"))?;
    SigningKey::new(&key)
}
