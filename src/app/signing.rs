//! Reads the signing key that the configuration names, once.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::config::{Draft, Key};
use crate::limits::LONGEST_SIGNING_KEY;
use crate::signature::SigningKey;

/// Adds the key to the configuration, if it names one. A file that can't be read, or has no key, is a problem of it.
pub(super) fn add_key(draft: &mut Draft) {
    let Some(path) = draft.config().amqp.signing_key_file.clone() else { return };
    match read(&path) {
        Ok(key) => draft.config_mut().amqp.signing_key = Some(key),
        Err(wrong) => {
            let remedy = "create a key with `openssl rand -out FILE 64`, and use the same key for all workers and all replays";
            draft.problem(&Key::from("amqp.signing_key_file"), wrong, remedy);
        }
    }
}

/// No more of it than a key may have, and one byte to show that there is more.
fn read(path: &Path) -> Result<SigningKey, String> {
    let mut key = Vec::new();
    let longest = LONGEST_SIGNING_KEY as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(longest).read_to_end(&mut key));
    read.map_err(|error| format!("can't be read: {error}"))?;
    SigningKey::new(&key)
}
