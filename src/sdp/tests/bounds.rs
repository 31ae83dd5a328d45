//! Both bounds of a description, at the bound and one above.

use super::OFFER;
use crate::sdp::{Bounds, Description, Flaw, Invalid};

#[test]
fn counts_media_sections() {
    let bounds = Bounds { media: 3, candidates: 1000 };
    let offer = |more: usize| format!("{OFFER}{}", "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n".repeat(more));

    assert_eq!(Description::parse(&offer(2), &bounds).unwrap().media.len(), 3);
    assert_eq!(
        Description::parse(&offer(3), &bounds),
        Err(Invalid { line: Some(15), flaw: Flaw::TooManyMedia { most: 3 } })
    );
}

#[test]
fn counts_candidates_of_all_sections_and_those_that_are_in_none() {
    let bounds = Bounds { media: 32, candidates: 600 };
    let candidate = "a=candidate:1 1 udp 2130706431 203.0.113.10 5000 typ host\r\n";
    let offer = |more: usize| {
        let offer = OFFER.replace("t=0 0\r\n", &format!("t=0 0\r\n{candidate}"));
        format!("{offer}m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n{}", candidate.repeat(more))
    };

    let offer_at_the_bound = offer(598);
    let description = Description::parse(&offer_at_the_bound, &bounds).unwrap();
    assert_eq!((description.media[0].candidates.len(), description.media[1].candidates.len()), (1, 598));
    assert_eq!(description.candidates().count(), 599);
    assert_eq!(
        Description::parse(&offer(599), &bounds),
        Err(Invalid { line: Some(613), flaw: Flaw::TooManyCandidates { most: 600 } })
    );
}
