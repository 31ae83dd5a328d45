//! On pictures that were drawn for it, and on what no camera shows.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::demo::inference::Area;
use crate::demo::video::Plane;

#[path = "../../../benches/lesion/synthetic.rs"]
mod synthetic;

fn found(picture: &Picture) -> Vec<Detection> {
    LesionDetector::default().find(picture)
}

#[test]
fn finds_lesions_on_skin_of_every_tone() {
    let (mut all, mut hits, mut strays) = (0, 0, 0);
    for seed in 0..24 {
        let scene = synthetic::scene(seed, true);
        let found = found(&scene.picture);
        let is_hit = |lesion: &Area| found.iter().any(|detection| detection.area.overlap(lesion) >= 0.5);
        all += scene.lesions.len();
        hits += scene.lesions.iter().filter(|lesion| is_hit(lesion)).count();
        let is_lesion =
            |detection: &&Detection| scene.lesions.iter().any(|lesion| detection.area.overlap(lesion) >= 0.2);
        strays += found.iter().filter(|detection| !is_lesion(detection)).count();
    }
    assert!(hits * 100 >= all * 95, "{hits} of {all}");
    assert!(strays * 100 <= all * 5, "{strays} boxes where there is nothing");
}

#[test]
fn finds_nothing_on_clean_skin() {
    let scenes = 1000..1024_u64;
    let count = scenes.clone().count();
    let clean = scenes.filter(|seed| found(&synthetic::scene(*seed, false).picture).is_empty()).count();
    assert!(clean * 100 >= count * 98, "{clean} of {count}");
}

#[test]
fn finds_nothing_where_there_is_no_skin() {
    let mut random = StdRng::seed_from_u64(1);
    for (width, height) in [(1, 1), (2, 3), (640, 480), (641, 479), (4096, 16), (16, 4096), (1920, 1080)] {
        let mut plane = |width: usize, height: usize, sample: Option<u8>| Plane {
            stride: width + 7,
            samples: (0..(width + 7) * height).map(|_| sample.unwrap_or_else(|| random.random())).collect(),
        };
        let chroma = (usize::div_ceil(width, 2), usize::div_ceil(height, 2));
        for (luma, colour) in
            [(Some(0), Some(128)), (Some(255), Some(128)), (None, Some(128)), (None, None), (Some(90), None)]
        {
            let y = plane(width, height, luma);
            let [u, v] = [(); 2].map(|()| plane(chroma.0, chroma.1, colour));
            let picture = Picture { width, height, y, u, v };
            assert_eq!(found(&picture), [], "{width}x{height}, {luma:?}, {colour:?}");
        }
    }
}

#[test]
fn dark_things_on_grey_are_no_lesions() {
    let mut scene = synthetic::scene(6, true);
    assert!(!found(&scene.picture).is_empty());
    for plane in [&mut scene.picture.u, &mut scene.picture.v] {
        plane.samples.fill(128);
    }
    assert_eq!(found(&scene.picture), []);
}
