//! Judges the lesion detector: how many lesions it finds on skin of every tone, what it takes for one, and how long it takes.
//!
//! `cargo bench --bench lesion [-- SCENES]`; fails where less than 95 % are found or less than 98 % of clean skin stays so.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark measures and prints")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use turnpike::demo::{Area, Detector, LesionDetector, Picture, Plane};

mod synthetic;

fn main() -> ExitCode {
    let scenes = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(600_u64);
    let mut detector = LesionDetector::default();
    let (mut all, mut hits, mut strays, mut clean) = (0, 0, 0, 0);
    let mut times = Vec::new();
    let mut find = |picture: Picture| {
        let pictures = [Arc::new(picture)];
        let began = Instant::now();
        let found = detector.detect(&pictures).expect("it never fails").remove(0);
        times.push(began.elapsed());
        found
    };
    for seed in 0..scenes {
        let scene = synthetic::scene(seed, true);
        let found = find(scene.picture);
        let best = |lesion: &Area| found.iter().map(|found| found.area.overlap(lesion)).fold(0.0, f32::max);
        all += scene.lesions.len();
        hits += scene.lesions.iter().filter(|lesion| best(lesion) >= 0.5).count();
        let is_near = |area: &Area| scene.lesions.iter().any(|lesion| area.overlap(lesion) >= 0.2);
        strays += found.iter().filter(|found| !is_near(&found.area)).count();
    }
    for seed in scenes..2 * scenes {
        clean += usize::from(find(synthetic::scene(seed, false).picture).is_empty());
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!("found        {hits} of {all} lesions with an IoU of 0.5 or more; {strays} boxes elsewhere");
    println!("clean skin   {clean} of {scenes} pictures without a box");
    println!(
        "time         {:.2} ms for a picture of {}x{}, {:.0} a second",
        millis(median),
        synthetic::WIDTH,
        synthetic::HEIGHT,
        1.0 / median.as_secs_f64()
    );
    if hits * 100 >= all * 95 && clean as u64 * 100 >= scenes * 98 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
