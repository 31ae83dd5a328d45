//! `[records]`: what is kept of sessions that have ended, and who is told.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::auth_hook::HookUrl;
use super::choices::UserIds;
use super::units::HumanDuration;
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
    /// A service that is told of each record.
    pub webhook: RecordsWebhook,
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
    /// Records that may wait, 1 to 100000000. What is beyond is not told, the oldest first; it stays in the database.
    pub queue: u64,
}
