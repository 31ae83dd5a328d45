//! What is counted about the embedded backend.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, IntCounter, IntGauge};

use super::catalog;
use super::gateway_metrics::{VALID, counters};

/// The counts of the embedded backend; clones share them.
#[derive(Debug, Clone)]
pub struct EmbeddedMetrics {
    clients: IntGauge,
    offers: [IntCounter; OfferResult::ALL.len()],
    frames: [IntCounter; FrameFate::ALL.len()],
    predictions: [IntCounter; 2],
    key_frame_requests: IntCounter,
    detection: Histogram,
    latency: Histogram,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferResult {
    /// It was answered.
    Answered,
    /// It is none.
    Malformed,
    /// It asks for what cannot be done.
    Unanswerable,
    /// There are clients enough.
    Full,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFate {
    /// A detector has looked at it.
    Analysed,
    /// A newer one took its place.
    Skipped,
    /// A part of it, or of one that it builds on, is missing.
    Lost,
    /// It makes no picture.
    Undecodable,
}

impl EmbeddedMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let histogram = |family: &catalog::Family| {
            let histogram = Histogram::with_opts(family.histogram_opts(&BUCKETS)).expect(VALID);
            register(Box::new(histogram.clone()));
            histogram
        };
        let clients = IntGauge::with_opts(catalog::EMBEDDED_CLIENTS.opts()).expect(VALID);
        register(Box::new(clients.clone()));
        let key_frame_requests =
            IntCounter::with_opts(catalog::EMBEDDED_KEY_FRAME_REQUESTS.opts()).expect(VALID);
        register(Box::new(key_frame_requests.clone()));
        let offers = counters(&catalog::EMBEDDED_OFFERS, &register);
        let frames = counters(&catalog::EMBEDDED_FRAMES, &register);
        let predictions = counters(&catalog::EMBEDDED_PREDICTIONS, &register);
        Self {
            clients,
            offers: OfferResult::ALL.map(|result| offers.with_label_values(&[result.label()])),
            frames: FrameFate::ALL.map(|fate| frames.with_label_values(&[fate.label()])),
            predictions: ["sent", "dropped"].map(|result| predictions.with_label_values(&[result])),
            key_frame_requests,
            detection: histogram(&catalog::EMBEDDED_DETECTION),
            latency: histogram(&catalog::EMBEDDED_LATENCY),
        }
    }

    /// A client has its answer.
    pub fn client_came(&self) {
        self.clients.inc();
    }

    /// A client's connection is over.
    pub fn client_left(&self) {
        self.clients.dec();
    }

    /// Counts an offer.
    pub fn offer(&self, result: OfferResult) {
        self.offers[result as usize].inc();
    }

    /// Counts frames.
    pub fn frames(&self, fate: FrameFate, frames: usize) {
        self.frames[fate as usize].inc_by(frames as u64);
    }

    /// Counts a frame that was analysed so long after it had come.
    pub fn analysed(&self, latency: Duration) {
        self.frames(FrameFate::Analysed, 1);
        self.latency.observe(latency.as_secs_f64());
    }

    /// A call of the detector took so long.
    pub fn detected(&self, duration: Duration) {
        self.detection.observe(duration.as_secs_f64());
    }

    /// Counts a prediction.
    pub fn prediction(&self, was_sent: bool) {
        self.predictions[usize::from(!was_sent)].inc();
    }

    /// Counts a request for a key frame.
    pub fn key_frame_asked(&self) {
        self.key_frame_requests.inc();
    }
}

impl OfferResult {
    const ALL: [Self; 4] = [Self::Answered, Self::Malformed, Self::Unanswerable, Self::Full];

    fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Malformed => "malformed",
            Self::Unanswerable => "unanswerable",
            Self::Full => "full",
        }
    }
}

impl FrameFate {
    const ALL: [Self; 4] = [Self::Analysed, Self::Skipped, Self::Lost, Self::Undecodable];

    fn label(self) -> &'static str {
        match self {
            Self::Analysed => "analysed",
            Self::Skipped => "skipped",
            Self::Lost => "lost",
            Self::Undecodable => "undecodable",
        }
    }
}

/// From a picture that is smaller than an icon to a model on a slow core.
const BUCKETS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28];
