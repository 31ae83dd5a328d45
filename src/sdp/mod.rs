//! What a session description says about its transport: media sections, ICE, DTLS, candidates (RFC 8866, RFC 8839).
//!
//! In comes the text of an offer or an answer; out goes a [`Description`] that borrows from it, or the line and the
//! [`Flaw`] for which it is none. A codec is never looked at: the peers agree upon those. Errors name lines and never
//! repeat what stands in them, as that is addresses and passwords.

mod candidate;
mod description;
mod fingerprint;
mod flaw;
mod ice;
mod line;
mod relay_only;

#[cfg(test)]
mod tests;

pub use candidate::{Candidate, CandidateFlaw, CandidateKind, Host, TcpRole, Transport, candidates};
pub use description::{Bounds, Description, Media, Role, Security};
pub use fingerprint::{Fingerprint, Hash};
pub use flaw::{Flaw, Invalid};
pub use ice::{IceCredentials, ice_credentials};
pub use line::{Line, Lines};
pub use relay_only::relay_only;
