//! `Letterbox`: a picture's place in a model's input, there and back.
//!
//! The picture keeps its shape; grey bars fill what it leaves. Luma and colour are scaled apart, each from its own plane, and
//! meet as RGB only in the input itself. Scaling is bilinear, without a filter before it: what YOLO models are trained with.

use crate::demo::inference::Area;
use crate::demo::video::{Picture, Plane};

/// Width and height of a picture or a model's input, both 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PixelSize {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Where a picture lies in the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Letterbox {
    input: PixelSize,
    picture: PixelSize,
    /// The bars at the left and at the top.
    left: usize,
    top: usize,
    /// What the picture takes.
    width: usize,
    height: usize,
}

/// Rows that one filling after the other uses.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    luma: Vec<f32>,
    blue: Vec<f32>,
    red: Vec<f32>,
}

impl PixelSize {
    /// How many there are in all.
    pub(super) fn pixels(self) -> usize {
        self.width * self.height
    }
}

impl Letterbox {
    /// Places a picture in the middle, as large as fits.
    pub(super) fn new(picture: &Picture, input: PixelSize) -> Self {
        let scale =
            (input.width as f64 / picture.width as f64).min(input.height as f64 / picture.height as f64);
        let scaled = |length: usize, most: usize| ((length as f64 * scale).round() as usize).clamp(1, most);
        let (width, height) = (scaled(picture.width, input.width), scaled(picture.height, input.height));
        let picture = PixelSize { width: picture.width, height: picture.height };
        Self {
            input,
            picture,
            left: (input.width - width) / 2,
            top: (input.height - height) / 2,
            width,
            height,
        }
    }

    /// Writes a picture as three planes of red, green and blue from 0 to 1, each of the input's size.
    ///
    /// # Panics
    ///
    /// If the picture or the planes have another size than this was made for.
    pub(super) fn fill(&self, picture: &Picture, planes: &mut [f32], scratch: &mut Scratch) {
        let chroma = picture.chroma_size();
        let rows = taps(self.height, self.picture.height, self.picture.height);
        let chroma_rows = taps(self.height, self.picture.height, chroma.1);
        let columns = taps(self.width, self.picture.width, self.picture.width);
        let chroma_columns = taps(self.width, self.picture.width, chroma.0);

        planes.fill(GREY);
        let (red, others) = planes.split_at_mut(self.input.pixels());
        let (green, blue) = others.split_at_mut(self.input.pixels());
        for (row, (luma_tap, chroma_tap)) in rows.iter().zip(&chroma_rows).enumerate() {
            blend_rows(&picture.y, self.picture.width, *luma_tap, &mut scratch.luma);
            blend_rows(&picture.u, chroma.0, *chroma_tap, &mut scratch.blue);
            blend_rows(&picture.v, chroma.0, *chroma_tap, &mut scratch.red);
            let start = (self.top + row) * self.input.width + self.left;
            let target = start..start + self.width;
            let pixels =
                red[target.clone()].iter_mut().zip(&mut green[target.clone()]).zip(&mut blue[target]);
            for (((red, green), blue), (luma_tap, chroma_tap)) in
                pixels.zip(columns.iter().zip(&chroma_columns))
            {
                [*red, *green, *blue] = rgb(
                    luma_tap.of(&scratch.luma),
                    chroma_tap.of(&scratch.blue),
                    chroma_tap.of(&scratch.red),
                );
            }
        }
    }

    /// Returns where a box of the input, given by two corners, is in the picture; `None` if it has no area there.
    pub(super) fn area_in_picture(&self, [left, top, right, bottom]: [f32; 4]) -> Option<Area> {
        let horizontally = |x: f32| {
            ((x - self.left as f32) * self.picture.width as f32 / self.width as f32)
                .clamp(0.0, self.picture.width as f32)
        };
        let vertically = |y: f32| {
            ((y - self.top as f32) * self.picture.height as f32 / self.height as f32)
                .clamp(0.0, self.picture.height as f32)
        };
        let (x, y) = (horizontally(left), vertically(top));
        let (width, height) = (horizontally(right) - x, vertically(bottom) - y);
        // Written so that a NaN has no area either.
        (width > 0.0 && height > 0.0).then_some(Area { x, y, width, height })
    }
}

/// Two neighbouring samples that a target lies between, and how near it is to the second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tap {
    first: usize,
    second: usize,
    weight: f32,
}

impl Tap {
    fn of(self, samples: &[f32]) -> f32 {
        let first = samples[self.first];
        first + (samples[self.second] - first) * self.weight
    }
}

/// For each of `targets` pixels that show `pixels` pixels, where it lies among the `samples` of a plane: as many as pixels,
/// or one for two, in the middle between them.
fn taps(targets: usize, pixels: usize, samples: usize) -> Vec<Tap> {
    let pixels_per_sample = if samples == pixels { 1.0 } else { 2.0 };
    let step = pixels as f64 / targets as f64 / pixels_per_sample;
    let last = samples - 1;
    (0..targets)
        .map(|target| {
            let place = ((target as f64 + 0.5) * step - 0.5).clamp(0.0, last as f64);
            let first = place as usize;
            Tap { first, second: (first + 1).min(last), weight: (place - first as f64) as f32 }
        })
        .collect()
}

/// Two rows of a plane in one.
fn blend_rows(plane: &Plane, width: usize, tap: Tap, blended: &mut Vec<f32>) {
    let (first, second) = (plane.row(tap.first, width), plane.row(tap.second, width));
    blended.clear();
    blended.extend(first.iter().zip(second).map(|(first, second)| {
        let (first, second) = (f32::from(*first), f32::from(*second));
        first + (second - first) * tap.weight
    }));
}

/// BT.601, limited range: luma from 16 to 235, the differences from 16 to 240.
fn rgb(luma: f32, blue: f32, red: f32) -> [f32; 3] {
    let luma = (luma - 16.0) / 219.0;
    let (blue, red) = ((blue - 128.0) / 112.0, (red - 128.0) / 112.0);
    [luma + RED * red, luma - GREEN_BLUE * blue - GREEN_RED * red, luma + BLUE * blue]
        .map(|value| value.clamp(0.0, 1.0))
}

/// BT.601 §2.5: luma is 0.299 red + 0.587 green + 0.114 blue; these follow from it.
const RED: f32 = 1.0 - 0.299;
const BLUE: f32 = 1.0 - 0.114;
const GREEN_RED: f32 = RED * 0.299 / 0.587;
const GREEN_BLUE: f32 = BLUE * 0.114 / 0.587;

/// The grey of the bars, which YOLO models are trained with.
const GREY: f32 = 114.0 / 255.0;

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: PixelSize = PixelSize { width: 64, height: 64 };

    /// A picture of one colour, its rows longer than its width.
    fn plain(width: usize, height: usize, [y, u, v]: [u8; 3]) -> Picture {
        let plane = |width: usize, height: usize, sample| {
            let stride = width + 3;
            Plane { stride, samples: vec![sample; stride * height] }
        };
        let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
        Picture {
            width,
            height,
            y: plane(width, height, y),
            u: plane(chroma_width, chroma_height, u),
            v: plane(chroma_width, chroma_height, v),
        }
    }

    fn filled(picture: &Picture, input: PixelSize) -> Vec<f32> {
        let mut planes = vec![f32::NAN; 3 * input.pixels()];
        Letterbox::new(picture, input).fill(picture, &mut planes, &mut Scratch::default());
        planes
    }

    fn pixel(planes: &[f32], input: PixelSize, x: usize, y: usize) -> [f32; 3] {
        [0, 1, 2].map(|plane| planes[plane * input.pixels() + y * input.width + x])
    }

    #[track_caller]
    fn assert_near(found: [f32; 3], expected: [f32; 3], most: f32) {
        let is_near = found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() <= most);
        assert!(is_near, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn colours_are_bt601_of_limited_range() {
        for (sample, colour) in [
            ([235, 128, 128], [1.0, 1.0, 1.0]),
            ([16, 128, 128], [0.0, 0.0, 0.0]),
            ([126, 128, 128], [0.502, 0.502, 0.502]),
            ([81, 90, 240], [1.0, 0.0, 0.0]),
            ([145, 54, 34], [0.0, 1.0, 0.0]),
            ([41, 240, 110], [0.0, 0.0, 1.0]),
            ([255, 128, 128], [1.0, 1.0, 1.0]),
            ([0, 128, 128], [0.0, 0.0, 0.0]),
        ] {
            let planes = filled(&plain(20, 20, sample), INPUT);
            assert_near(pixel(&planes, INPUT, 30, 30), colour, 0.006);
        }
    }

    #[test]
    fn a_picture_lies_in_the_middle_between_grey_bars() {
        let grey = [114.0 / 255.0; 3];
        let wide = filled(&plain(32, 16, [235, 128, 128]), INPUT);
        for (y, colour) in [(0, grey), (15, grey), (16, [1.0; 3]), (47, [1.0; 3]), (48, grey), (63, grey)] {
            assert_near(pixel(&wide, INPUT, 0, y), colour, 1e-6);
            assert_near(pixel(&wide, INPUT, 63, y), colour, 1e-6);
        }
        let tall = filled(&plain(128, 256, [235, 128, 128]), INPUT);
        for (x, colour) in [(0, grey), (15, grey), (16, [1.0; 3]), (47, [1.0; 3]), (48, grey), (63, grey)] {
            assert_near(pixel(&tall, INPUT, x, 0), colour, 1e-6);
            assert_near(pixel(&tall, INPUT, x, 63), colour, 1e-6);
        }
    }

    #[test]
    fn scaling_is_linear_in_both_directions() {
        let mut picture = plain(40, 30, [0, 128, 128]);
        for (index, sample) in picture.y.samples.iter_mut().enumerate() {
            let (x, y) = (index % picture.y.stride, index / picture.y.stride);
            *sample = u8::try_from(20 + 2 * x + 3 * y).unwrap();
        }
        for side in [24, 40, 64, 100] {
            let input = PixelSize { width: side, height: side };
            let planes = filled(&picture, input);
            let letterbox = Letterbox::new(&picture, input);
            // Away from the border, beyond which nothing is known.
            for (x, y) in [(side / 4, side / 2), (side / 2, side / 3), (3 * side / 4, 3 * side / 5)] {
                let place = letterbox.area_in_picture([0.0, 0.0, x as f32 + 0.5, y as f32 + 0.5]).unwrap();
                let luma = 20.0 + 2.0 * (place.width - 0.5) + 3.0 * (place.height - 0.5);
                assert_near(pixel(&planes, input, x, y), [(luma - 16.0) / 219.0; 3], 1e-3);
            }
        }
    }

    #[test]
    fn colour_lies_where_its_luma_does() {
        // The left half is blue and the right half is red, in luma and colour alike.
        let mut picture = plain(32, 32, [41, 240, 110]);
        for (plane, from, sample) in
            [(&mut picture.y, 16, 81), (&mut picture.u, 8, 90), (&mut picture.v, 8, 240)]
        {
            for row in plane.samples.chunks_mut(plane.stride) {
                row[from..].fill(sample);
            }
        }
        let planes = filled(&picture, INPUT);
        assert_near(pixel(&planes, INPUT, 28, 32), [0.0, 0.0, 1.0], 0.01);
        assert_near(pixel(&planes, INPUT, 35, 32), [1.0, 0.0, 0.0], 0.01);
    }

    #[test]
    fn boxes_come_back_to_where_they_were() {
        let picture = plain(1280, 720, [16, 128, 128]);
        let letterbox = Letterbox::new(&picture, PixelSize { width: 640, height: 640 });
        // Half the size, 140 rows below the top.
        let area = letterbox.area_in_picture([50.0, 160.0, 100.0, 260.0]);
        assert_eq!(area, Some(Area { x: 100.0, y: 40.0, width: 100.0, height: 200.0 }));
    }

    #[test]
    fn boxes_end_where_the_picture_does() {
        let picture = plain(1280, 720, [16, 128, 128]);
        let letterbox = Letterbox::new(&picture, PixelSize { width: 640, height: 640 });
        let whole = Area { x: 0.0, y: 0.0, width: 1280.0, height: 720.0 };
        assert_eq!(letterbox.area_in_picture([-10.0, 0.0, 1e9, 700.0]), Some(whole));
        for nowhere in [[0.0, 0.0, 640.0, 140.0], [5.0, 200.0, 5.0, 300.0], [9.0, 200.0, 5.0, 300.0]] {
            assert_eq!(letterbox.area_in_picture(nowhere), None, "{nowhere:?}");
        }
        assert_eq!(letterbox.area_in_picture([f32::NAN, 200.0, 300.0, 300.0]), None);
    }

    #[test]
    fn takes_pictures_of_every_size() {
        for (width, height) in [(1, 1), (1, 2), (2, 1), (3, 5), (641, 1), (1, 999), (63, 65)] {
            for input in [INPUT, PixelSize { width: 1, height: 1 }, PixelSize { width: 96, height: 32 }] {
                let planes = filled(&plain(width, height, [235, 128, 128]), input);
                assert!(planes.iter().all(|value| (0.0..=1.0).contains(value)));
                let white = planes.iter().filter(|value| **value == 1.0).count();
                assert!(white >= 3, "{width}×{height} in {input:?}");
            }
        }
    }
}
