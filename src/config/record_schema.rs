//! `[records]`: what is kept of sessions that have ended, and who is told.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::auth_hook::HookUrl;
use super::choices::UserIds;
use super::units::{ByteSize, HumanDuration};
use crate::secret::Secret;

/// What is kept of sessions that have ended.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsTable {
    /// A SQLite file that gets one record for each session; it is made if it is not there. Without it no records are
    /// kept, and each session only has its line in the log. Each process needs one of its own. docs/RECORDS.md says what
    /// stands in it.
    #[schemars(example = &"/var/lib/turnpike/records.db")]
    pub database: Option<PathBuf>,
    /// How long a record is kept, 1h to 3650d.
    pub keep: HumanDuration,
    /// How user ids stand in records: `plain` as they came, `hashed` as digits that stand for them, or `none`.
    pub user_ids: UserIds,
    /// Records that may wait for each of those who are told of them, 1 to 100000000. What is beyond is not told, the oldest
    /// first; it stays in the database.
    pub queue: u64,
    /// A service that is told of each record.
    pub webhook: RecordsWebhook,
    /// A file that gets a line of JSON for each record.
    pub file: RecordsFile,
    /// A database of PostgreSQL that gets a row for each record; replicas may share one.
    pub postgres: RecordsPostgres,
}

/// A file that gets a line of JSON for each record.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsFile {
    /// The file, which is made if it is not there. Needs records.database. Others may rename it while it is written; then a
    /// new one begins.
    #[schemars(example = &"/var/lib/turnpike/records.jsonl")]
    pub path: Option<PathBuf>,
    /// A file that would become larger is renamed to end in `.1`, one that did to end in `.2` and so on, and a new one
    /// begins; 1MiB to 1024GiB.
    pub max_size: ByteSize,
    /// How many files are kept, the one that is written among them, 1 to 1000.
    pub files: u32,
}

/// A database of PostgreSQL that gets a row for each record.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsPostgres {
    /// Where it is. Needs records.database. With `sslmode=require` the server must speak TLS, and its certificate is
    /// checked, by its name as well.
    #[schemars(example = &"postgres://turnpike:password@db.example.org/billing?sslmode=require")]
    pub url: Option<Secret>,
    /// A file that holds the URL.
    #[schemars(example = &"/run/secrets/turnpike-postgres")]
    pub url_file: Option<PathBuf>,
    /// The table, with its schema if you like. It is made if it is not there, for which the user needs the right.
    pub table: String,
    /// PEM file with the issuers that the server's certificate is checked by. Without it, those that the system trusts.
    #[schemars(example = &"/etc/turnpike/postgres-ca.crt")]
    pub ca_file: Option<PathBuf>,
    /// How long it may take to write a batch, 100ms to 1m.
    pub timeout: HumanDuration,
}

/// A service that is told of each record.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsWebhook {
    /// Where it is told, by HTTP or HTTPS. Needs records.database, where records wait until they are taken.
    #[schemars(example = &"https://billing.example.org/turnpike")]
    pub url: Option<HookUrl>,
    /// What messages are signed with, as Standard Webhooks has it: `whsec_` and base64, or any text of 16 characters or
    /// more.
    #[schemars(example = &"whsec_cmVwbGFjZS1tZS13aXRoLXJhbmRvbS10ZXh0")]
    pub secret: Option<Secret>,
    /// A file that holds it.
    #[schemars(example = &"/run/secrets/turnpike-webhook")]
    pub secret_file: Option<PathBuf>,
    /// PEM file with the issuers that the service's certificate is checked by. Without it, those that the system trusts.
    #[schemars(example = &"/etc/turnpike/webhook-ca.crt")]
    pub ca_file: Option<PathBuf>,
    /// How long an answer may take, 100ms to 1m.
    pub timeout: HumanDuration,
}
