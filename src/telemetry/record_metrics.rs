//! What is counted about the records of sessions.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntGauge, IntGaugeVec};

use super::catalog;
use super::gateway_metrics::{VALID, counters};

/// The counts of the records; clones share them.
#[derive(Debug, Clone)]
pub struct RecordMetrics {
    written: IntCounter,
    failures: IntCounter,
    /// By [`Taker`].
    owed: [IntGauge; Taker::ALL.len()],
    deliveries: [[IntCounter; 2]; Taker::ALL.len()],
    lost: [IntCounter; RecordLoss::ALL.len()],
}

/// Who is told of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taker {
    /// A service, by HTTP.
    Webhook,
    /// A file of lines.
    File,
    /// A database of PostgreSQL.
    Postgres,
}

/// Why a record is not where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordLoss {
    /// More sessions ended than could be written.
    QueueFull,
    /// The database took nothing for too long.
    NotWritten,
    /// More was owed to somebody than may be.
    DeliveryQueueFull,
}

impl RecordMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let counter = |family: &catalog::Family| {
            let counter = IntCounter::with_opts(family.opts()).expect(VALID);
            register(Box::new(counter.clone()));
            counter
        };
        let family = &catalog::RECORDS_OWED;
        let owed = IntGaugeVec::new(family.opts(), family.labels).expect(VALID);
        register(Box::new(owed.clone()));
        let deliveries = counters(&catalog::RECORDS_DELIVERIES, &register);
        let lost = counters(&catalog::RECORDS_LOST, &register);
        Self {
            written: counter(&catalog::RECORDS_WRITTEN),
            failures: counter(&catalog::RECORDS_FAILURES),
            owed: Taker::ALL.map(|taker| owed.with_label_values(&[taker.label()])),
            deliveries: Taker::ALL.map(|taker| {
                ["taken", "failed"].map(|result| deliveries.with_label_values(&[taker.label(), result]))
            }),
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

    /// Shows how many records are owed to somebody.
    pub fn owed(&self, taker: Taker, records: u64) {
        self.owed[taker as usize].set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Counts records that somebody has taken, or not.
    pub fn delivered(&self, taker: Taker, was_taken: bool, records: u64) {
        self.deliveries[taker as usize][usize::from(!was_taken)].inc_by(records);
    }

    /// Counts records that are lost.
    pub fn lost(&self, cause: RecordLoss, records: u64) {
        self.lost[cause as usize].inc_by(records);
    }
}

impl Taker {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Webhook, Self::File, Self::Postgres];

    /// The name as metrics, logs and the database of records have it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::File => "file",
            Self::Postgres => "postgres",
        }
    }
}

impl RecordLoss {
    const ALL: [Self; 3] = [Self::QueueFull, Self::NotWritten, Self::DeliveryQueueFull];

    fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::NotWritten => "not_written",
            Self::DeliveryQueueFull => "delivery_queue_full",
        }
    }
}
