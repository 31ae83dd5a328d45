//! What is counted about traces.

use prometheus::IntCounter;
use prometheus::core::Collector;

use super::catalog;
use super::gateway_metrics::{VALID, counters};

/// The counts of traces; clones share them.
#[derive(Debug, Clone)]
pub struct TraceMetrics {
    exported: IntCounter,
    lost: [IntCounter; SpanLoss::ALL.len()],
}

/// Why a span is not where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanLoss {
    /// More spans ended than the collector took.
    QueueFull,
    /// The collector did not take it, however often it was asked.
    ExportFailed,
    /// The collector took others of its batch.
    Rejected,
    /// The process stopped before the collector had it.
    Stopped,
}

impl TraceMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let exported = IntCounter::with_opts(catalog::TRACES_SPANS_EXPORTED.opts()).expect(VALID);
        register(Box::new(exported.clone()));
        let lost = counters(&catalog::TRACES_SPANS_LOST, &register);
        Self { exported, lost: SpanLoss::ALL.map(|cause| lost.with_label_values(&[cause.label()])) }
    }

    pub(super) fn exported(&self, spans: u64) {
        self.exported.inc_by(spans);
    }

    pub(super) fn lost(&self, cause: SpanLoss, spans: u64) {
        self.lost[cause as usize].inc_by(spans);
    }
}

impl SpanLoss {
    const ALL: [Self; 4] = [Self::QueueFull, Self::ExportFailed, Self::Rejected, Self::Stopped];

    fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::ExportFailed => "export_failed",
            Self::Rejected => "rejected",
            Self::Stopped => "stopped",
        }
    }
}
