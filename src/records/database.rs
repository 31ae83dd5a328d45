//! The SQLite file: its tables, and what is done in one transaction.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Row, Transaction, params};

use super::error::RecordsError;
use super::record::{CRASH, RecordQuality, SessionOpening, SessionRecord, Traffic};
use super::writer::Entry;
use crate::telemetry::Taker;

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    /// Held for as long as the file is ours.
    _lock: File,
}

impl Database {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, RecordsError> {
        let lock = lock(path)?;
        let failed = |source| RecordsError::Database { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(failed)?;
        // Readers do not wait for the writer, and what is committed outlives a crash of the machine.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;").map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if version > VERSION {
            return Err(RecordsError::Version { path: path.to_owned(), version, known: VERSION });
        }
        if version < VERSION {
            let transaction = connection.transaction().map_err(failed)?;
            let change = if version == 0 { SCHEMA } else { FROM_VERSION_1 };
            transaction.execute_batch(change).map_err(failed)?;
            transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
            transaction.commit().map_err(failed)?;
        }
        Ok(Self { connection, _lock: lock })
    }

    /// Gives up what is owed to nobody any more, since only these are there now; how much that was.
    pub(super) fn keep_takers(&mut self, takers: &[Taker]) -> rusqlite::Result<usize> {
        let gone = Taker::ALL.into_iter().filter(|taker| !takers.contains(taker));
        let mut given_up = 0;
        for taker in gone {
            given_up += self.connection.execute("DELETE FROM owed WHERE taker = ?1", [taker.label()])?;
        }
        Ok(given_up)
    }

    /// Gives sessions that a process before left behind their records; how many there were.
    pub(super) fn recover(&mut self, takers: &[Taker]) -> rusqlite::Result<usize> {
        let transaction = self.connection.transaction()?;
        let left = {
            let mut statement = transaction.prepare("SELECT * FROM live")?;
            let rows = statement.query_map([], |row| {
                let seen_at_ms: i64 = row.get("seen_at_ms")?;
                let opening = read_opening(row)?;
                let traffic = read_traffic(row)?;
                let duration_ms = (seen_at_ms - opening.began_at_ms).max(0);
                let state = if traffic == Traffic::default() { "answered" } else { "claimed" }.to_owned();
                let reason = CRASH.to_owned();
                let quality = RecordQuality::default();
                Ok(SessionRecord {
                    opening,
                    ended_at_ms: seen_at_ms,
                    duration_ms,
                    reason,
                    state,
                    traffic,
                    quality,
                })
            })?;
            rows.collect::<Result<Vec<_>, _>>()?
        };
        for record in &left {
            end(&transaction, record, takers)?;
        }
        transaction.commit()?;
        Ok(left.len())
    }

    /// Writes entries, all of them or none.
    pub(super) fn write(&mut self, entries: &[Entry], takers: &[Taker], now_ms: i64) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for entry in entries {
            match entry {
                Entry::Began(opening) => begin(&transaction, opening, now_ms)?,
                Entry::GoesOn(session, traffic) => go_on(&transaction, session, traffic, now_ms)?,
                Entry::Ended(record) => end(&transaction, record, takers)?,
            }
        }
        transaction.commit()
    }

    /// Forgets records that ended before a moment, a bounded number at once; how many.
    pub(super) fn forget(&mut self, before_ms: i64) -> rusqlite::Result<usize> {
        // What is still owed to somebody stays.
        self.connection.execute(
            "DELETE FROM records WHERE session IN (SELECT session FROM records WHERE ended_at_ms < ?1 \
             AND session NOT IN (SELECT session FROM owed) LIMIT ?2)",
            params![before_ms, FORGOTTEN_AT_ONCE],
        )
    }

    /// Gives up what is owed to somebody beyond a bound, the oldest first; how many.
    pub(super) fn bound_owed(&mut self, taker: Taker, most: u64) -> rusqlite::Result<usize> {
        let surplus = self.owed(taker)?.saturating_sub(most);
        if surplus == 0 {
            return Ok(0);
        }
        self.connection.execute(
            "DELETE FROM owed WHERE number IN (SELECT number FROM owed WHERE taker = ?1 ORDER BY number LIMIT ?2)",
            params![taker.label(), i64::try_from(surplus).unwrap_or(i64::MAX)],
        )
    }

    /// How many records are owed to somebody.
    pub(super) fn owed(&self, taker: Taker) -> rusqlite::Result<u64> {
        let count = "SELECT count(*) FROM owed WHERE taker = ?1";
        let count: i64 = self.connection.query_row(count, [taker.label()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// The connection of whoever pays what is owed.
#[derive(Debug)]
pub(super) struct Owed(Connection);

impl Owed {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        Ok(Self(connection))
    }

    /// The oldest records that are owed to somebody.
    pub(super) fn next(&self, taker: Taker, most: usize) -> rusqlite::Result<Vec<SessionRecord>> {
        let mut statement = self.0.prepare_cached(
            "SELECT records.* FROM owed JOIN records USING (session) WHERE taker = ?1 ORDER BY owed.number LIMIT ?2",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![taker.label(), most], read_record)?;
        rows.collect()
    }

    /// They have been taken.
    pub(super) fn paid(&mut self, taker: Taker, sessions: &[String]) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        for session in sessions {
            transaction
                .prepare_cached("DELETE FROM owed WHERE taker = ?1 AND session = ?2")?
                .execute(params![taker.label(), session])?;
        }
        transaction.commit()
    }
}

fn begin(transaction: &Transaction<'_>, opening: &SessionOpening, now_ms: i64) -> rusqlite::Result<()> {
    let SessionOpening { session, client, key, user_id, backend, began_at_ms } = opening;
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO live (session, client, key, user_id, backend, began_at_ms, seen_at_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![session, client, key, user_id, backend, began_at_ms, now_ms])?;
    Ok(())
}

fn go_on(
    transaction: &Transaction<'_>,
    session: &str,
    traffic: &Traffic,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let [packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client] = columns(traffic);
    transaction
        .prepare_cached(
            "UPDATE live SET seen_at_ms = ?2, packets_to_peer = ?3, bytes_to_peer = ?4, \
             packets_to_client = ?5, bytes_to_client = ?6 WHERE session = ?1",
        )?
        .execute(params![
            session,
            now_ms,
            packets_to_peer,
            bytes_to_peer,
            packets_to_client,
            bytes_to_client
        ])?;
    Ok(())
}

fn end(transaction: &Transaction<'_>, record: &SessionRecord, takers: &[Taker]) -> rusqlite::Result<()> {
    let SessionRecord { opening, ended_at_ms, duration_ms, reason, state, traffic, quality } = record;
    let SessionOpening { session, client, key, user_id, backend, began_at_ms } = opening;
    let [packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client] = columns(traffic);
    let is_new = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
             ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
        )?
        .execute(params![
            session,
            client,
            key,
            user_id,
            backend,
            began_at_ms,
            ended_at_ms,
            duration_ms,
            reason,
            state,
            packets_to_peer,
            bytes_to_peer,
            packets_to_client,
            bytes_to_client,
            quality.client_loss,
            quality.client_jitter_ms,
            quality.client_frame_rate,
            quality.client_round_trip_ms,
            quality.peer_loss,
            quality.peer_jitter_ms,
            quality.peer_frame_rate,
            quality.peer_round_trip_ms,
        ])?
        > 0;
    transaction.prepare_cached("DELETE FROM live WHERE session = ?1")?.execute([session])?;
    for taker in takers.iter().filter(|_| is_new) {
        transaction
            .prepare_cached("INSERT OR IGNORE INTO owed (taker, session) VALUES (?1, ?2)")?
            .execute(params![taker.label(), session])?;
    }
    Ok(())
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<SessionRecord> {
    Ok(SessionRecord {
        opening: read_opening(row)?,
        ended_at_ms: row.get("ended_at_ms")?,
        duration_ms: row.get("duration_ms")?,
        reason: row.get("reason")?,
        state: row.get("state")?,
        traffic: read_traffic(row)?,
        quality: read_quality(row)?,
    })
}

fn read_opening(row: &Row<'_>) -> rusqlite::Result<SessionOpening> {
    Ok(SessionOpening {
        session: row.get("session")?,
        client: row.get("client")?,
        key: row.get("key")?,
        user_id: row.get("user_id")?,
        backend: row.get("backend")?,
        began_at_ms: row.get("began_at_ms")?,
    })
}

fn read_traffic(row: &Row<'_>) -> rusqlite::Result<Traffic> {
    let count = |name: &str| row.get(name).map(|count: i64| u64::try_from(count).unwrap_or(0));
    Ok(Traffic {
        packets_to_peer: count("packets_to_peer")?,
        bytes_to_peer: count("bytes_to_peer")?,
        packets_to_client: count("packets_to_client")?,
        bytes_to_client: count("bytes_to_client")?,
    })
}

fn read_quality(row: &Row<'_>) -> rusqlite::Result<RecordQuality> {
    Ok(RecordQuality {
        client_loss: row.get("client_loss")?,
        client_jitter_ms: row.get("client_jitter_ms")?,
        client_frame_rate: row.get("client_frame_rate")?,
        client_round_trip_ms: row.get("client_round_trip_ms")?,
        peer_loss: row.get("peer_loss")?,
        peer_jitter_ms: row.get("peer_jitter_ms")?,
        peer_frame_rate: row.get("peer_frame_rate")?,
        peer_round_trip_ms: row.get("peer_round_trip_ms")?,
    })
}

/// SQLite's numbers have a sign.
fn columns(traffic: &Traffic) -> [i64; 4] {
    let Traffic { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client } = *traffic;
    [packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client]
        .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
}

/// Two processes with one file would take each other's live sessions for left behind.
fn lock(path: &Path) -> Result<File, RecordsError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let failed = |source| RecordsError::Lock { path: path.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&beside).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RecordsError::Taken(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

const VERSION: i64 = 2;

const SCHEMA: &str = "
CREATE TABLE records (
    session TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    key TEXT NOT NULL,
    user_id TEXT,
    backend TEXT,
    began_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    packets_to_peer INTEGER NOT NULL,
    bytes_to_peer INTEGER NOT NULL,
    packets_to_client INTEGER NOT NULL,
    bytes_to_client INTEGER NOT NULL,
    client_loss REAL,
    client_jitter_ms REAL,
    client_frame_rate REAL,
    client_round_trip_ms REAL,
    peer_loss REAL,
    peer_jitter_ms REAL,
    peer_frame_rate REAL,
    peer_round_trip_ms REAL
) WITHOUT ROWID;
CREATE INDEX records_by_end ON records (ended_at_ms);
CREATE TABLE live (
    session TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    key TEXT NOT NULL,
    user_id TEXT,
    backend TEXT,
    began_at_ms INTEGER NOT NULL,
    seen_at_ms INTEGER NOT NULL,
    packets_to_peer INTEGER NOT NULL DEFAULT 0,
    bytes_to_peer INTEGER NOT NULL DEFAULT 0,
    packets_to_client INTEGER NOT NULL DEFAULT 0,
    bytes_to_client INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE owed (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    taker TEXT NOT NULL,
    session TEXT NOT NULL,
    UNIQUE (taker, session)
);
CREATE INDEX owed_by_session ON owed (session);
";

/// Then nobody but a webhook was told.
const FROM_VERSION_1: &str = "
ALTER TABLE owed RENAME TO owed_1;
CREATE TABLE owed (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    taker TEXT NOT NULL,
    session TEXT NOT NULL,
    UNIQUE (taker, session)
);
CREATE INDEX owed_by_session ON owed (session);
INSERT INTO owed SELECT number, 'webhook', session FROM owed_1;
DROP TABLE owed_1;
";

/// A reader holds the file for milliseconds; a backup may for seconds.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Some 100 ms of work, so that records that end meanwhile wait no longer.
const FORGOTTEN_AT_ONCE: i64 = 10_000;
