//! Regions: what is dark together, and whether it looks like a lesion.

use std::collections::HashMap;

use imageproc::distance_transform::Norm;
use imageproc::image::{GrayImage, Luma};
use imageproc::morphology::open_mut;
use imageproc::region_labelling::{Connectivity, connected_components};

use super::Map;
use super::reduced::Reduced;
use crate::demo::inference::Area;

/// Something that looks like a lesion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Region {
    pub(super) area: Area,
    pub(super) score: f32,
}

/// Places from the first to the last of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

/// Finds them in the darkness of a reduced picture.
pub(super) fn find(darkness: &Map, reduced: &Reduced) -> Vec<Region> {
    let threshold = threshold(darkness);
    let mut spots: Vec<Vec<(u32, u32)>> = components(&mask(darkness, |_, _, dark| dark > threshold));
    // The largest first; a picture of noise has no end of small ones.
    spots.sort_by_key(|spot| std::cmp::Reverse(spot.len()));
    spots.truncate(MOST_SPOTS);
    spots.iter().filter_map(|spot| judge(spot, darkness, reduced)).collect()
}

/// What is darker than this is no texture and no noise.
fn threshold(darkness: &Map) -> f32 {
    let mut distances: Vec<f32> = darkness.as_raw().iter().map(|dark| dark.abs()).collect();
    let middle = distances.len() / 2;
    let (_, median, _) = distances.select_nth_unstable_by(middle, f32::total_cmp);
    // Of normally distributed noise, half is within 0.67 standard deviations.
    (*median / 0.67 * 3.5).clamp(LEAST_DARKNESS, MOST_THRESHOLD)
}

/// Finds the edge of a spot at half of its own contrast, and looks at what is inside and around it.
fn judge(spot: &[(u32, u32)], darkness: &Map, reduced: &Reduced) -> Option<Region> {
    let (width, height) = darkness.dimensions();
    let whole = (width * height) as f32;
    if (spot.len() as f32) < LEAST_SHARE * whole {
        return None;
    }
    let dark_at = |(x, y): (u32, u32)| darkness.get_pixel(x, y).0[0];
    let mut values: Vec<f32> = spot.iter().copied().map(dark_at).collect();
    let (_, deep, _) = values.select_nth_unstable_by(spot.len() * 3 / 4, f32::total_cmp);
    let edge = *deep / 2.0;
    // Spots that touch in their soft borders are apart at their edges; of this one only the largest part counts.
    let around = Bounds::of(spot)?;
    let inside = mask(darkness, |x, y, dark| around.contains(x, y) && dark > edge);
    let places = components(&inside).into_iter().max_by_key(Vec::len)?;
    let bounds = Bounds::of(&places)?;
    let (columns, rows) = ((bounds.right - bounds.left + 1) as f32, (bounds.bottom - bounds.top + 1) as f32);
    let size = places.len() as f32;
    let sides = [bounds.left == 0, bounds.top == 0, bounds.right + 1 == width, bounds.bottom + 1 == height];
    let touched = sides.into_iter().filter(|&touches| touches).count();
    let has_shape = (LEAST_SHARE..=MOST_SHARE).contains(&(size / whole))
        && size / (columns * rows) >= LEAST_FILL
        && columns.max(rows) / columns.min(rows) <= LONGEST
        // Shadows come in from the side, hairs go out at it, and corners are dark.
        && (touched == 0 || touched == 1 && (LEAST_SHARE_AT_SIDE..=MOST_SHARE_AT_SIDE).contains(&(size / whole)));
    if !has_shape {
        return None;
    }
    let ring = bounds.ring(width, height, |x, y| inside.get_pixel(x, y).0[0] == 0);
    let contrast = mean(&places, dark_at)? - mean(&ring, dark_at)?;
    if contrast < LEAST_CONTRAST || !is_skin(&ring, reduced) {
        return None;
    }
    let score = (contrast / FULL_CONTRAST).clamp(0.3, 1.0) * (size / (columns * rows) / ROUND_FILL).min(1.0);
    Some(Region { area: outline(&places, darkness, edge, reduced.step), score })
}

/// The box of the places, with sides where the darkness crosses the edge's between two places.
fn outline(places: &[(u32, u32)], darkness: &Map, edge: f32, step: usize) -> Area {
    let (width, height) = darkness.dimensions();
    // How far beyond the middle of its last place a side is, towards its neighbour.
    let beyond = |(x, y): (u32, u32), dx: i64, dy: i64| -> f32 {
        let (nx, ny) = (i64::from(x) + dx, i64::from(y) + dy);
        if nx < 0 || ny < 0 || nx >= i64::from(width) || ny >= i64::from(height) {
            return 0.5;
        }
        let (here, there) = (darkness.get_pixel(x, y).0[0], darkness.get_pixel(nx as u32, ny as u32).0[0]);
        if here > there { ((here - edge) / (here - there)).clamp(0.0, 1.0) } else { 1.0 }
    };
    let middle = |at: u32| at as f32 + 0.5;
    let (mut left, mut top, mut right, mut bottom) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
    for &(x, y) in places {
        left = left.min(middle(x) - beyond((x, y), -1, 0));
        right = right.max(middle(x) + beyond((x, y), 1, 0));
        top = top.min(middle(y) - beyond((x, y), 0, -1));
        bottom = bottom.max(middle(y) + beyond((x, y), 0, 1));
    }
    let step = step as f32;
    Area { x: left * step, y: top * step, width: (right - left) * step, height: (bottom - top) * step }
}

/// Whether it is red more than blue, as skin of every tone is.
fn is_skin(places: &[(u32, u32)], reduced: &Reduced) -> bool {
    let colour = |plane: &GrayImage| {
        let last = (plane.width().saturating_sub(1), plane.height().saturating_sub(1));
        mean(places, |(x, y)| f32::from(plane.get_pixel(x.min(last.0), y.min(last.1)).0[0]))
    };
    let (Some(blue), Some(red)) = (colour(&reduced.blue), colour(&reduced.red)) else { return false };
    red - 128.0 >= LEAST_RED && 128.0 - blue >= LEAST_YELLOW && red - blue <= MOST_COLOUR
}

fn mean(places: &[(u32, u32)], value: impl Fn((u32, u32)) -> f32) -> Option<f32> {
    (!places.is_empty()).then(|| places.iter().map(|&place| value(place)).sum::<f32>() / places.len() as f32)
}

fn mask(darkness: &Map, is_in: impl Fn(u32, u32, f32) -> bool) -> GrayImage {
    GrayImage::from_fn(darkness.width(), darkness.height(), |x, y| {
        Luma([if is_in(x, y, darkness.get_pixel(x, y).0[0]) { u8::MAX } else { 0 }])
    })
}

/// The places of each part of a mask, without what is only a place wide.
fn components(mask: &GrayImage) -> Vec<Vec<(u32, u32)>> {
    let mut opened = mask.clone();
    open_mut(&mut opened, Norm::L1, 1);
    let labels = connected_components(&opened, Connectivity::Four, Luma([0]));
    let mut parts: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
    for (x, y, label) in labels.enumerate_pixels().filter(|(_, _, label)| label.0[0] != 0) {
        parts.entry(label.0[0]).or_default().push((x, y));
    }
    parts.into_values().collect()
}

impl Bounds {
    fn of(places: &[(u32, u32)]) -> Option<Self> {
        let columns = places.iter().map(|place| place.0);
        let rows = places.iter().map(|place| place.1);
        Some(Self {
            left: columns.clone().min()?,
            top: rows.clone().min()?,
            right: columns.max()?,
            bottom: rows.max()?,
        })
    }

    fn contains(&self, x: u32, y: u32) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    /// What is around it, as far as a third of its own size.
    fn ring(&self, width: u32, height: u32, is_outside: impl Fn(u32, u32) -> bool) -> Vec<(u32, u32)> {
        let margin = ((self.right - self.left).max(self.bottom - self.top) / 3).max(3);
        let rows = self.top.saturating_sub(margin)..(self.bottom + margin + 1).min(height);
        let columns = self.left.saturating_sub(margin)..(self.right + margin + 1).min(width);
        let places = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
        // Its own soft border is neither inside nor around.
        places.filter(|&(x, y)| !self.grown().contains(x, y) && is_outside(x, y)).collect()
    }

    fn grown(&self) -> Self {
        let Self { left, top, right, bottom } = *self;
        Self {
            left: left.saturating_sub(1),
            top: top.saturating_sub(1),
            right: right + 1,
            bottom: bottom + 1,
        }
    }
}

/// In the logarithm of light: 8 %, 30 % and 16 % darker than the skin.
const LEAST_DARKNESS: f32 = 0.08;
const MOST_THRESHOLD: f32 = 0.35;
const LEAST_CONTRAST: f32 = 0.17;
const FULL_CONTRAST: f32 = 0.5;
/// Shares of the picture.
const LEAST_SHARE: f32 = 0.0005;
const MOST_SHARE: f32 = 0.4;
const LEAST_SHARE_AT_SIDE: f32 = 0.002;
const MOST_SHARE_AT_SIDE: f32 = 0.06;
/// How much of its box a spot fills; a round one fills 0.785.
const LEAST_FILL: f32 = 0.4;
const ROUND_FILL: f32 = 0.75;
const LONGEST: f32 = 3.5;
/// How far colours are from grey: the palest skin, and more than any skin.
const LEAST_RED: f32 = 3.0;
const LEAST_YELLOW: f32 = 1.0;
const MOST_COLOUR: f32 = 90.0;
const MOST_SPOTS: usize = 24;
