//! The gateway and its admin listener over real sockets.

mod access_log;
mod admin;
mod backend_failures;
mod backend_states;
mod backend_tls;
mod backends;
mod connections;
mod dead_collector;
mod drain;
mod events;
mod front;
mod handed;
mod harness;
mod ice_servers;
mod idempotency;
mod json_bombs;
mod keys;
mod limits;
mod log;
mod offer;
mod passthrough;
mod refusals;
mod sdp;
mod series;
mod traces;
mod whip;
