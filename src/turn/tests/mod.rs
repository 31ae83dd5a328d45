//! The server on virtual time: every test sends bytes, moves the clock by hand and compares outputs.

mod harness;

mod access_tokens;
mod allocations;
mod alternates;
mod anonymous;
mod answer;
mod authentication;
mod channels;
mod claims;
mod data;
mod families;
mod hook;
mod limits;
mod mobility;
mod nat_discovery;
mod password_algorithms;
mod permissions;
mod random_walk;
mod reservations;
mod session_ends;
mod tcp_peers;

pub(super) use access_tokens::{MAC_KEY, TOKEN_KEY, seal, seal_text};
pub(super) use harness::start;
