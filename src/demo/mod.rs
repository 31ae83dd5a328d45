//! The embedded inference backend: a WebRTC peer that looks for things in its clients' video.
//!
//! In come offers, over HTTP from the gateway, and video, through the relay; out go boxes on each client's DataChannel
//! `results`. It is a backend like any other, which happens to live in this process.
//!
//! ```text
//! offer ─▶ EmbeddedBackend ─ answer        one Peer for each client
//!                 └─▶ Peer ─ VideoTrack ─ JitterBuffer ─▶ frames ─┐
//!                       ▲                                        ▼
//!                       └── predictions ◀── Inference: a few threads decode, and detect on the newest picture
//! ```

mod error;
mod inference;
mod lesion;
mod media_engine;
#[cfg(feature = "onnx")]
mod onnx;
mod page;
mod peer;
mod server;
mod settings;
mod video;
mod video_track;

pub use error::EmbeddedError;
pub use inference::{Area, Detection, Detector, DetectorError};
pub use lesion::LesionDetector;
#[cfg(feature = "onnx")]
pub use onnx::{NamesError, OnnxDetector, OnnxError, OnnxModel, OnnxProblem};
pub use server::EmbeddedBackend;
pub use settings::{DetectorChoice, EmbeddedSettings, OnnxSettings};
pub use video::{Picture, Plane, VideoCodec};
