//! `[records]`: what is kept of sessions that have ended, and who is told.

use std::time::Duration;

use super::Rules;
use crate::config::error::Cause;
use crate::config::schema::{RecordsTable, UserIds};
use crate::config::secrets::Source;
use crate::config::units::HumanDuration;
use crate::records::{self, RecordSettings, WebhookSettings};

pub(super) fn records(written: &RecordsTable, rules: &mut Rules<'_>) -> Option<RecordSettings> {
    rules.in_range("records.keep", &written.keep, LEAST_KEEP..=MOST_KEEP);
    let webhook = webhook(written, rules);
    Some(RecordSettings {
        database: rules.path(written.database.as_ref()?),
        keep: written.keep.0,
        user_ids: match written.user_ids {
            UserIds::Plain => records::UserIds::Plain,
            UserIds::Hashed => records::UserIds::Hashed,
            UserIds::None => records::UserIds::Left,
        },
        webhook,
    })
}

fn webhook(written: &RecordsTable, rules: &mut Rules<'_>) -> Option<WebhookSettings> {
    const SECTION: &str = "records.webhook";
    let webhook = &written.webhook;
    rules.in_range("records.webhook.timeout", &webhook.timeout, LEAST_TIMEOUT..=MOST_TIMEOUT);
    rules.in_range("records.webhook.queue", &webhook.queue, 1..=MOST_WAITING);
    let source = Source { key: "secret", value: webhook.secret.as_ref(), file: webhook.secret_file.as_ref() };
    let Some(url) = &webhook.url else {
        if source.is_given() || webhook.ca_file.is_some() {
            rules.refuse(SECTION, Cause::WebhookWithoutUrl);
        }
        return None;
    };
    if written.database.is_none() {
        rules.refuse("records.webhook.url", Cause::WebhookWithoutDatabase);
    }
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
        queue: webhook.queue,
    })
}

const LEAST_KEEP: HumanDuration = HumanDuration(Duration::from_secs(3600));
const MOST_KEEP: HumanDuration = HumanDuration(Duration::from_secs(3650 * 24 * 3600));
const LEAST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_millis(100));
const MOST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_secs(60));
/// Some 30 GB.
const MOST_WAITING: u64 = 100_000_000;
/// As random hexadecimal digits this is 64 bits, the least that nobody guesses.
const LEAST_SECRET_CHARACTERS: usize = 16;
