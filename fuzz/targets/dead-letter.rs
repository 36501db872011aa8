#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| event_pusher_sns_fuzz::dead_letter(input));
