//! `[records]` in the settings, and its rules.

use std::time::Duration;

use super::Files;
use super::errors::refused;
use crate::records::{FileSettings, PostgresSettings, RecordSettings, UserIds, WebhookSettings};
use crate::secret::Secret;

#[test]
fn every_option_of_records_arrives() {
    let config = r#"
[records]
database = "records.db"
keep = "7d"
user_ids = "hashed"
queue = 17
[records.webhook]
url = "https://billing.example.org/turnpike"
secret_file = "webhook.secret"
ca_file = "webhook-ca.crt"
timeout = "3s"
[records.file]
path = "records.jsonl"
max_size = "5MiB"
files = 3
[records.postgres]
url_file = "postgres.url"
table = "billing.sessions"
ca_file = "postgres-ca.crt"
timeout = "4s"
"#;
    let url = "postgres://turnpike:password@db/billing";
    let files = Files::new(config)
        .with("webhook.secret", "0123456789abcdef\n")
        .with("postgres.url", &format!("{url}\n"));
    let folder = files.folder.path();
    let expected = RecordSettings {
        database: folder.join("records.db"),
        keep: Duration::from_secs(7 * 24 * 3600),
        user_ids: UserIds::Hashed,
        queue: 17,
        webhook: Some(WebhookSettings {
            url: "https://billing.example.org/turnpike".parse().unwrap(),
            secret: Secret::new("0123456789abcdef"),
            ca_file: Some(folder.join("webhook-ca.crt")),
            timeout: Duration::from_secs(3),
        }),
        file: Some(FileSettings { path: folder.join("records.jsonl"), max_bytes: 5 << 20, files: 3 }),
        postgres: Some(PostgresSettings {
            url: Secret::new(url),
            table: "billing.sessions".to_owned(),
            ca_file: Some(folder.join("postgres-ca.crt")),
            timeout: Duration::from_secs(4),
        }),
    };
    assert_eq!(files.load(&[]).unwrap().records, Some(expected));
}

#[test]
fn rules_of_records() {
    let config = r#"
[records]
keep = "1s"
queue = 0
[records.webhook]
url = "http://127.0.0.1:8200/"
secret = "short"
timeout = "2m"
[records.file]
path = "records.jsonl"
max_size = "1KiB"
files = 0
[records.postgres]
url = "postgres://db/"
table = "records; DROP TABLE users"
timeout = "0s"
"#;
    let without_database =
        "needs records.database, where records wait until they are taken; name a file there";
    let expected = [
        "turnpike.toml:3:8: records.keep: `1s` is out of range; write 1h to 3650d".to_owned(),
        "turnpike.toml:4:9: records.queue: `0` is out of range; write 1 to 100000000".to_owned(),
        format!("turnpike.toml:6:7: records.webhook.url: {without_database}"),
        "turnpike.toml:7:10: records.webhook.secret: is shorter than 16 characters; make a longer one, for example \
         with `openssl rand -hex 32`"
            .to_owned(),
        "turnpike.toml:8:11: records.webhook.timeout: `2m` is out of range; write 100ms to 1m".to_owned(),
        format!("turnpike.toml:10:8: records.file.path: {without_database}"),
        "turnpike.toml:11:12: records.file.max_size: `1KiB` is out of range; write 1MiB to 1024GiB".to_owned(),
        "turnpike.toml:12:9: records.file.files: `0` is out of range; write 1 to 1000".to_owned(),
        format!("turnpike.toml:14:7: records.postgres.url: {without_database}"),
        "turnpike.toml:15:9: records.postgres.table: is no name of a table; write lower-case letters, digits and `_`, \
         with a schema before a dot if you like"
            .to_owned(),
        "turnpike.toml:16:11: records.postgres.timeout: `0s` is out of range; write 100ms to 1m".to_owned(),
    ];
    assert_eq!(refused(config), expected);
    assert_eq!(
        refused("[records.webhook]\nsecret = \"0123456789abcdef\""),
        [
            "turnpike.toml:1:1: records.webhook: says how a webhook is told and not where; give url too, or leave the \
          section out"
        ]
    );
    assert_eq!(
        refused("[records]\ndatabase = \"records.db\"\n[records.webhook]\nurl = \"http://127.0.0.1/\""),
        ["turnpike.toml:3:1: records.webhook: has neither secret nor secret_file; give one"]
    );
}
