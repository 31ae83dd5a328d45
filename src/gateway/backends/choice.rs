//! Which of the usable backends gets an offer.

use sha2::{Digest, Sha256};

/// What the choice looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) name: &'a str,
    pub(super) weight: u32,
    pub(super) sessions: usize,
}

/// The candidate with the fewest sessions for its weight; `turn` spreads ties, in proportion to their weights.
pub(super) fn with_fewest_sessions(candidates: &[Candidate<'_>], turn: u64) -> Option<usize> {
    let load = |candidate: &Candidate<'_>, other: &Candidate<'_>| {
        candidate.sessions as u64 * u64::from(other.weight)
    };
    let least = candidates.iter().min_by(|a, b| load(a, b).cmp(&load(b, a)))?;
    let is_tied = |candidate: &Candidate<'_>| load(candidate, least) == load(least, candidate);
    let tied = || candidates.iter().enumerate().filter(|(_, candidate)| is_tied(candidate));

    let total: u64 = tied().map(|(_, candidate)| u64::from(candidate.weight)).sum();
    // Multiples of the golden ratio fall evenly into 0..1, so that neighbours in a row seldom get the same backend.
    let fraction = turn.wrapping_mul(GOLDEN_RATIO) >> 32;
    let mut rest = (fraction * total) >> 32;
    for (index, candidate) in tied() {
        match rest.checked_sub(u64::from(candidate.weight)) {
            Some(less) => rest = less,
            None => return Some(index),
        }
    }
    None
}

/// The candidate that a user's offers always go to, by weighted rendezvous hashing: when a candidate comes or goes, only
/// the users move that it gets or had. All replicas of the gateway agree.
pub(super) fn of_user(candidates: &[Candidate<'_>], user_id: &str) -> Option<usize> {
    let score = |candidate: &Candidate<'_>| {
        let digest =
            Sha256::new_with_prefix(candidate.name).chain_update([0]).chain_update(user_id).finalize();
        let (head, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
        // Within 0..1, both ends excluded.
        let uniform = ((u64::from_be_bytes(*head) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
        f64::from(candidate.weight) / -uniform.ln()
    };
    let scores = candidates.iter().map(score).enumerate();
    scores.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(index, _)| index)
}

/// 2⁶⁴ divided by the golden ratio.
const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_fewest_sessions_for_its_weight() {
        for (loads, chosen) in [
            (&[(1, 5), (1, 4), (1, 6)][..], 1),
            (&[(1, 2), (3, 5)], 1),
            (&[(1, 1), (3, 4)], 0),
            (&[(1000, 999), (1, 0)], 1),
        ] {
            let candidates = candidates(loads);
            assert_eq!(with_fewest_sessions(&candidates, 7), Some(chosen), "{loads:?}");
        }
        assert_eq!(with_fewest_sessions(&[], 0), None);
    }

    #[test]
    fn spreads_ties_by_weight_and_not_in_rows() {
        let tied = candidates(&[(3, 0), (1, 0), (1, 9)]);

        let turns: Vec<usize> = (0..4000).map(|turn| with_fewest_sessions(&tied, turn).unwrap()).collect();

        let of_first = turns.iter().filter(|&&index| index == 0).count();
        assert!((2990..=3010).contains(&of_first), "{of_first}");
        assert!(!turns.contains(&2));
        assert!(turns.chunk_by(PartialEq::eq).all(|row| row.len() <= 4));
    }

    #[test]
    fn sessions_that_stay_fill_backends_by_their_weights() {
        let mut loads = [(4, 0), (2, 0), (1, 0)];
        for turn in 0..700 {
            loads[with_fewest_sessions(&candidates(&loads), turn).unwrap()].1 += 1;
        }
        assert_eq!(loads, [(4, 400), (2, 200), (1, 100)]);
    }

    #[test]
    fn a_user_stays_and_few_move_when_a_backend_comes() {
        let three = candidates(&[(1, 9), (2, 0), (1, 5)]);
        let four = candidates(&[(1, 9), (2, 0), (1, 5), (1, 0)]);
        let users: Vec<String> = (0..2000).map(|user| format!("user-{user}")).collect();

        let before: Vec<usize> = users.iter().map(|user| of_user(&three, user).unwrap()).collect();
        let after: Vec<usize> = users.iter().map(|user| of_user(&four, user).unwrap()).collect();

        let of_second = before.iter().filter(|&&index| index == 1).count();
        assert!((900..=1100).contains(&of_second), "{of_second}");
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        let (all, to_new) = (moved.clone().count(), moved.filter(|&(_, &after)| after == 3).count());
        assert_eq!(all, to_new);
        assert!((330..=470).contains(&all), "{all}");
        assert_eq!(of_user(&[], "user"), None);
    }

    fn candidates(loads: &[(u32, usize)]) -> Vec<Candidate<'static>> {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        let named = NAMES.into_iter().zip(loads);
        named.map(|(name, &(weight, sessions))| Candidate { name, weight, sessions }).collect()
    }
}
