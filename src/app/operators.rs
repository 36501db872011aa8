//! Reads the operators' tokens that the configuration names files for, once.

use std::fs::File;
use std::io::Read;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Draft, Key};

/// Behind the name of an operator whose token is in a file.
const FILE: &str = "_file";

/// Bytes of a token's file. A larger one is the wrong file.
const LONGEST: u64 = 4096;

/// Puts tokens in the place of their files. A file that can't be read is a problem of the configuration.
pub(super) fn add_tokens(draft: &mut Draft) {
    let tokens = draft.config().admin.tokens.clone();
    for (key, path) in &tokens {
        let Some(name) = key.strip_suffix(FILE) else { continue };
        let at = Key::from(["admin", "tokens", key]);
        match read(path.expose_secret()) {
            _ if tokens.contains_key(name) => {
                let wrong = format!("stands beside admin.tokens.{name}");
                draft.problem(&at, wrong, "keep one of them");
            }
            Ok(token) => {
                let tokens = &mut draft.config_mut().admin.tokens;
                tokens.remove(key);
                tokens.insert(name.to_owned(), token);
            }
            Err(wrong) => draft.problem(&at, wrong, "give the file of the operator's token"),
        }
    }
}

fn read(path: &str) -> Result<SecretString, String> {
    let mut token = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut token));
    read.map_err(|error| format!("can't be read: {error}"))?;
    Ok(token.trim().into())
}
