//! `Queue`: the way of spans that have ended to the exporter, bounded, and never waited for.

use tokio::sync::mpsc;

use super::span::Ended;
use crate::telemetry::trace_metrics::{SpanLoss, TraceMetrics};

/// Where spans go when they end; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    ended: mpsc::Sender<Ended>,
    metrics: TraceMetrics,
}

/// A queue, and where its spans come out.
pub(super) fn queue(metrics: TraceMetrics) -> (Queue, mpsc::Receiver<Ended>) {
    let (ended, taken) = mpsc::channel(MOST_WAITING);
    (Queue { ended, metrics }, taken)
}

impl Queue {
    /// Takes a span, or counts that there is no room for it.
    pub(super) fn put(&self, span: Ended) {
        if let Err(error) = self.ended.try_send(span) {
            self.metrics.lost(
                match error {
                    mpsc::error::TrySendError::Full(_) => SpanLoss::QueueFull,
                    mpsc::error::TrySendError::Closed(_) => SpanLoss::Stopped,
                },
                1,
            );
        }
    }
}

/// Some 4 MiB of spans, and the traces of a thousand offers: what a collector that is started anew makes us keep.
pub(super) const MOST_WAITING: usize = 4096;
