//! `Postgres`: a row for each record in a database that replicas share.

use std::str::FromStr;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

use super::delivery::{Take, Taken};
use super::error::RecordsError;
use super::record::SessionRecord;
use super::settings::PostgresSettings;
use crate::telemetry::{ErrorChain, Taker};
use crate::tls;

/// The way to the database, which is opened when there is something to bring.
pub(super) struct Postgres {
    config: Config,
    tls: MakeRustlsConnect,
    table: String,
    timeout: Duration,
    client: Option<Client>,
}

/// Why the database has not taken records.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostgresError {
    #[error("PostgreSQL cannot be reached")]
    Connect(#[source] tokio_postgres::Error),
    #[error("PostgreSQL has no table for records, and makes none")]
    Table(#[source] tokio_postgres::Error),
    #[error("PostgreSQL does not take records")]
    Insert(#[source] tokio_postgres::Error),
    #[error("a record cannot be written as JSON")]
    Json(#[source] serde_json::Error),
    #[error("PostgreSQL took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl Postgres {
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, RecordsError> {
        let mut config = Config::from_str(settings.url.expose()).map_err(RecordsError::PostgresUrl)?;
        if config.get_application_name().is_none() {
            config.application_name("turnpike");
        }
        config.connect_timeout(settings.timeout);
        let tls = tls::client_config(settings.ca_file.as_deref()).map_err(RecordsError::PostgresTls)?;
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls),
            table: settings.table.clone(),
            timeout: settings.timeout,
            client: None,
        })
    }

    /// All records become rows, or none; those that are rows already stay as they are.
    async fn insert(&mut self, records: &[SessionRecord]) -> Result<(), PostgresError> {
        let rows = serde_json::to_string(&records.iter().map(storable).collect::<Vec<_>>());
        let rows = rows.map_err(PostgresError::Json)?;
        let client = match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => self.connect().await?,
        };
        // One statement is one transaction. Only a connection that is known to be good is used again.
        client.execute(&insert(&self.table), &[&rows]).await.map_err(PostgresError::Insert)?;
        self.client = Some(client);
        Ok(())
    }

    async fn connect(&self) -> Result<Client, PostgresError> {
        let connected = self.config.connect(self.tls.clone()).await;
        let (client, connection) = connected.map_err(PostgresError::Connect)?;
        tokio::spawn(async move {
            // Whoever uses the client is told as well.
            if let Err(error) = connection.await {
                debug!(error = %ErrorChain(&error), "connection to PostgreSQL lost");
            }
        });
        self.make_table(&client).await.map_err(PostgresError::Table)?;
        Ok(client)
    }

    /// Makes the table, unless it is there: then no right to make tables is needed.
    async fn make_table(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let known = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&self.table]).await?;
        if known.get(0) {
            return Ok(());
        }
        match client.batch_execute(&schema(&self.table)).await {
            // Another replica was faster, by a moment.
            Err(error)
                if [&SqlState::DUPLICATE_TABLE, &SqlState::UNIQUE_VIOLATION]
                    .into_iter()
                    .any(|state| error.code() == Some(state)) =>
            {
                Ok(())
            }
            made => made,
        }
    }
}

impl Take for Postgres {
    const TAKER: Taker = Taker::Postgres;
    /// Some 250 KB.
    const AT_ONCE: usize = 500;
    type Error = PostgresError;

    async fn take(&mut self, records: Vec<SessionRecord>) -> Taken<PostgresError> {
        let within = self.timeout;
        let result = timeout(within, self.insert(&records)).await;
        Taken::whole(&records, result.unwrap_or(Err(PostgresError::TimedOut(within))))
    }
}

/// PostgreSQL has no character for zero, and somebody's user id might.
fn storable(record: &SessionRecord) -> SessionRecord {
    let mut record = record.clone();
    if let Some(user_id) = &mut record.opening.user_id
        && user_id.contains('\0')
    {
        *user_id = user_id.replace('\0', "\u{fffd}");
    }
    record
}

/// Names have been checked to be made of letters, digits, `_` and dots.
fn insert(table: &str) -> String {
    let names = COLUMNS.map(|(name, _)| name).join(", ");
    let typed = COLUMNS.map(|(name, kind)| format!("{name} {}", kind.trim_end_matches(NOT_NULL))).join(", ");
    format!(
        "INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_to_recordset($1::text::jsonb) AS records ({typed}) \
         ON CONFLICT (session) DO NOTHING"
    )
}

fn schema(table: &str) -> String {
    let columns = COLUMNS.map(|(name, kind)| format!("{name} {kind}")).join(", ");
    let index = table.replace('.', "_");
    format!(
        "BEGIN; CREATE TABLE {table} ({columns}, PRIMARY KEY (session)); \
         CREATE INDEX {index}_by_end ON {table} (ended_at_ms); COMMIT"
    )
}

/// As in the file, under the names that records have as JSON.
const COLUMNS: [(&str, &str); 22] = [
    ("session", "text NOT NULL"),
    ("client", "text NOT NULL"),
    ("key", "text NOT NULL"),
    ("user_id", "text"),
    ("backend", "text"),
    ("began_at_ms", "bigint NOT NULL"),
    ("ended_at_ms", "bigint NOT NULL"),
    ("duration_ms", "bigint NOT NULL"),
    ("reason", "text NOT NULL"),
    ("state", "text NOT NULL"),
    ("packets_to_peer", "bigint NOT NULL"),
    ("bytes_to_peer", "bigint NOT NULL"),
    ("packets_to_client", "bigint NOT NULL"),
    ("bytes_to_client", "bigint NOT NULL"),
    ("client_loss", "double precision"),
    ("client_jitter_ms", "double precision"),
    ("client_frame_rate", "double precision"),
    ("client_round_trip_ms", "double precision"),
    ("peer_loss", "double precision"),
    ("peer_jitter_ms", "double precision"),
    ("peer_frame_rate", "double precision"),
    ("peer_round_trip_ms", "double precision"),
];
const NOT_NULL: &str = " NOT NULL";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::record;

    #[test]
    fn each_member_of_a_record_has_a_column() {
        let mut whole = record("one");
        let quality = &mut whole.quality;
        quality.client_jitter_ms = Some(1.0);
        quality.client_frame_rate = Some(1.0);
        quality.client_round_trip_ms = Some(1.0);
        quality.peer_loss = Some(0.0);
        quality.peer_jitter_ms = Some(1.0);
        quality.peer_frame_rate = Some(1.0);
        let json = serde_json::to_value(&whole).unwrap();
        let mut members: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut columns = COLUMNS.map(|(name, _)| name);
        members.sort_unstable();
        columns.sort_unstable();
        assert_eq!(members, columns);
    }

    #[test]
    fn a_zero_in_a_user_id_is_replaced() {
        let mut record = record("one");
        record.opening.user_id = Some("a\0b".to_owned());
        assert_eq!(storable(&record).opening.user_id.as_deref(), Some("a\u{fffd}b"));
    }

    #[test]
    fn a_url_that_is_none_is_an_error_at_the_start() {
        let settings = PostgresSettings {
            url: crate::secret::Secret::new("postgres://host:port/"),
            table: "turnpike_records".to_owned(),
            ca_file: None,
            timeout: Duration::from_secs(10),
        };
        assert!(matches!(Postgres::new(&settings), Err(RecordsError::PostgresUrl(_))));
    }
}
