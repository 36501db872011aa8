//! Reads the operators' tokens that the configuration names files for, once.

use std::fs::File;
use std::io::Read;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Draft, Key};

/// Behind the name of an operator whose token is in a file.
const FILE: &str = "_file";

/// Bytes of a token's file. A larger one is the wrong file.
const LONGEST: u64 = 4096;

/// Puts tokens in the place of their files. A file that can't be read is a problem of the configuration, and so is one token of two
/// operators, who could not be told apart.
pub(super) fn add_tokens(draft: &mut Draft) {
    let given = draft.config().admin.tokens.clone();
    for (key, path) in &given {
        let Some(name) = key.strip_suffix(FILE) else { continue };
        let at = Key::from(["admin", "tokens", key]);
        // The file's name is no token.
        draft.config_mut().admin.tokens.remove(key);
        if given.contains_key(name) {
            let wrong = format!("stands beside admin.tokens.{name}");
            draft.problem(&at, wrong, "keep one of them");
            continue;
        }
        match read(path.expose_secret()) {
            Ok(token) => _ = draft.config_mut().admin.tokens.insert(name.to_owned(), token),
            Err(wrong) => draft.problem(&at, wrong, "give the file of the operator's token"),
        }
    }
    for name in draft.config().admin.operators_with_anothers_token() {
        let wrong = "is the token of another operator, too".to_owned();
        draft.problem(
            &Key::from(["admin", "tokens", &name]),
            wrong,
            "give each operator one of their own",
        );
    }
}

fn read(path: &str) -> Result<SecretString, String> {
    let mut token = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut token));
    read.map_err(|error| format!("can't be read: {error}"))?;
    Ok(token.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    const TOPIC: &str = "[sns]\nregion = \"eu-west-1\"\naccount_id = \"123456789012\"\npm_messages_topic = \"pm\"\n";
    const LONG: &str = "a-token-that-is-long-enough";

    fn draft(admin: &str) -> Draft {
        let inputs = Inputs {
            files: vec![("t.toml".to_owned(), format!("{TOPIC}{admin}"))],
            environment: Vec::new(),
        };
        let mut draft =
            Draft::read(&inputs, Vec::new(), &["mod_event_pusher_sns_defaults"]).unwrap();
        add_tokens(&mut draft);
        draft
    }

    fn problem_of(admin: &str) -> String {
        draft(admin).problems().expect("a problem").to_string()
    }

    #[test]
    fn a_file_that_cannot_be_read_is_one_problem_and_its_name_is_no_token() {
        let admin = "[admin.tokens]\nann_file = \"/nowhere/a-path-that-is-long-enough\"\n";
        let problems = problem_of(admin);
        assert!(
            problems.starts_with("1 problem") && problems.contains("can't be read"),
            "{problems}"
        );
        assert_eq!(draft(admin).config().admin.usable_tokens().count(), 0);
    }

    #[test]
    fn two_operators_with_one_token_are_a_problem_that_shows_no_token() {
        for admin in [
            format!("[admin]\ntoken = \"{LONG}\"\n[admin.tokens]\nann = \"{LONG}\"\n"),
            format!("[admin.tokens]\nann = \"{LONG}\"\nbob = \"{LONG}\"\n"),
        ] {
            let problems = problem_of(&admin);
            assert!(problems.contains("token of another operator"), "{problems}");
            assert!(!problems.contains(LONG), "{problems}");
        }
        let two = format!("[admin.tokens]\nann = \"{LONG}\"\nbob = \"{LONG}er\"\n");
        assert!(draft(&two).is_valid());
    }
}
