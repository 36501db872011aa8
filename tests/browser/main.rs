//! The operator's page in a real browser, on the running worker between a real RabbitMQ and the fake SNS.
//!
//! It is a test of its own since the driver's library adds to what `String + &String` may mean, wherever it
//! is linked.

#![allow(unreachable_pub, reason = "the harness is a module of each test binary, not a library")]
#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

mod chromium;
#[path = "../fake_sns/mod.rs"]
mod fake_sns;
mod night;
#[path = "../promises/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "this test uses a part of it")]
mod support;
