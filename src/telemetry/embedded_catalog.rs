//! The part of the list of metrics that is about the embedded backend.

use super::family::Family;

pub(super) const EMBEDDED_CLIENTS: Family = Family::new(
    "turnpike_embedded_clients",
    "Clients that the embedded backend has answered and still serves.",
    &[],
);
pub(super) const EMBEDDED_OFFERS: Family = Family::new(
    "turnpike_embedded_offers_total",
    "Offers to the embedded backend, by what came of them.",
    &["result"],
);
pub(super) const EMBEDDED_FRAMES: Family = Family::new(
    "turnpike_embedded_frames_total",
    "Video frames that came to the embedded backend, by what became of them; lost counts gaps as well.",
    &["result"],
);
pub(super) const EMBEDDED_PREDICTIONS: Family = Family::new(
    "turnpike_embedded_predictions_total",
    "Predictions of the embedded backend that were sent, or dropped since their client reads too slowly.",
    &["result"],
);
pub(super) const EMBEDDED_KEY_FRAME_REQUESTS: Family = Family::new(
    "turnpike_embedded_key_frame_requests_total",
    "Key frames that clients were asked for, because something of their video was missing.",
    &[],
);
pub(super) const EMBEDDED_DETECTION: Family = Family::new(
    "turnpike_embedded_detection_duration_seconds",
    "Time that the detector took for the pictures that it was given at once.",
    &[],
);
pub(super) const EMBEDDED_LATENCY: Family = Family::new(
    "turnpike_embedded_latency_seconds",
    "Time from the last packet of an analysed frame to its boxes.",
    &[],
);
