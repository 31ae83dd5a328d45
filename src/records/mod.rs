//! Records: what is kept of each session when it has ended, and who is told of it.
//!
//! ```text
//! sessions begin, go on and end ──▶ Records ──▶ writer thread ──▶ SQLite ──▶ usage, for the admin API
//!                                   (a queue,    (one transaction    │
//!                                    bounded)     for many)          └─ owed ─▶ webhook, until it is taken
//! ```
//!
//! In: openings, counts and ends of sessions. Out: rows, each exactly once; messages to a webhook, each at least once, with
//! an id by which the repeat is known. A session that was there when the process was killed gets its record at the next
//! start. Everything that waits is bounded, and what is lost at a bound is counted.

mod database;
mod error;
mod record;
mod settings;
mod usage;
mod webhook;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use error::RecordsError;
pub use record::{RecordQuality, SessionOpening, SessionRecord, Traffic};
pub use settings::{RecordSettings, UserIds, WebhookSettings};
pub use usage::{GroupBy, Period, Usage, UsageError};

use crate::telemetry::RecordMetrics;
use usage::UsageReader;
use webhook::Webhook;
use writer::{Entry, Writer};

/// Keeps the records of a process; clones are the same.
#[derive(Debug, Clone)]
pub struct Records(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writer: Writer,
    usage: UsageReader,
    user_ids: UserIds,
    webhook: Option<tokio::task::AbortHandle>,
}

impl Records {
    /// Opens the database, gives the sessions that a process before left behind their records, and begins to deliver;
    /// needs a runtime.
    pub fn open(settings: &RecordSettings, metrics: RecordMetrics) -> Result<Self, RecordsError> {
        let webhook = settings.webhook.as_ref().map(Webhook::new).transpose()?;
        let (writer, news) = Writer::start(settings, metrics.clone())?;
        let usage = UsageReader::new(settings.database.clone());
        let webhook = webhook.map(|webhook| {
            tokio::spawn(webhook.deliver(settings.database.clone(), news, metrics)).abort_handle()
        });
        Ok(Self(Arc::new(Shared { writer, usage, user_ids: settings.user_ids, webhook })))
    }

    /// A session has been answered.
    pub fn began(&self, mut opening: SessionOpening) {
        self.0.user_ids.apply(&opening.client, &mut opening.user_id);
        self.0.writer.write(Entry::Began(opening));
    }

    /// So much was relayed for a session that is still there.
    pub fn goes_on(&self, session: &str, traffic: Traffic) {
        self.0.writer.write(Entry::GoesOn(session.into(), traffic));
    }

    /// A session has ended, and all is known of it.
    pub fn ended(&self, mut record: SessionRecord) {
        self.0.user_ids.apply(&record.opening.client, &mut record.opening.user_id);
        self.0.writer.write(Entry::Ended(Box::new(record)));
    }

    /// What was used in a period, by key, client or user.
    pub async fn usage(&self, group_by: GroupBy, period: Period) -> Result<Vec<Usage>, UsageError> {
        self.0.usage.read(group_by, period).await
    }

    /// Writes what waits, and returns when it is safe; nothing is taken afterwards. What is owed to the webhook is delivered
    /// after the next start.
    pub fn close(&self) {
        if let Some(webhook) = &self.0.webhook {
            webhook.abort();
        }
        self.0.writer.close();
    }
}
