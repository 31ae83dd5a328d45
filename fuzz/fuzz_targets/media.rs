//! Any payloads either way, at any times: what is seen of them stays within its bounds.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use turnpike_fuzz::media::{FlowWatch, Stage};

// Pieces of a direction and a pause in milliseconds, a length, and the payload.
fuzz_target!(|bytes: &[u8]| {
    let mut watch = FlowWatch::default();
    let mut now = Instant::now();
    let (mut rest, mut pieces) = (bytes, 0);
    while let [time, len, tail @ ..] = rest {
        let (payload, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = tail;
        pieces += 1;
        now += Duration::from_millis(u64::from(time >> 1) * 16);
        if time & 1 == 0 {
            watch.from_client(payload, now);
        } else {
            watch.from_peer(payload, now);
        }
        if watch.look(now, Duration::from_secs(1)).is_some() {
            assert_eq!(watch.stage(), Stage::Stalled);
        }
        if len % 7 == 0 {
            watch.quality(now);
        }
    }
    let quality = watch.whole_quality();
    assert!(quality.client.packets + quality.peer.packets <= 2 * pieces);
    for leg in [quality.client, quality.peer] {
        assert!(leg.loss().is_none_or(|loss| (0.0..=1.0).contains(&loss)));
        assert!(leg.frame_rate.is_none_or(f64::is_finite));
    }
});
