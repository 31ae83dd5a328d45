//! `[embedded]`.

use std::num::NonZeroUsize;

use super::{Rules, Unique};
use crate::config::error::Cause;
use crate::config::schema::{Detector, EmbeddedTable, VideoCodec};
use crate::demo::{self, DetectorChoice, EmbeddedSettings, OnnxSettings};

/// The settings of the embedded backend, whether there is one or not.
pub(super) fn embedded(written: &EmbeddedTable, rules: &mut Rules<'_>) -> EmbeddedSettings {
    const MEDIA: &str = "embedded.media_addresses";
    const CODECS: &str = "embedded.codecs";
    for (key, is_empty) in [(MEDIA, written.media_addresses.is_empty()), (CODECS, written.codecs.is_empty())]
    {
        if is_empty {
            rules.refuse(key, Cause::EmptyList);
        }
    }
    let mut known = Unique::new();
    for (index, address) in written.media_addresses.iter().enumerate() {
        let key = format!("{MEDIA}[{index}]");
        if address.0.is_unspecified() || address.0.is_multicast() {
            rules.refuse(&key, Cause::NotAHost(address.0.to_string()));
        }
        if let Some(first) = known.claim(address.0, &key) {
            rules.refuse(&key, Cause::Duplicate { value: address.0.to_string(), first });
        }
    }
    rules.in_range("embedded.max_clients", &written.max_clients, 1..=MOST_CLIENTS);
    rules.in_range("embedded.frames_per_second", &written.frames_per_second, 1..=MOST_FRAMES_PER_SECOND);
    if let Some(threads) = written.threads.0 {
        rules.in_range("embedded.threads", &threads.get(), 1..=MOST_THREADS);
    }
    EmbeddedSettings {
        media_addresses: written.media_addresses.iter().map(|address| address.0).collect(),
        detector: detector(written, rules),
        codecs: written.codecs.iter().map(|&codec| of(codec)).collect(),
        most_clients: written.max_clients as usize,
        threads: written.threads.0,
        frames_per_second: written.frames_per_second,
    }
}

fn detector(written: &EmbeddedTable, rules: &mut Rules<'_>) -> DetectorChoice {
    const MODEL: &str = "embedded.model";
    rules.in_range("embedded.threshold", &written.threshold, 0.0..=1.0);
    rules.in_range("embedded.batch", &written.batch, 1..=MOST_PICTURES);
    match (written.detector, &written.model) {
        (Detector::Lesion, None) => DetectorChoice::Lesion,
        (Detector::Lesion, Some(_)) => {
            rules.refuse(MODEL, Cause::UnusedModel);
            DetectorChoice::Lesion
        }
        (Detector::Onnx, None) => {
            rules.refuse(MODEL, Cause::NoModel);
            DetectorChoice::Lesion
        }
        (Detector::Onnx, Some(model)) => DetectorChoice::Onnx(OnnxSettings {
            model: rules.path(model),
            threshold: written.threshold,
            batch: NonZeroUsize::new(written.batch as usize).unwrap_or(NonZeroUsize::MIN),
        }),
    }
}

fn of(codec: VideoCodec) -> demo::VideoCodec {
    match codec {
        VideoCodec::Vp8 => demo::VideoCodec::Vp8,
        VideoCodec::H264 => demo::VideoCodec::H264,
    }
}

const MOST_CLIENTS: u32 = 10_000;
const MOST_FRAMES_PER_SECOND: u32 = 240;
/// A larger batch only makes clients wait for each other.
const MOST_PICTURES: u32 = 64;
const MOST_THREADS: usize = 256;
