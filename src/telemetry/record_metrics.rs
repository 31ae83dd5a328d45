//! What is counted about the records of sessions.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntGauge};

use super::catalog;
use super::gateway_metrics::{VALID, counters};

/// The counts of the records; clones share them.
#[derive(Debug, Clone)]
pub struct RecordMetrics {
    written: IntCounter,
    failures: IntCounter,
    owed: IntGauge,
    deliveries: [IntCounter; 2],
    lost: [IntCounter; RecordLoss::ALL.len()],
}

/// Why a record is not where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordLoss {
    /// More sessions ended than could be written.
    QueueFull,
    /// The database took nothing for too long.
    NotWritten,
    /// More was owed to the webhook than may be.
    WebhookQueueFull,
}

impl RecordMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let counter = |family: &catalog::Family| {
            let counter = IntCounter::with_opts(family.opts()).expect(VALID);
            register(Box::new(counter.clone()));
            counter
        };
        let owed = IntGauge::with_opts(catalog::RECORDS_OWED.opts()).expect(VALID);
        register(Box::new(owed.clone()));
        let deliveries = counters(&catalog::RECORDS_DELIVERIES, &register);
        let lost = counters(&catalog::RECORDS_LOST, &register);
        Self {
            written: counter(&catalog::RECORDS_WRITTEN),
            failures: counter(&catalog::RECORDS_FAILURES),
            owed,
            deliveries: ["taken", "failed"].map(|result| deliveries.with_label_values(&[result])),
            lost: RecordLoss::ALL.map(|cause| lost.with_label_values(&[cause.label()])),
        }
    }

    /// Counts records that are safe.
    pub fn written(&self, records: u64) {
        self.written.inc_by(records);
    }

    /// Counts a use of the database that failed.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// Shows how many records are owed to the webhook.
    pub fn owed(&self, records: u64) {
        self.owed.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Counts a message to the webhook.
    pub fn delivered(&self, was_taken: bool) {
        self.deliveries[usize::from(!was_taken)].inc();
    }

    /// Counts records that are lost.
    pub fn lost(&self, cause: RecordLoss, records: u64) {
        self.lost[cause as usize].inc_by(records);
    }
}

impl RecordLoss {
    const ALL: [Self; 3] = [Self::QueueFull, Self::NotWritten, Self::WebhookQueueFull];

    fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::NotWritten => "not_written",
            Self::WebhookQueueFull => "webhook_queue_full",
        }
    }
}
