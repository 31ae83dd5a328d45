//! What holds for any text.

use proptest::prelude::*;

use super::{BOUNDS, real_offers};
use crate::sdp::{Candidate, Description, Lines, candidates};

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        assert_sound(&text);
    }

    #[test]
    fn any_lines_are_read_or_refused(
        lines in proptest::collection::vec("(a=(candidate|fingerprint|ice-pwd|group|setup):|m=|v=0|.=)[ -~]{0,40}", 0..20)
    ) {
        assert_sound(&format!("v=0\r\n{}", lines.join("\r\n")));
    }

    #[test]
    fn a_damaged_offer_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        len in 0_usize..40,
        instead in "\\PC{0,8}|[\r\n]{0,3}",
    ) {
        let offers = real_offers();
        let (_, offer) = which.get(&offers);
        let start = at.index(offer.len());
        let end = offer.len().min(start + len);
        assert_sound(&format!("{}{instead}{}", &offer[..start], &offer[end..]));
    }

    #[test]
    fn any_candidate_is_read_or_refused(text in "([0-9a-z.:]{1,12} ){5,9}(typ (host|relay) )?([a-z]{1,8} [0-9.]{1,9} ){0,4}") {
        let _ = Candidate::parse(&text);
    }
}

/// Nothing panics; each line is read once, and each candidate is found again.
fn assert_sound(text: &str) {
    for line in Lines::new(text, 1).flatten() {
        assert!(text[line.range].contains(line.value));
    }
    let Ok(description) = Description::parse(text, &BOUNDS) else { return };
    let found: Vec<_> = candidates(text).collect();
    assert!(description.candidates().all(|candidate| found.contains(candidate)));
    let _ = description.check_offer();
}
