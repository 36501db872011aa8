//! The inputs below `tests/corpus`, each through what reads it: a decoder, the classifier of SNS's answers, the
//! reader of the broker's frames, of dead letters' headers, the compiler of scripts, or the admin's parsers. What must be true of every input
//! is. `make fuzz` begins with them and looks for more; what it finds is added there.

#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]
#![allow(clippy::missing_panics_doc, unreachable_pub, reason = "shared with the fuzz targets")]

use std::fs;
use std::path::Path;

use event_pusher_core::{
    arn, event, headers, limits, outcome, plugin, replay, signature, text, untrusted,
};
use proptest::prelude::*;

/// The library keeps it to itself.
#[path = "../src/publish/classify.rs"]
#[allow(dead_code, reason = "not all of it is called here")]
mod classify;
#[path = "../fuzz/src/harness.rs"]
mod harness;
#[path = "../src/rabbitmq/connection/wire"]
#[allow(dead_code, unused_imports, reason = "not all of it is called here")]
mod wire {
    pub mod frames;
}
#[path = "../src/admin/page/parse.rs"]
mod parse;
#[path = "../src/dead_letters"]
#[allow(dead_code, reason = "not all of it is called here")]
mod dead_letters {
    pub mod provenance;
    pub mod letter {
        mod header_parser;
        pub mod parsed_headers;
    }
}
#[path = "../src/rabbitmq"]
#[allow(dead_code, reason = "not all of it is called here")]
mod rabbitmq {
    pub mod message;
}

use event::Format;
use wire::frames;

/// The inputs kept for `name`, with their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    let kept: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect();
    assert!(!kept.is_empty(), "nothing is kept for {name}");
    kept
}

/// Each input also cut short at every place, since that is how transfers fail.
fn replay(name: &str, check: impl Fn(&[u8])) {
    for (file, input) in corpus(name) {
        println!("{name}/{file}");
        for end in 0..=input.len() {
            check(&input[..end]);
        }
    }
}

#[test]
fn what_is_kept_for_a_decoder_keeps_its_promises() {
    for (name, format) in Format::NAMED {
        replay(name, |input| harness::decode(format, input));
    }
}

#[test]
fn what_is_kept_for_a_decoder_keeps_them_with_every_other() {
    for (name, _) in Format::NAMED {
        for (_, input) in corpus(name) {
            for (_, format) in Format::NAMED {
                harness::decode(format, &input);
            }
        }
    }
}

#[test]
fn what_is_kept_of_snss_answers_is_judged_consistently() {
    replay("classify", harness::classify);
}

#[test]
fn what_is_kept_of_the_brokers_frames_is_read_alike_however_it_is_cut() {
    replay("frames", harness::frames);
}

#[test]
fn what_is_kept_of_scripts_stays_within_its_bounds() {
    replay("script", harness::script);
}

#[test]
fn what_is_kept_of_dead_letters_headers_is_read_and_shown_harmlessly() {
    replay("dead-letter", harness::dead_letter);
}

#[test]
fn what_is_kept_of_requests_to_the_admin_is_read_as_it_was_sent() {
    replay("admin", harness::admin);
}

/// `make fuzz` begins with what is kept, so that a target without it, or a format without a target, is a gap.
#[test]
fn every_decoder_has_a_fuzz_target_that_is_built_and_run() {
    let read =
        |file: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (manifest, script) = (read("fuzz/Cargo.toml"), read("scripts/fuzz"));
    let run = script.lines().find(|line| line.contains("TARGETS=(")).unwrap();
    for (name, format) in Format::NAMED {
        let target = read(&format!("fuzz/targets/{name}.rs"));
        assert!(target.contains(&format!("decode(Format::{format:?}, input)")), "{name}");
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
        assert!(run.split(['(', ' ', ')']).any(|it| it == name), "scripts/fuzz lacks {name}");
    }
}

proptest! {
    #[test]
    fn any_answer_of_sns_is_judged_consistently(
        status in 100..600_u16,
        code in "(|[A-Z][a-zA-Z]{0,12}|NotFound|KMSDisabled|InvalidParameter|ExpiredToken)",
        detail in "(TopicArn |Value '|' at '|\n|\\PC{0,9}){0,40}",
    ) {
        harness::classify(format!("{status}\n{code}\n{detail}").as_bytes());
    }

    #[test]
    fn any_request_to_the_admin_is_read_as_it_was_sent(
        query in "([a-z]{0,6}=?|%[0-9A-F]{2}|&|\\+|\\PC){0,80}",
        host in "(localhost|\\[::1\\]|[a-zA-Z.]{0,8}|:[0-9]{0,5}|\\PC){0,4}",
        origin in "(https?://|null|localhost|:|[0-9]{1,4}|\\PC){0,4}",
        authorization in "(bearer|Bearer|Basic| |[a-z]{0,30}|\\PC){0,4}",
        cookies in "(event_pusher_session|=|; ?|[0-9a-f]{64}|\\PC){0,6}",
    ) {
        harness::admin(format!("{query}\n{host}\n{origin}\n{authorization}\n{cookies}").as_bytes());
    }
}
