//! What the check of an offer's SDP takes, for the offers of real clients and for the largest that passes.
//!
//! `cargo bench --bench offers` prints bytes, lines and microseconds for each.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports to its user")]
#![allow(clippy::disallowed_methods, reason = "what is measured is time")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use turnpike::sdp::{Bounds, Description};

fn main() {
    let mut offers = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/offers")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sdp") {
            offers.push((
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                fs::read_to_string(path).unwrap(),
            ));
        }
    }
    offers.sort();
    let candidates = "a=candidate:1 1 udp 2130706431 203.0.113.10 5000 typ host\r\n".repeat(900);
    let largest = offers.iter().find(|(name, _)| name == "aiortc").unwrap().1.clone() + &candidates;
    offers.push(("aiortc with 900 candidates more".to_owned(), largest));

    println!("{:<32} {:>7} {:>6} {:>8}", "offer", "bytes", "lines", "µs");
    for (name, text) in offers {
        let best = (0..ROUNDS).map(|_| time(&text)).min().unwrap();
        let microseconds = best.as_secs_f64() * 1e6 / f64::from(REPEATS);
        println!("{name:<32} {:>7} {:>6} {microseconds:>8.2}", text.len(), text.lines().count());
    }
}

fn time(text: &str) -> Duration {
    let start = Instant::now();
    for _ in 0..REPEATS {
        let description = Description::parse(black_box(text), &BOUNDS).unwrap();
        description.check_offer().unwrap();
        black_box(description);
    }
    start.elapsed()
}

const BOUNDS: Bounds = Bounds { media: 32, candidates: 1000 };

/// Short rounds, so that nothing interrupts the best of them, also on a busy machine.
const REPEATS: u32 = 20;
const ROUNDS: u32 = 1000;
