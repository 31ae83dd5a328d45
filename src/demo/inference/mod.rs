//! Inference: frames of all clients → predictions, by a few threads.
//!
//! Each client has a `Lane`. A thread takes the next task of the queue: to decode what has come for a lane, or to look for
//! things in the newest pictures of several lanes at once. A lane is in the queue once for each, so clients take turns, and
//! whoever sends more than can be analysed has frames skipped, his own.

mod detector;
mod lane;
mod prediction;
mod threads;
mod tracker;

pub use detector::{Area, Detection, Detector, DetectorError};
pub(super) use lane::{Incoming, Lane, NumberedFrame};
pub(super) use prediction::Prediction;
pub(super) use threads::{Inference, MakeDetector};
