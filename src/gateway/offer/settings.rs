//! How far offers are looked into.

use crate::sdp::Bounds;

/// What is checked of an offer's SDP before the backend sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferSettings {
    /// Whether the SDP is checked at all; default true. An unusable one is 422. Without it the backend gets whatever text
    /// comes.
    pub check_sdp: bool,
    /// Media sections (`m=` lines) of an SDP; default 32. One more is 422.
    pub max_media_sections: usize,
    /// Candidates of an SDP; default 1000. One more is 422.
    pub max_candidates: usize,
}

impl OfferSettings {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { media: self.max_media_sections, candidates: self.max_candidates }
    }
}

impl Default for OfferSettings {
    /// A client of this kind of backend has two or three sections, conferences have dozens. Machines with many networks
    /// have some hundred candidates.
    fn default() -> Self {
        Self { check_sdp: true, max_media_sections: 32, max_candidates: 1000 }
    }
}
