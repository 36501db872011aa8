//! The path of a delivery, from its port to its settlement.

pub mod memory;
pub mod ports;
pub mod relay;
pub mod settle;
pub mod worker;
