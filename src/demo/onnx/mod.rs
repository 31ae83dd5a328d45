//! `OnnxDetector`: what a model of the YOLO family finds, from an ONNX file.
//!
//! ```text
//! file ─▶ ModelFile ─ Metadata, InputForm ─▶ Network, tried once ─▶ OutputForm: which of the family's layouts it is
//! Picture ─▶ Letterbox ─▶ planes of RGB ─▶ Network ─▶ OutputForm ─ candidates ─▶ suppression ─▶ detections
//! ```
//!
//! In come pictures of many clients, as many in one run as the model takes; out goes what is in each of them. The network
//! runs on the thread that asks: threads of inference are the one measure of parallel work.

mod error;
mod file;
mod input;
mod letterbox;
mod metadata;
mod model;
mod names;
mod network;
mod nms;
mod output;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use error::{OnnxError, OnnxProblem};
pub use model::OnnxModel;
pub use names::NamesError;

use crate::demo::inference::{Detection, Detector, DetectorError};
use crate::demo::video::Picture;
use letterbox::Scratch;

/// Runs a model for one thread.
#[derive(Debug)]
pub struct OnnxDetector {
    model: Arc<OnnxModel>,
    scratch: Scratch,
}

impl OnnxDetector {
    /// Shares the model; this costs next to nothing.
    pub fn new(model: Arc<OnnxModel>) -> Self {
        Self { model, scratch: Scratch::default() }
    }
}

impl Detector for OnnxDetector {
    fn detect(&mut self, pictures: &[Arc<Picture>]) -> Result<Vec<Vec<Detection>>, DetectorError> {
        let mut detections = Vec::with_capacity(pictures.len());
        for together in pictures.chunks(self.model.pictures_at_once()) {
            let found = self.model.detect(together, &mut self.scratch);
            detections.extend(found.map_err(|error| DetectorError { what: format!("{error:#}") })?);
        }
        Ok(detections)
    }
}
