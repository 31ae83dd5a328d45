//! `EmbeddedSettings`: what an operator can choose about the embedded backend.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;

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

impl DetectorChoice {
    /// Its name.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Lesion => "lesion",
        }
    }
}
