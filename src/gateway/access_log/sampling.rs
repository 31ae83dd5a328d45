//! Which requests are in a share of all: by the id of their trace, so that its lines are kept or left out together.

use sha2::{Digest, Sha256};

/// Whether a trace is within a share of all traces, 0 to 1. What is within a smaller share is within every larger one.
///
/// Clients choose ids and may do so badly, so the id itself is no measure. A digest of it is the same wherever the request
/// comes by, in every release, and is uniform as long as nobody tries out ids: whoever does can be in or out at will.
pub(super) fn is_within(share: f64, trace_id: &str) -> bool {
    let digest = Sha256::new().chain_update(KEY).chain_update(trace_id).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // As many bits as a double holds, so that the largest is below 1 and a share of 1 is all.
    let place = (u64::from_be_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64;
    place < share
}

/// Keeps the digest apart from whatever others sample by; no secret, as all instances have to agree.
const KEY: &[u8] = b"turnpike access log\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_same_traces_everywhere() {
        let kept: Vec<usize> = (0..16).filter(|&n| is_within(0.5, &trace(n))).collect();

        // Another version of turnpike beside this one has to say the same.
        assert_eq!(kept, [0, 1, 3, 6, 7, 8, 10, 13, 15]);
    }

    #[test]
    fn keeps_the_share_of_ids_that_are_anything_but_random() {
        for (share, least, most) in [(0.01, 70, 130), (0.1, 900, 1100), (0.5, 4850, 5150)] {
            let kept = (0..10_000).filter(|&n| is_within(share, &trace(n))).count();
            assert!((least..=most).contains(&kept), "{kept} of 10,000 with {share}");
        }
    }

    #[test]
    fn keeps_all_none_and_ever_more() {
        for id in (0..1000).map(trace) {
            assert!(is_within(1.0, &id) && !is_within(0.0, &id));
            assert!(!is_within(0.2, &id) || is_within(0.3, &id));
        }
    }

    fn trace(n: usize) -> String {
        format!("{n:032x}")
    }
}
