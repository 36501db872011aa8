//! What the worker promises, tried on the running binary between a real RabbitMQ and an SNS
//! emulator that is not ours. `make test` starts both; see `support` for how to start
//! them by hand.

#![allow(unreachable_pub, reason = "the harness is a module of each test binary, not a library")]
#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

mod admin;
mod alarms;
mod bad_input;
mod broker;
mod chaos;
mod check;
mod consumer;
mod consumer_timeout;
mod credentials;
mod dead_letter_faults;
mod dead_letters;
mod deaths;
mod descriptors;
#[path = "../fake_sns/mod.rs"]
mod fake_sns;
mod faults;
mod feed;
mod fleet;
mod formats;
mod holds;
mod identity;
mod imported;
mod in_flight_bytes;
mod kills;
mod looks_spend;
mod memory;
mod mod_event_pusher_sns;
mod mongooseim;
mod one_go;
mod operator;
mod order;
mod output;
mod own_queues;
mod page;
mod partitions;
mod pausing;
mod permissions;
mod plugins;
mod poison;
mod ports;
mod program;
#[path = "../promtool/mod.rs"]
mod promtool;
mod read_only;
mod secrets;
mod sessions;
mod shutdown;
mod standby;
mod streams;
mod support;
mod tls;
mod told;
mod topics;
mod topology;
mod traces;
mod trust;
mod try_it;
mod xmpp_server;
