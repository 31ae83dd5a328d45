//! Video: packets of RTP → whole frames → pictures.
//!
//! ```text
//! RtpPacket ─▶ JitterBuffer ─ RtpFrame ─▶ VideoDecoder ─▶ Picture
//!                  └─ a gap: the next frame that can be used is a key frame
//! ```
//!
//! All of it comes from clients, so everything is bounded and nothing is believed.

mod decoder;
mod error;
mod frame_numbers;
mod h264_payload;
mod jitter_buffer;
mod picture;
mod vp8_payload;

pub use decoder::VideoCodec;
pub(super) use decoder::VideoDecoder;
pub(super) use error::VideoError;
pub(super) use frame_numbers::FrameNumbers;
pub(super) use jitter_buffer::{JitterBuffer, Popped, RtpFrame, RtpPacket};
pub use picture::{Picture, Plane};
