//! The pure rooms of turnpike, compiled alone: what they import from elsewhere fails to build here.

#![allow(
    clippy::all,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the crate itself is linted; this is its copy"
)]

#[path = "../../src/media/mod.rs"]
pub mod media;
#[path = "../../src/sdp/mod.rs"]
pub mod sdp;
#[path = "../../src/secret.rs"]
pub mod secret;
#[path = "../../src/turn/mod.rs"]
pub mod turn;
#[path = "../../src/wire/mod.rs"]
pub mod wire;
