//! The way of a delivery, and the port that it comes by.

pub mod memory;
pub mod ports;
pub mod relay;
pub mod settle;
pub mod worker;
