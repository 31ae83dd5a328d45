//! The gateway and its admin listener over real sockets.

mod admin;
mod backend_failures;
mod connections;
mod drain;
mod handed;
mod harness;
mod json_bombs;
mod keys;
mod limits;
mod log;
mod offer;
mod refusals;
mod sdp;
mod whip;
