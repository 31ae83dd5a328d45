//! WHIP (RFC 9725): offers as plain SDP, so that OBS, GStreamer and other WHIP clients work unchanged.
//!
//! In: `POST /whip` with an SDP, and `DELETE` of what it made. Out: the same offers in the backend's JSON, and its answers
//! as SDP again. Candidates cannot follow and ICE cannot restart, since the backend's API has one offer and one answer.

mod offer;
mod routes;
mod settings;

pub(in crate::gateway) use offer::APPLICATION_SDP;
pub(in crate::gateway) use routes::{ACCEPT_POST, PATH, SESSION, Whip, routes};
pub use settings::WhipSettings;
