//! `[records]`: what is kept of sessions that have ended, and who is told.

use std::time::Duration;

use super::Rules;
use crate::config::error::Cause;
use crate::config::schema::{RecordsTable, UserIds};
use crate::config::secrets::Source;
use crate::config::units::{ByteSize, HumanDuration};
use crate::records::{self, FileSettings, PostgresSettings, RecordSettings, WebhookSettings};

pub(super) fn records(written: &RecordsTable, rules: &mut Rules<'_>) -> Option<RecordSettings> {
    rules.in_range("records.keep", &written.keep, LEAST_KEEP..=MOST_KEEP);
    rules.in_range("records.queue", &written.queue, 1..=MOST_WAITING);
    let webhook = webhook(written, rules);
    let file = file(written, rules);
    let postgres = postgres(written, rules);
    Some(RecordSettings {
        database: rules.path(written.database.as_ref()?),
        keep: written.keep.0,
        user_ids: match written.user_ids {
            UserIds::Plain => records::UserIds::Plain,
            UserIds::Hashed => records::UserIds::Hashed,
            UserIds::None => records::UserIds::Left,
        },
        queue: written.queue,
        webhook,
        file,
        postgres,
    })
}

fn webhook(written: &RecordsTable, rules: &mut Rules<'_>) -> Option<WebhookSettings> {
    const SECTION: &str = "records.webhook";
    let webhook = &written.webhook;
    rules.in_range("records.webhook.timeout", &webhook.timeout, LEAST_TIMEOUT..=MOST_TIMEOUT);
    let source = Source { key: "secret", value: webhook.secret.as_ref(), file: webhook.secret_file.as_ref() };
    let Some(url) = &webhook.url else {
        if source.is_given() || webhook.ca_file.is_some() {
            rules.refuse(SECTION, Cause::WebhookWithoutUrl);
        }
        return None;
    };
    needs_database("records.webhook.url", written, rules);
    let secret = rules.required(SECTION, &source)?;
    if secret.expose().chars().count() < LEAST_SECRET_CHARACTERS {
        let key = format!("{SECTION}.{}", source.written_key());
        rules.refuse(&key, Cause::ShortSecret { least: LEAST_SECRET_CHARACTERS });
    }
    Some(WebhookSettings {
        url: url.uri().clone(),
        secret,
        ca_file: webhook.ca_file.as_ref().map(|path| rules.path(path)),
        timeout: webhook.timeout.0,
    })
}

fn file(written: &RecordsTable, rules: &mut Rules<'_>) -> Option<FileSettings> {
    let file = &written.file;
    rules.in_range("records.file.max_size", &file.max_size, LEAST_FILE..=LARGEST_FILE);
    rules.in_range("records.file.files", &file.files, 1..=MOST_FILES);
    let path = file.path.as_ref()?;
    needs_database("records.file.path", written, rules);
    Some(FileSettings { path: rules.path(path), max_bytes: file.max_size.0 as u64, files: file.files })
}

fn postgres(written: &RecordsTable, rules: &mut Rules<'_>) -> Option<PostgresSettings> {
    const SECTION: &str = "records.postgres";
    let postgres = &written.postgres;
    rules.in_range("records.postgres.timeout", &postgres.timeout, LEAST_TIMEOUT..=MOST_TIMEOUT);
    if !is_table_name(&postgres.table) {
        rules.refuse("records.postgres.table", Cause::MalformedTableName);
    }
    let source = Source { key: "url", value: postgres.url.as_ref(), file: postgres.url_file.as_ref() };
    if !source.is_given() {
        return None;
    }
    let key = format!("{SECTION}.{}", source.written_key());
    needs_database(&key, written, rules);
    Some(PostgresSettings {
        url: rules.secret(SECTION, &source)?,
        table: postgres.table.clone(),
        ca_file: postgres.ca_file.as_ref().map(|path| rules.path(path)),
        timeout: postgres.timeout.0,
    })
}

/// Whoever is told of records is told from the database.
fn needs_database(key: &str, written: &RecordsTable, rules: &mut Rules<'_>) {
    if written.database.is_none() {
        rules.refuse(key, Cause::TakerWithoutDatabase);
    }
}

/// Names that need no quotes, so that nothing but a name can be written there.
fn is_table_name(name: &str) -> bool {
    let is_word = |word: &str| {
        let mut bytes = word.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && word.len() <= LONGEST_TABLE_NAME
    };
    name.split('.').count() <= 2 && name.split('.').all(is_word)
}

const LEAST_KEEP: HumanDuration = HumanDuration(Duration::from_secs(3600));
const MOST_KEEP: HumanDuration = HumanDuration(Duration::from_secs(3650 * 24 * 3600));
const LEAST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_millis(100));
const MOST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_secs(60));
/// Some 30 GB.
const MOST_WAITING: u64 = 100_000_000;
/// As random hexadecimal digits this is 64 bits, the least that nobody guesses.
const LEAST_SECRET_CHARACTERS: usize = 16;
const LEAST_FILE: ByteSize = ByteSize(1 << 20);
const LARGEST_FILE: ByteSize = ByteSize(1 << 40);
const MOST_FILES: u32 = 1000;
/// PostgreSQL cuts names at 63 bytes, and its index has ten more.
const LONGEST_TABLE_NAME: usize = 50;
