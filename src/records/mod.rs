//! Records: what is kept of each session when it has ended, and who is told of it.
//!
//! ```text
//! sessions begin, go on and end ──▶ Records ──▶ writer thread ──▶ SQLite ──▶ usage, for the admin API
//!                                   (a queue,    (one transaction    │
//!                                    bounded)     for many)          └─ owed ─▶ webhook, file, PostgreSQL: until it is taken
//! ```
//!
//! In: openings, counts and ends of sessions. Out: rows, here and in PostgreSQL, each exactly once; messages and lines, each
//! at least once, with an id by which the repeat is known. A session that was there when the process was killed gets its record at the next
//! start. Everything that waits is bounded, and what is lost at a bound is counted.

mod database;
mod delivery;
mod error;
mod file;
mod postgres;
mod record;
mod settings;
mod usage;
mod webhook;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

pub use error::RecordsError;
pub use record::{RecordQuality, SessionOpening, SessionRecord, Traffic};
pub use settings::{FileSettings, PostgresSettings, RecordSettings, UserIds, WebhookSettings};
pub use usage::{GroupBy, Period, Usage, UsageError};

use tokio::task::JoinSet;

use crate::telemetry::RecordMetrics;
use delivery::deliver;
use file::RecordFile;
use postgres::Postgres;
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
    deliveries: Mutex<JoinSet<()>>,
}

impl Records {
    /// Opens the database, gives the sessions that a process before left behind their records, and begins to deliver;
    /// needs a runtime.
    pub fn open(settings: &RecordSettings, metrics: RecordMetrics) -> Result<Self, RecordsError> {
        let webhook = settings.webhook.as_ref().map(Webhook::new).transpose()?;
        let file = settings.file.as_ref().map(RecordFile::new).transpose()?;
        let postgres = settings.postgres.as_ref().map(Postgres::new).transpose()?;
        let (writer, news) = Writer::start(settings, metrics.clone())?;
        let usage = UsageReader::new(settings.database.clone());
        let mut deliveries = JoinSet::new();
        let database = || settings.database.clone();
        if let Some(webhook) = webhook {
            deliveries.spawn(deliver(webhook, database(), news.clone(), metrics.clone()));
        }
        if let Some(file) = file {
            deliveries.spawn(deliver(file, database(), news.clone(), metrics.clone()));
        }
        if let Some(postgres) = postgres {
            deliveries.spawn(deliver(postgres, database(), news, metrics));
        }
        let deliveries = Mutex::new(deliveries);
        Ok(Self(Arc::new(Shared { writer, usage, user_ids: settings.user_ids, deliveries })))
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

    /// Writes what waits, and returns when it is safe; nothing is taken afterwards. What is owed is delivered after the next
    /// start.
    pub fn close(&self) {
        self.0.deliveries.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.0.writer.close();
    }
}
