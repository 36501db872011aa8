#![no_main]

use event_pusher_sns_fuzz::{Format, decode};

libfuzzer_sys::fuzz_target!(|input: &[u8]| decode(Format::MongooseimChat, input));
