//! `Lane`: one client's frames on their way to predictions.
//!
//! ```text
//! frames ─▶ inbox ─ every frame is decoded ─▶ newest picture ─ the newest is analysed ─▶ predictions
//!             └─ full: all of it is dropped      └─ a newer one takes its place
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, mpsc};
use tracing::debug;

use super::detector::Detection;
use super::prediction::Prediction;
use super::tracker::Tracker;
use crate::demo::video::{Picture, RtpFrame, VideoCodec, VideoDecoder, VideoError};
use crate::telemetry::{EmbeddedMetrics, ErrorChain, FrameFate};

/// See the file's head.
pub(in crate::demo) struct Lane {
    waiting: Mutex<Waiting>,
    /// Held by the thread that decodes for this client at present; the queue names it to one at a time.
    decoder: Mutex<VideoDecoder>,
    tracker: Mutex<Tracker>,
    predictions: mpsc::Sender<Prediction>,
    key_frame_needed: Notify,
    metrics: EmbeddedMetrics,
}

/// What waits for a thread.
#[derive(Default)]
struct Waiting {
    inbox: VecDeque<Incoming>,
    newest: Option<Decoded>,
    is_decode_queued: bool,
    is_detect_queued: bool,
}

/// What comes from the network.
pub(in crate::demo) enum Incoming {
    /// A frame.
    Frame(NumberedFrame),
    /// Something is missing.
    Gap,
}

/// A frame with its place in the stream.
pub(in crate::demo) struct NumberedFrame {
    pub(in crate::demo) frame: RtpFrame,
    pub(in crate::demo) frame_id: u64,
    /// When the last of it came.
    pub(in crate::demo) received: Instant,
}

/// A picture that waits for the detector.
pub(super) struct Decoded {
    pub(super) picture: Arc<Picture>,
    frame_id: u64,
    rtp_timestamp: u32,
    received: Instant,
}

/// What has to be put into the queue for a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) decode: bool,
    pub(super) detect: bool,
}

/// What a thread does for a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Decode,
    Detect,
}

impl Lane {
    pub(super) fn new(
        codec: VideoCodec,
        predictions: mpsc::Sender<Prediction>,
        metrics: EmbeddedMetrics,
    ) -> Result<Self, VideoError> {
        Ok(Self {
            waiting: Mutex::default(),
            decoder: Mutex::new(VideoDecoder::new(codec)?),
            tracker: Mutex::default(),
            predictions,
            key_frame_needed: Notify::new(),
            metrics,
        })
    }

    /// Takes what came; true if a thread must be told to decode.
    pub(super) fn push(&self, incoming: Incoming) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.inbox.len() >= MOST_FRAMES {
            // What is left of it could not be decoded anyway: frames build on each other.
            let dropped = waiting.inbox.drain(..).filter(|waiting| matches!(waiting, Incoming::Frame(_)));
            self.metrics.frames(FrameFate::Skipped, dropped.count());
            waiting.inbox.push_back(Incoming::Gap);
        }
        waiting.inbox.push_back(incoming);
        !std::mem::replace(&mut waiting.is_decode_queued, true)
    }

    /// Decodes what has come, and says what is to be done next.
    pub(super) fn decode(&self) -> Next {
        let inbox = std::mem::take(&mut lock(&self.waiting).inbox);
        let mut decoder = lock(&self.decoder);
        let mut newest = None;
        for incoming in inbox {
            let Incoming::Frame(frame) = incoming else {
                decoder.lose_reference();
                continue;
            };
            if let Some(decoded) = self.decode_frame(&mut decoder, frame)
                && newest.replace(decoded).is_some()
            {
                self.metrics.frames(FrameFate::Skipped, 1);
            }
        }
        drop(decoder);
        let mut waiting = lock(&self.waiting);
        waiting.is_decode_queued = !waiting.inbox.is_empty();
        let decode = waiting.is_decode_queued;
        let Some(newest) = newest else { return Next { decode, detect: false } };
        if waiting.newest.replace(newest).is_some() {
            self.metrics.frames(FrameFate::Skipped, 1);
        }
        Next { decode, detect: !std::mem::replace(&mut waiting.is_detect_queued, true) }
    }

    /// A thread has panicked over what came: the client begins anew with a key frame.
    pub(super) fn recover(&self) {
        lock(&self.decoder).lose_reference();
        self.metrics.frames(FrameFate::Undecodable, 1);
        self.key_frame_needed.notify_one();
        let mut waiting = lock(&self.waiting);
        (waiting.is_decode_queued, waiting.is_detect_queued) = (false, false);
    }

    fn decode_frame(&self, decoder: &mut VideoDecoder, numbered: NumberedFrame) -> Option<Decoded> {
        let NumberedFrame { frame, frame_id, received } = numbered;
        match decoder.decode(&frame) {
            Ok(picture) => picture.map(|picture| Decoded {
                picture: Arc::new(picture),
                frame_id,
                rtp_timestamp: frame.timestamp,
                received,
            }),
            Err(error) => {
                let fate = match error {
                    VideoError::Incomplete | VideoError::NoKeyFrame => FrameFate::Lost,
                    VideoError::Payload | VideoError::Undecodable(_) | VideoError::TooLarge { .. } => {
                        FrameFate::Undecodable
                    }
                };
                debug!(error = %ErrorChain(&error), "no picture");
                self.metrics.frames(fate, 1);
                self.key_frame_needed.notify_one();
                None
            }
        }
    }

    /// The picture to be analysed.
    pub(super) fn take_newest(&self) -> Option<Decoded> {
        let mut waiting = lock(&self.waiting);
        waiting.is_detect_queued = false;
        waiting.newest.take()
    }

    /// Tells the client what was found in a picture.
    pub(super) fn found(&self, decoded: &Decoded, found: Vec<Detection>, now: Instant) {
        self.metrics.analysed(now.saturating_duration_since(decoded.received));
        let prediction = Prediction {
            frame_id: decoded.frame_id,
            rtp_timestamp: decoded.rtp_timestamp,
            width: decoded.picture.width,
            height: decoded.picture.height,
            boxes: lock(&self.tracker).update(found),
        };
        // Who does not listen misses it; the next one is newer.
        if self.predictions.try_send(prediction).is_err() {
            self.metrics.prediction(false);
        }
    }

    /// Completes when the client should be asked for a key frame.
    pub(in crate::demo) async fn key_frame_needed(&self) {
        self.key_frame_needed.notified().await;
    }
}

/// A thread that has panicked leaves a decoder that begins anew with the next key frame.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A second; who is farther behind needs a new beginning.
const MOST_FRAMES: usize = 30;
