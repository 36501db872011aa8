//! What the worker promises, tried on the running binary between a real RabbitMQ and an SNS
//! emulator that is not ours. `make test` starts both; see `support` for how to start
//! them by hand.

#![allow(unreachable_pub, reason = "the harness is a module of each test binary, not a library")]
#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

mod admin;
mod ancestor;
mod bad_input;
mod broker;
mod chaos;
mod check;
mod consumer;
mod dead_letter_faults;
mod dead_letters;
#[path = "../fake_sns/mod.rs"]
mod fake_sns;
mod faults;
mod formats;
mod holds;
mod kills;
mod memory;
mod operator;
mod order;
mod panics;
mod ports;
mod program;
mod refusals;
mod sessions;
mod shutdown;
mod support;
mod tls;
mod topology;
