//! `Shading`: how light the skin would be at each place, were there no lesions.

use nalgebra::{Cholesky, SMatrix, SVector};

use super::Map;

/// A surface of the second order over the picture: light comes from a side, and lenses are darker at their corners.
#[derive(Debug)]
pub(super) struct Shading {
    coefficients: SVector<f32, TERMS>,
    width: f32,
    height: f32,
}

/// Fits a surface to the lightness, and again without the places that are far from it, which are no skin.
pub(super) fn fit(lightness: &Map) -> Shading {
    let (width, height) = (lightness.width() as f32, lightness.height() as f32);
    let mut shading = Shading { coefficients: SVector::zeros(), width, height };
    let places: Vec<(SVector<f32, TERMS>, f32)> = lightness
        .enumerate_pixels()
        .filter(|(x, y, _)| x % SPARSE == 0 && y % SPARSE == 0)
        .map(|(x, y, value)| (shading.terms(x, y), value.0[0]))
        .collect();
    let mut darker = f32::MAX;
    for round in 0..ROUNDS {
        let mut sums = SMatrix::<f32, TERMS, TERMS>::identity() * STIFFNESS;
        let mut values = SVector::<f32, TERMS>::zeros();
        for (terms, value) in &places {
            let rest = value - shading.coefficients.dot(terms);
            // Glare is as far from the skin as lesions are.
            if round > 0 && (rest < -darker || rest > darker * 1.5) {
                continue;
            }
            sums.syger(1.0, terms, terms, 1.0);
            values.axpy(*value, terms, 1.0);
        }
        sums.fill_upper_triangle_with_lower_triangle();
        let Some(solved) = Cholesky::new(sums) else { break };
        shading.coefficients = solved.solve(&values);
        darker = spread(&places, &shading.coefficients).clamp(CLOSEST, FARTHEST);
    }
    shading
}

impl Shading {
    pub(super) fn at(&self, x: u32, y: u32) -> f32 {
        self.coefficients.dot(&self.terms(x, y))
    }

    fn terms(&self, x: u32, y: u32) -> SVector<f32, TERMS> {
        let (x, y) = (2.0 * x as f32 / self.width - 1.0, 2.0 * y as f32 / self.height - 1.0);
        SVector::from([1.0, x, y, x * x, x * y, y * y])
    }
}

/// One and a half times the distance that half of the places are within.
fn spread(places: &[(SVector<f32, TERMS>, f32)], coefficients: &SVector<f32, TERMS>) -> f32 {
    let mut distances: Vec<f32> =
        places.iter().map(|(terms, value)| (value - coefficients.dot(terms)).abs()).collect();
    let middle = distances.len() / 2;
    let (_, median, _) = distances.select_nth_unstable_by(middle, f32::total_cmp);
    *median * 1.5
}

const TERMS: usize = 6;
/// Every second place of every second row is enough for six numbers.
const SPARSE: u32 = 2;
const ROUNDS: usize = 6;
/// So that there is always an answer.
const STIFFNESS: f32 = 1e-3;
/// Texture and noise are never outliers, and half of the light always is one.
const CLOSEST: f32 = 0.04;
const FARTHEST: f32 = 0.4;

#[cfg(test)]
mod tests {
    use imageproc::image::Luma;

    use super::*;

    #[test]
    fn follows_the_light_and_not_what_is_dark() {
        let light = |x: u32, y: u32| 4.0 + 0.005 * x as f32 - 0.00002 * (y * y) as f32;
        let lightness = Map::from_fn(160, 120, |x, y| {
            let is_dark = (40..90).contains(&x) && (30..80).contains(&y);
            Luma([light(x, y) - if is_dark { 0.5 } else { 0.0 }])
        });
        let shading = fit(&lightness);
        for (x, y) in [(0, 0), (60, 50), (159, 119), (100, 10)] {
            assert!((shading.at(x, y) - light(x, y)).abs() < 0.02, "{} of {}", shading.at(x, y), light(x, y));
        }
    }
}
