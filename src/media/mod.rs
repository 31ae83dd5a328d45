//! What can be seen of a session in the packets that are relayed for it: pure code that is told the time.
//!
//! In: the payloads of one allocation, either way. Out: how far it has come ([`Stage`]) and how well it goes
//! ([`Quality`]).
//!
//! ```text
//! payload ─ first byte ─┬─ 0…3: ICE check ─▶ Checks: a success response means connected; round trips
//!                       ├─ 128…191: RTP ───▶ Leg ─▶ Stream, one for each SSRC: loss, jitter, frames
//!                       └─ DTLS, RTCP, others: not looked into
//! ```
//!
//! Media is encrypted, but RTP headers are not (RFC 3711 §3.1), so sequence numbers, timestamps, markers and SSRCs can
//! be read. Of RTCP only the first header and SSRC can (§3.4): the reports of the two ends are theirs alone, and loss
//! and jitter are measured here, on the way from each end to the relay.

mod checks;
mod leg;
mod packet;
mod quality;
mod stream;
#[cfg(test)]
mod tests;
mod watch;

pub use packet::{Check, Packet, Rtp};
pub use quality::{LegQuality, Quality};
pub use watch::{FlowWatch, Stage};
