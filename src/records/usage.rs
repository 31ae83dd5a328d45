//! What was used, summed up from the records.

use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags, params};
use serde::Serialize;

use super::database::BUSY;
use super::record::Traffic;

/// By what usage is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The keys that opened the sessions.
    Key,
    /// Whose keys those were.
    Client,
    /// The user ids of the offers.
    UserId,
}

/// Sessions that ended in a period: from one millisecond of Unix time on, and before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first millisecond.
    pub from_ms: i64,
    /// The first that is not in it any more.
    pub to_ms: i64,
}

/// What one key, client or user used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Which; none for sessions without a user id.
    pub group: Option<String>,
    /// Sessions that ended in the period.
    pub sessions: u64,
    /// How long they lived, together.
    pub duration_ms: u64,
    /// What was relayed for them.
    pub traffic: Traffic,
}

/// Why usage cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The database cannot be read.
    #[error("the records cannot be read")]
    Database(#[source] rusqlite::Error),
    /// The reader broke down.
    #[error("the reader of the records broke down")]
    Reader,
}

/// Reads beside the writer.
#[derive(Debug)]
pub(super) struct UsageReader {
    database: PathBuf,
}

impl UsageReader {
    pub(super) fn new(database: PathBuf) -> Self {
        Self { database }
    }

    pub(super) async fn read(&self, group_by: GroupBy, period: Period) -> Result<Vec<Usage>, UsageError> {
        let database = self.database.clone();
        let read = move || sum_up(&database, group_by, period).map_err(UsageError::Database);
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(UsageError::Reader))
    }
}

fn sum_up(database: &PathBuf, group_by: GroupBy, period: Period) -> rusqlite::Result<Vec<Usage>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(BUSY)?;
    let column = match group_by {
        GroupBy::Key => "key",
        GroupBy::Client => "client",
        GroupBy::UserId => "user_id",
    };
    let mut statement = connection.prepare(&format!(
        "SELECT {column}, count(*), sum(duration_ms), sum(packets_to_peer), sum(bytes_to_peer), \
         sum(packets_to_client), sum(bytes_to_client) FROM records \
         WHERE ended_at_ms >= ?1 AND ended_at_ms < ?2 GROUP BY {column} \
         ORDER BY sum(bytes_to_peer) + sum(bytes_to_client) DESC, count(*) DESC, {column} LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![period.from_ms, period.to_ms, MOST_GROUPS], |row| {
        let number = |index: usize| row.get(index).map(|number: i64| u64::try_from(number).unwrap_or(0));
        Ok(Usage {
            group: row.get(0)?,
            sessions: number(1)?,
            duration_ms: number(2)?,
            traffic: Traffic {
                packets_to_peer: number(3)?,
                bytes_to_peer: number(4)?,
                packets_to_client: number(5)?,
                bytes_to_client: number(6)?,
            },
        })
    })?;
    rows.collect()
}

/// The largest by bytes; who wants all of them has the database.
const MOST_GROUPS: i64 = 1000;
