//! Everything that starts a server: one binary, real sockets, free ports, no waiting by the clock.

#![allow(clippy::unwrap_used, reason = "tests")]

mod alternates;
mod anonymous;
mod auth_hook;
mod bench;
mod bursts;
mod certificates;
mod claims;
mod cli;
mod counters;
mod crossings;
mod gate;
mod limits;
mod media;
mod mobility;
mod nat_discovery;
mod peer_policy;
mod relay;
mod sessions;
mod shared_port;
mod stream_client;
mod streams;
mod support;
mod tcp_peers;
mod tls_streams;
mod turn_client_proto;
mod webrtc_rs;
