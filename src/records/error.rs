//! Why records cannot be kept.

use std::path::PathBuf;

use crate::tls::TlsError;

/// Why records cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Another process has the database.
    #[error("records.database {} is another process's; give each process its own", .0.display())]
    Taken(PathBuf),
    /// The file beside the database that says whose it is.
    #[error("cannot lock records.database {}; its folder must exist and be writable", path.display())]
    Lock {
        /// The database.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The database cannot be opened or read.
    #[error("cannot use records.database {}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The database was written by a later version.
    #[error("records.database {} is of version {version}, and this program knows up to {known}", path.display())]
    Version {
        /// The database.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// Ours.
        known: i64,
    },
    /// There is no thread for it.
    #[error("cannot start the thread that writes records")]
    Thread(#[source] std::io::Error),
    /// The file of lines.
    #[error("records.file.path {} cannot be written to; its folder must exist and be writable", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The URL of PostgreSQL.
    #[error("records.postgres.url is none; it looks like postgres://user:password@host:5432/database")]
    PostgresUrl(#[source] tokio_postgres::Error),
    /// The issuers of PostgreSQL's certificate.
    #[error("records.postgres.ca_file cannot be used")]
    PostgresTls(#[source] TlsError),
    /// The issuers of the webhook's certificate.
    #[error("records.webhook.ca_file cannot be used")]
    Tls(#[source] TlsError),
}
