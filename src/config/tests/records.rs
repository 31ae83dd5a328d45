//! `[records]` in the settings, and its rules.

use std::time::Duration;

use super::Files;
use super::errors::refused;
use crate::records::{RecordSettings, UserIds, WebhookSettings};
use crate::secret::Secret;

#[test]
fn every_option_of_records_arrives() {
    let config = r#"
[records]
database = "records.db"
keep = "7d"
user_ids = "hashed"
[records.webhook]
url = "https://billing.example.org/turnpike"
secret_file = "webhook.secret"
ca_file = "webhook-ca.crt"
timeout = "3s"
queue = 17
"#;
    let files = Files::new(config).with("webhook.secret", "0123456789abcdef\n");
    let folder = files.folder.path();
    let expected = RecordSettings {
        database: folder.join("records.db"),
        keep: Duration::from_secs(7 * 24 * 3600),
        user_ids: UserIds::Hashed,
        webhook: Some(WebhookSettings {
            url: "https://billing.example.org/turnpike".parse().unwrap(),
            secret: Secret::new("0123456789abcdef"),
            ca_file: Some(folder.join("webhook-ca.crt")),
            timeout: Duration::from_secs(3),
            queue: 17,
        }),
    };
    assert_eq!(files.load(&[]).unwrap().records, Some(expected));
}

#[test]
fn rules_of_records() {
    let config = r#"
[records]
keep = "1s"
[records.webhook]
url = "http://127.0.0.1:8200/"
secret = "short"
timeout = "2m"
queue = 0
"#;
    let expected = [
        "turnpike.toml:3:8: records.keep: `1s` is out of range; write 1h to 3650d",
        "turnpike.toml:5:7: records.webhook.url: needs records.database, where records wait until they are taken; \
         name a file there",
        "turnpike.toml:6:10: records.webhook.secret: is shorter than 16 characters; make a longer one, for example \
         with `openssl rand -hex 32`",
        "turnpike.toml:7:11: records.webhook.timeout: `2m` is out of range; write 100ms to 1m",
        "turnpike.toml:8:9: records.webhook.queue: `0` is out of range; write 1 to 100000000",
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
