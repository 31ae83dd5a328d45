//! `Reduced`: a picture as means of squares, small enough to be thought about.

use imageproc::image::GrayImage;

use crate::demo::video::{Picture, Plane};

/// Means of each square of `step` by `step` pixels.
#[derive(Debug)]
pub(super) struct Reduced {
    pub(super) luma: GrayImage,
    pub(super) blue: GrayImage,
    pub(super) red: GrayImage,
    /// Pixels of the picture for each of these.
    pub(super) step: usize,
}

impl Reduced {
    pub(super) fn of(picture: &Picture) -> Self {
        // Even, so that squares of colour are whole.
        let step = (picture.width.max(picture.height) / COLUMNS).max(1).next_multiple_of(2);
        let (width, height) = (picture.width / step, picture.height / step);
        let means = |plane: &Plane, side: usize| means(plane, width, height, side);
        Self {
            luma: means(&picture.y, step),
            blue: means(&picture.u, step / 2),
            red: means(&picture.v, step / 2),
            step,
        }
    }
}

fn means(plane: &Plane, width: usize, height: usize, side: usize) -> GrayImage {
    let mut means = Vec::with_capacity(width * height);
    let mut sums = vec![0_u32; width];
    let area = (side * side) as u32;
    for row in 0..height {
        sums.fill(0);
        for line in 0..side {
            let samples = plane.row(row * side + line, width * side);
            for (sum, square) in sums.iter_mut().zip(samples.chunks_exact(side)) {
                *sum += square.iter().map(|&sample| u32::from(sample)).sum::<u32>();
            }
        }
        means.extend(sums.iter().map(|sum| ((sum + area / 2) / area) as u8));
    }
    GrayImage::from_raw(width as u32, height as u32, means).expect("one mean for each square")
}

/// Hairs are narrower than a square of this many in a row, lesions are wider.
const COLUMNS: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_have_their_means_whatever_the_stride() {
        let mut y = Plane { stride: 10, samples: vec![255; 40] };
        for row in 0..4 {
            y.samples[row * 10..][..4].copy_from_slice(&[10, 20, 100, 100]);
        }
        let colour = Plane { stride: 3, samples: vec![128; 6] };
        let picture = Picture { width: 5, height: 4, y, u: colour.clone(), v: colour };
        let reduced = Reduced::of(&picture);
        assert_eq!(reduced.step, 2);
        assert_eq!(reduced.luma.as_raw(), &[15, 100, 15, 100]);
        assert_eq!(reduced.red.as_raw(), &[128; 4]);
    }

    #[test]
    fn a_picture_of_one_pixel_is_reduced_to_none() {
        let plane = Plane { stride: 1, samples: vec![1] };
        let picture = Picture { width: 1, height: 1, y: plane.clone(), u: plane.clone(), v: plane };
        assert_eq!(Reduced::of(&picture).luma.dimensions(), (0, 0));
    }
}
