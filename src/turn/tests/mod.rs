//! The server on virtual time: every test sends bytes, moves the clock by hand and compares outputs.

mod harness;

mod allocations;
mod authentication;
mod channels;
mod data;
mod families;
mod permissions;
mod random_walk;
mod reservations;

pub(super) use harness::start;
