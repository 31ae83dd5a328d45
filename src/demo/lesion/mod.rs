//! `LesionDetector`: spots of the skin, found by their colour alone, without a model.
//!
//! ```text
//! Picture ─▶ Reduced (some 160 columns of means) ─ hairs closed ─▶ shading fitted to the skin's lightness
//!         ─▶ darkness: how much darker each place is than its skin would be ─▶ spots: what is dark together
//!         ─▶ each spot's edge, at half of its own contrast ─▶ what has the size, shape and surroundings of a lesion
//! ```
//!
//! Everything is measured in the logarithm of lightness, in which skin of every tone, in light of every strength, has the
//! same contrasts. A demonstration of the way that video takes, not a medical device.

mod reduced;
mod regions;
mod shading;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use imageproc::filter::separable_filter_equal;
use imageproc::image::{GrayImage, ImageBuffer, Luma};
use imageproc::morphology::{Mask, grayscale_close};

use super::inference::{Detection, Detector, DetectorError};
use super::video::Picture;
use reduced::Reduced;

/// A value for each place of a reduced picture.
type Map = ImageBuffer<Luma<f32>, Vec<f32>>;

/// See the file's head.
#[derive(Debug)]
pub struct LesionDetector {
    class: Arc<str>,
}

impl Default for LesionDetector {
    fn default() -> Self {
        Self { class: "lesion".into() }
    }
}

impl Detector for LesionDetector {
    fn detect(&mut self, pictures: &[Arc<Picture>]) -> Result<Vec<Vec<Detection>>, DetectorError> {
        Ok(pictures.iter().map(|picture| self.find(picture)).collect())
    }
}

impl LesionDetector {
    fn find(&self, picture: &Picture) -> Vec<Detection> {
        let reduced = Reduced::of(picture);
        if reduced.luma.width().min(reduced.luma.height()) < LEAST_SIDE {
            return Vec::new();
        }
        // Lines as thin as hairs become as light as what is beside them.
        let lightness = lightness(&grayscale_close(&reduced.luma, &Mask::square(1)));
        let shading = shading::fit(&lightness);
        let darkness = Map::from_fn(lightness.width(), lightness.height(), |x, y| {
            Luma([shading.at(x, y) - lightness.get_pixel(x, y).0[0]])
        });
        let darkness = separable_filter_equal(&darkness, &SMOOTHING);
        regions::find(&darkness, &reduced)
            .into_iter()
            .map(|region| Detection {
                class: Arc::clone(&self.class),
                area: region.area,
                score: region.score,
            })
            .collect()
    }
}

/// The logarithm of the light that samples of limited range stand for; the camera's own noise hides what is below its floor.
fn lightness(luma: &GrayImage) -> Map {
    let logarithms: [f32; 256] = std::array::from_fn(|sample| (sample as f32 - BLACK).max(FLOOR).ln());
    Map::from_fn(luma.width(), luma.height(), |x, y| {
        Luma([logarithms[usize::from(luma.get_pixel(x, y).0[0])]])
    })
}

/// Smaller pictures show nothing.
const LEAST_SIDE: u32 = 24;
/// Black, in limited range (ITU-T H.273).
const BLACK: f32 = 16.0;
const FLOOR: f32 = 8.0;
const SMOOTHING: [f32; 3] = [0.25, 0.5, 0.25];
