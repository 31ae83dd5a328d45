//! turnpike: a TURN relay and a signaling gateway in one binary, in front of a WebRTC inference backend.
//!
//! # Rooms
//!
//! One folder under `src/` is one room with one job. An arrow means "may import"; `tests/layering.rs` holds them.
//!
//! ```text
//!              main ── cli ─┬─ app ─┬─ config       text → the Settings of every room
//!                           │       ├─ gateway ──┐
//!                           │       └─ relay ────┤
//!                           │                    └→ telemetry
//!                           ├─ bench → sys, turn, wire
//!                           └─ probe → tls, wire
//!  relay → turn → wire      relay → sys, tls, media      gateway → media, sdp, tls
//! ```
//!
//! * a packet's bytes: [`wire`]; what a TURN request means: [`turn`]; a system call: [`sys`]; an offer's text: [`sdp`];
//! * what relayed packets tell of a session: [`media`];
//! * sockets, threads and batches: [`relay`]; an HTTP route: [`gateway`]; a certificate: [`tls`];
//! * a metric or a log field: [`telemetry`]; a setting: [`config`]; start and stop: [`app`]; a command: [`cli`];
//! * what is kept of a session: [`records`]; an inference backend, and the page that shows it: [`demo`];
//! * a load on a server, and what it measures: [`mod@bench`]; what a server's clients need, asked for once: [`mod@probe`];
//! * what will not go well with a configuration on a machine: [`doctor`].
//!
//! `docs/ARCHITECTURE.md` tells how a packet and an offer travel through them.

pub mod app;
pub mod bench;
pub mod cli;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod gateway;
mod https_client;
pub mod media;
mod pages;
pub mod probe;
pub mod records;
pub mod relay;
pub mod sdp;
pub mod secret;
pub mod sys;
pub mod telemetry;
pub mod tls;
pub mod turn;
pub mod wire;
