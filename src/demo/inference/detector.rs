//! `Detector`: what finds things in pictures.

use std::sync::Arc;

use crate::demo::video::Picture;

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// What it is.
    pub class: Arc<str>,
    /// Where it is, in pixels of the picture, and how large.
    pub area: Area,
    /// How sure that is, from 0 to 1.
    pub score: f32,
}

/// A rectangle, in pixels from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Area {
    /// Of its left side.
    pub x: f32,
    /// Of its upper side.
    pub y: f32,
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
}

/// Why nothing was looked for.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct DetectorError {
    /// What went wrong.
    pub what: String,
}

/// Finds things in pictures. Every thread of inference has one of its own.
pub trait Detector: Send {
    /// Returns what is in each picture, in their order. The pictures are of different clients and may differ in size.
    fn detect(&mut self, pictures: &[Arc<Picture>]) -> Result<Vec<Vec<Detection>>, DetectorError>;
}

impl Area {
    /// Intersection over union, 0 to 1.
    pub fn overlap(&self, other: &Self) -> f32 {
        let overlap =
            |a: f32, a_len: f32, b: f32, b_len: f32| ((a + a_len).min(b + b_len) - a.max(b)).max(0.0);
        let shared = overlap(self.x, self.width, other.x, other.width)
            * overlap(self.y, self.height, other.y, other.height);
        let all = self.width * self.height + other.width * other.height - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
}
