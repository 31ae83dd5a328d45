//! `[embedded]` as serde reads it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::addresses::Address;
use super::choices::{Detector, VideoCodec};
use super::units::Workers;
use crate::demo::{self, EmbeddedSettings};

/// The inference backend of this process, for a gateway whose backend is `embedded`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddedTable {
    /// Where it takes media: one UDP port of each address for each client. The relay reaches them only if turn.peers lets
    /// it; 127.0.0.1 is reached by nobody else.
    pub media_addresses: Vec<Address>,
    /// The video codecs that it takes, the preferred one first: `vp8` and `h264`.
    pub codecs: Vec<VideoCodec>,
    /// What looks for things in the video: `lesion` for spots of the skin, by their colour alone (a demonstration, not a medical
    /// device), or `onnx` for a model of your own.
    pub detector: Detector,
    /// With `onnx`: the model, an ONNX file of the YOLO family; its classes and its size are read from it. A path that is not
    /// absolute begins at this file's folder.
    #[schemars(example = &"/etc/turnpike/lesions.onnx")]
    pub model: Option<PathBuf>,
    /// With `onnx`: how sure the model has to be of a box, 0 to 1.
    pub threshold: f32,
    /// With `onnx`: pictures of several clients that the model may take in one run, 1 to 64. On a processor 1 is the quickest.
    pub batch: u32,
    /// Clients at once, 1 to 10000. One more is answered with 503.
    pub max_clients: u32,
    /// Threads that decode video and look at it: `auto` for one per core that this process may use, or 1 to 256.
    pub threads: Workers,
    /// Frames a second that clients number their frames by, 1 to 240: `frame_id` counts them from the first one on.
    pub frames_per_second: u32,
}

impl Default for EmbeddedTable {
    fn default() -> Self {
        let settings = EmbeddedSettings::default();
        let codec = |codec: &demo::VideoCodec| match codec {
            demo::VideoCodec::Vp8 => VideoCodec::Vp8,
            demo::VideoCodec::H264 => VideoCodec::H264,
        };
        Self {
            media_addresses: settings.media_addresses.iter().copied().map(Address).collect(),
            codecs: settings.codecs.iter().map(codec).collect(),
            detector: Detector::Lesion,
            model: None,
            threshold: 0.25,
            batch: 1,
            max_clients: settings.most_clients as u32,
            threads: Workers(settings.threads),
            frames_per_second: settings.frames_per_second,
        }
    }
}
