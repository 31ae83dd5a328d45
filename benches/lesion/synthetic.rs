//! Pictures of skin that nobody has: of all tones, in bad light, with hairs, glare, noise and blur, and lesions or none.

use std::f32::consts::TAU;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Area, Picture, Plane};

pub(super) const WIDTH: usize = 640;
pub(super) const HEIGHT: usize = 480;

/// A picture and where its lesions are.
pub(super) struct Scene {
    pub(super) picture: Picture,
    pub(super) lesions: Vec<Area>,
}

struct Canvas {
    pixels: Vec<[f32; 3]>,
}

/// Draws one; the same seed draws the same.
pub(super) fn scene(seed: u64, with_lesions: bool) -> Scene {
    let mut random = StdRng::seed_from_u64(seed);
    // Fitzpatrick I to VI.
    let tones: [[f32; 3]; 6] = [
        [244.0, 208.0, 186.0],
        [228.0, 184.0, 155.0],
        [206.0, 158.0, 124.0],
        [172.0, 122.0, 88.0],
        [128.0, 84.0, 58.0],
        [84.0, 54.0, 40.0],
    ];
    let tone = tones[seed as usize % tones.len()];
    let mut canvas = Canvas { pixels: vec![tone; WIDTH * HEIGHT] };
    canvas.texture(&mut random);
    let count = if with_lesions { random.random_range(1..=3) } else { 0 };
    let mut lesions: Vec<Area> = Vec::new();
    while lesions.len() < count {
        let placed = canvas.lesion(&mut random, &lesions, tone);
        lesions.extend(placed);
    }
    canvas.light(&mut random);
    for _ in 0..random.random_range(0..12) {
        canvas.hair(&mut random);
    }
    for _ in 0..random.random_range(0..4) {
        canvas.glare(&mut random);
    }
    let blur = random.random_range(0..4);
    canvas.blur(blur);
    canvas.noise(&mut random);
    Scene { picture: canvas.picture(), lesions }
}

impl Canvas {
    fn change(&mut self, mut change: impl FnMut(f32, f32, &mut [f32; 3])) {
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            change((index % WIDTH) as f32, (index / WIDTH) as f32, pixel);
        }
    }

    /// Mottled, as skin is, in patches of several sizes.
    fn texture(&mut self, random: &mut StdRng) {
        for (cell, strength) in [(90.0, 0.05), (24.0, 0.03), (5.0, 0.03)] {
            let (columns, rows) = ((WIDTH as f32 / cell) as usize + 2, (HEIGHT as f32 / cell) as usize + 2);
            let values: Vec<f32> = (0..columns * rows).map(|_| random.random_range(-1.0..1.0)).collect();
            self.change(|x, y, pixel| {
                let (column, row) = (x / cell, y / cell);
                let (left, top) = (column as usize, row as usize);
                let (right, down) = (column.fract(), row.fract());
                let at = |dx: usize, dy: usize| values[(top + dy) * columns + left + dx];
                let upper = at(0, 0) * (1.0 - right) + at(1, 0) * right;
                let lower = at(0, 1) * (1.0 - right) + at(1, 1) * right;
                let value = upper * (1.0 - down) + lower * down;
                pixel.iter_mut().for_each(|channel| *channel *= 1.0 + strength * value);
            });
        }
    }

    /// A spot of an uneven outline; none if its place is taken.
    fn lesion(&mut self, random: &mut StdRng, others: &[Area], tone: [f32; 3]) -> Option<Area> {
        let radius = random.random_range(12.0..80.0_f32);
        let reach = radius * 1.45;
        let x = random.random_range(reach..WIDTH as f32 - reach);
        let y = random.random_range(reach..HEIGHT as f32 - reach);
        let around = |area: &Area| {
            let (dx, dy) = (area.x + area.width / 2.0 - x, area.y + area.height / 2.0 - y);
            dx.hypot(dy) > reach + area.width.max(area.height) * 0.75 + 20.0
        };
        if !others.iter().all(around) {
            return None;
        }
        let waves: Vec<(f32, f32, f32)> = (2..6)
            .map(|n| (n as f32, random.random_range(0.0..0.1), random.random_range(0.0..TAU)))
            .collect();
        let stretch = random.random_range(0.75..1.0_f32);
        let softness = random.random_range(1.5..7.0_f32);
        // Dark skin has less room for contrast.
        let lightest = if tone[0] < 140.0 { 0.72 } else { 0.68 };
        let factor = random.random_range(0.35..lightest);
        let inner: [f32; 2] = [random.random_range(0.0..TAU), random.random_range(0.0..0.15)];
        let (mut left, mut top, mut right, mut bottom) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
        self.change(|px, py, pixel| {
            let (dx, dy) = (px - x, (py - y) / stretch);
            if dx.abs() > reach || dy.abs() > reach {
                return;
            }
            let angle = dy.atan2(dx);
            let outline =
                radius * (1.0 + waves.iter().map(|(n, a, phase)| a * (n * angle + phase).cos()).sum::<f32>());
            let distance = outline - dx.hypot(dy);
            let cover = (distance / softness + 0.5).clamp(0.0, 1.0);
            if cover >= 0.5 {
                (left, right) = (left.min(px), right.max(px));
                (top, bottom) = (top.min(py), bottom.max(py));
            }
            let shade = factor * (1.0 + inner[1] * (dx / 9.0 + inner[0]).sin() * (dy / 7.0).cos());
            for (channel, hue) in pixel.iter_mut().zip([1.06, 0.98, 0.94]) {
                *channel *= 1.0 - cover * (1.0 - shade * hue);
            }
        });
        Some(Area { x: left, y: top, width: right - left + 1.0, height: bottom - top + 1.0 })
    }

    /// Light from a side, and a lens that is darker at its corners.
    fn light(&mut self, random: &mut StdRng) {
        let angle = random.random_range(0.0..TAU);
        let (slope, corners) = (random.random_range(0.0..0.3_f32), random.random_range(0.0..0.25_f32));
        self.change(|x, y, pixel| {
            let (u, v) = (2.0 * x / WIDTH as f32 - 1.0, 2.0 * y / HEIGHT as f32 - 1.0);
            let light = 1.0 + slope * (u * angle.cos() + v * angle.sin()) - corners * (u * u + v * v) / 2.0;
            pixel.iter_mut().for_each(|channel| *channel *= light);
        });
    }

    fn hair(&mut self, random: &mut StdRng) {
        let start = [random.random_range(0.0..WIDTH as f32), random.random_range(0.0..HEIGHT as f32)];
        let (mut angle, bend) = (random.random_range(0.0..TAU), random.random_range(-0.004..0.004_f32));
        let (length, thickness) = (random.random_range(60..300), random.random_range(1.0..3.5_f32));
        let dark = random.random_range(0.15..0.6_f32);
        let [mut x, mut y] = start;
        for _ in 0..length {
            angle += bend;
            (x, y) = (x + angle.cos(), y + angle.sin());
            let reach = thickness.ceil() as i32;
            for (dx, dy) in (-reach..=reach).flat_map(|dx| (-reach..=reach).map(move |dy| (dx, dy))) {
                let (px, py) = (x as i32 + dx, y as i32 + dy);
                let is_near = (px as f32 - x).hypot(py as f32 - y) <= thickness / 2.0;
                if is_near && (0..WIDTH as i32).contains(&px) && (0..HEIGHT as i32).contains(&py) {
                    self.pixels[py as usize * WIDTH + px as usize] = [70.0 * dark, 55.0 * dark, 45.0 * dark];
                }
            }
        }
    }

    fn glare(&mut self, random: &mut StdRng) {
        let (x, y) = (random.random_range(0.0..WIDTH as f32), random.random_range(0.0..HEIGHT as f32));
        let (size, strength) = (random.random_range(4.0..18.0_f32), random.random_range(60.0..200.0_f32));
        self.change(|px, py, pixel| {
            let (dx, dy) = ((px - x).abs() / size, (py - y).abs() / size);
            if dx < 4.0 && dy < 4.0 {
                let distance = dx.hypot(dy);
                pixel.iter_mut().for_each(|channel| *channel += strength * (-distance * distance).exp());
            }
        });
    }

    /// Means of as many pixels to both sides, first of rows and then of columns.
    fn blur(&mut self, radius: usize) {
        for (lines, length, along, across) in [(HEIGHT, WIDTH, 1, WIDTH), (WIDTH, HEIGHT, WIDTH, 1)] {
            let mut line_before = vec![[0.0; 3]; length];
            for line in 0..lines {
                for (at, pixel) in line_before.iter_mut().enumerate() {
                    *pixel = self.pixels[line * across + at * along];
                }
                for at in 0..length {
                    let near = &line_before[at.saturating_sub(radius)..(at + radius + 1).min(length)];
                    let mean = |channel: usize| {
                        near.iter().map(|pixel| pixel[channel]).sum::<f32>() / near.len() as f32
                    };
                    self.pixels[line * across + at * along] = [mean(0), mean(1), mean(2)];
                }
            }
        }
    }

    fn noise(&mut self, random: &mut StdRng) {
        let strength = random.random_range(1.0..7.0_f32);
        self.change(|_, _, pixel| {
            // Near enough to a normal distribution.
            let mut bits: u64 = random.random();
            for channel in pixel {
                let halves = [bits & 0x3ff, (bits >> 10) & 0x3ff].map(|bits| bits as f32 / 512.0 - 1.0);
                *channel += strength * (halves[0] + halves[1]) * 1.2;
                bits >>= 20;
            }
        });
    }

    /// As a camera and an encoder have it: BT.601, limited range.
    fn picture(&self) -> Picture {
        let clamped = |pixel: [f32; 3]| pixel.map(|channel| channel.clamp(0.0, 255.0).round());
        let sample = |value: f32| value.round().clamp(0.0, 255.0) as u8;
        let luma = |pixel: &[f32; 3]| {
            let [r, g, b] = clamped(*pixel);
            sample(16.0 + (65.481 * r + 128.553 * g + 24.966 * b) / 255.0)
        };
        let (mut u, mut v) = (Vec::new(), Vec::new());
        for (row, column) in (0..HEIGHT / 2).flat_map(|row| (0..WIDTH / 2).map(move |column| (row, column))) {
            let corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
                .map(|(dy, dx)| clamped(self.pixels[(row * 2 + dy) * WIDTH + column * 2 + dx]));
            let [r, g, b] =
                [0, 1, 2].map(|channel| corners.iter().map(|corner| corner[channel]).sum::<f32>() / 4.0);
            u.push(sample(128.0 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255.0));
            v.push(sample(128.0 + (112.0 * r - 93.786 * g - 18.214 * b) / 255.0));
        }
        Picture {
            width: WIDTH,
            height: HEIGHT,
            y: Plane { stride: WIDTH, samples: self.pixels.iter().map(luma).collect() },
            u: Plane { stride: WIDTH / 2, samples: u },
            v: Plane { stride: WIDTH / 2, samples: v },
        }
    }
}
