//! What an operator can choose about records.

use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::secret::Secret;
use crate::telemetry::Taker;

/// Settings of the records of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSettings {
    /// The SQLite file, which is made if it is not there. No two processes may have the same.
    pub database: PathBuf,
    /// How long a record is kept; default 90 days.
    pub keep: Duration,
    /// How user ids stand in records; default as they came.
    pub user_ids: UserIds,
    /// Records that may wait for each of those who are told of them; default 1,000,000. What is beyond is lost to them, the
    /// oldest first, and counted.
    pub queue: u64,
    /// A service that is told of each record; default none.
    pub webhook: Option<WebhookSettings>,
    /// A file that gets a line for each record; default none.
    pub file: Option<FileSettings>,
    /// A PostgreSQL database that gets a row for each record; default none.
    pub postgres: Option<PostgresSettings>,
}

/// How user ids stand in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIds {
    /// As they came.
    Plain,
    /// As 32 hexadecimal digits of a SHA-256 of client and id. Who can guess an id can still check it.
    Hashed,
    /// Not at all.
    Left,
}

/// A service that is told of each record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where it is told, by HTTP or HTTPS.
    pub url: http::Uri,
    /// What messages are signed with; `whsec_` and base64 as Standard Webhooks has it, or any text.
    pub secret: Secret,
    /// The issuers that the service's certificate is checked by, as PEM; by default those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How long an answer may take; default 10 s.
    pub timeout: Duration,
}

/// A file that gets a line of JSON for each record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// The file, which is made if it is not there.
    pub path: PathBuf,
    /// A file that would become larger is put aside as `.1`, and a new one begins; default 100 MB.
    pub max_bytes: u64,
    /// How many files are kept, the one that is written among them; default 10.
    pub files: u32,
}

/// A database of PostgreSQL that gets a row for each record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// Where it is, as a URL or as words; it holds a password.
    pub url: Secret,
    /// The table, which is made if it is not there; default `turnpike_records`.
    pub table: String,
    /// The issuers that the server's certificate is checked by, as PEM; by default those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How long a batch may take; default 10 s.
    pub timeout: Duration,
}

impl RecordSettings {
    /// Who is told.
    pub(super) fn takers(&self) -> Vec<Taker> {
        let is_told = |taker: &Taker| match taker {
            Taker::Webhook => self.webhook.is_some(),
            Taker::File => self.file.is_some(),
            Taker::Postgres => self.postgres.is_some(),
        };
        Taker::ALL.into_iter().filter(is_told).collect()
    }
}

impl UserIds {
    pub(super) fn apply(self, client: &str, user_id: &mut Option<String>) {
        match self {
            Self::Plain => {}
            Self::Left => *user_id = None,
            Self::Hashed => {
                *user_id = user_id.take().map(|user_id| {
                    let hash =
                        Sha256::new_with_prefix(b"turnpike user\0").chain_update(client).chain_update([0]);
                    let hash = hash.chain_update(&user_id).finalize();
                    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
                });
            }
        }
    }
}
