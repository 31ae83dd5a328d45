//! `EmbeddedSettings`: what an operator can choose about the embedded backend.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::video::VideoCodec;

/// Settings of the embedded inference backend.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddedSettings {
    /// Where it takes media, one UDP port of its own for each client; default `127.0.0.1`, which the relay of this process
    /// reaches and nobody else does.
    pub media_addresses: Vec<IpAddr>,
    /// What looks for things.
    pub detector: DetectorChoice,
    /// Codecs that it answers with, in this order of preference where the client has none; default VP8 and H.264.
    pub codecs: Vec<VideoCodec>,
    /// Clients at once; default 32. One more is 503.
    pub most_clients: usize,
    /// Threads that decode and detect; default one for each core.
    pub threads: Option<NonZeroUsize>,
    /// Frames a second that clients number their frames by; default 30.
    pub frames_per_second: u32,
}

/// What looks for things in pictures.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum DetectorChoice {
    /// Skin lesions, by their colour, without a model.
    #[default]
    Lesion,
    /// What a model of the YOLO family was trained for.
    Onnx(OnnxSettings),
}

/// A model, and how it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxSettings {
    /// The file.
    pub model: PathBuf,
    /// How sure it has to be of a box, from 0 to 1.
    pub threshold: f32,
    /// Pictures of several clients that it may take in one run, if the model allows that.
    pub batch: NonZeroUsize,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self {
            media_addresses: vec![Ipv4Addr::LOCALHOST.into()],
            detector: DetectorChoice::default(),
            codecs: vec![VideoCodec::Vp8, VideoCodec::H264],
            most_clients: 32,
            threads: None,
            frames_per_second: 30,
        }
    }
}

impl fmt::Display for DetectorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lesion => f.write_str("lesion"),
            Self::Onnx(onnx) => write!(f, "onnx with {}", onnx.model.display()),
        }
    }
}
