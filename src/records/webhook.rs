//! `Webhook`: tells a service of each record, until it says that it has it.
//!
//! Messages are those of Standard Webhooks: `webhook-id`, which is the session's id and stays the same when a message
//! comes again, `webhook-timestamp`, and `webhook-signature`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use sha2::Sha256;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::delivery::{Take, Taken};
use super::error::RecordsError;
use super::record::SessionRecord;
use super::settings::WebhookSettings;
use super::writer::now_ms;
use crate::https_client::{HttpsClient, https_client};
use crate::telemetry::Taker;
use crate::tls;

/// What tells the service; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Webhook(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: HttpsClient,
    settings: WebhookSettings,
}

/// Why a record was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebhookError {
    #[error("it cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("it took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self, RecordsError> {
        let tls = match settings.url.scheme_str() {
            Some("https") => tls::client_config(settings.ca_file.as_deref()).map_err(RecordsError::Tls)?,
            _ => tls::client_config_of_nobody(),
        };
        let client = https_client(tls, settings.timeout, IDLE_CONNECTION);
        Ok(Self(Arc::new(Shared { client, settings: settings.clone() })))
    }
}

impl Take for Webhook {
    const TAKER: Taker = Taker::Webhook;
    /// Messages under way at once.
    const AT_ONCE: usize = 16;
    type Error = WebhookError;

    async fn take(&mut self, records: Vec<SessionRecord>) -> Taken<WebhookError> {
        let mut under_way = JoinSet::new();
        for record in records {
            let webhook = Arc::clone(&self.0);
            under_way.spawn(async move {
                let sent = webhook.send(&record).await;
                (record.opening.session, sent)
            });
        }
        let mut taken = Taken { sessions: Vec::new(), failure: None };
        while let Some(done) = under_way.join_next().await {
            match done {
                Ok((session, Ok(()))) => taken.sessions.push(session),
                Ok((_, Err(error))) => taken.failure = Some(error),
                // A panic was reported when it happened; the record stays owed.
                Err(_) => {}
            }
        }
        taken
    }
}

impl Shared {
    async fn send(&self, record: &SessionRecord) -> Result<(), WebhookError> {
        let request = self.request(record, now_ms() / 1000);
        let within = self.settings.timeout;
        let answer = timeout(within, self.client.request(request)).await;
        let answer =
            answer.map_err(|_| WebhookError::TimedOut(within))?.map_err(WebhookError::Unreachable)?;
        if answer.status().is_success() { Ok(()) } else { Err(WebhookError::Status(answer.status())) }
    }

    fn request(&self, record: &SessionRecord, timestamp: i64) -> Request<Full<Bytes>> {
        let body = json!({"type": "session.ended", "version": MESSAGE_VERSION, "data": record}).to_string();
        let id = &record.opening.session;
        let signature = sign(self.settings.secret.expose(), id, timestamp, &body);
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.settings.url.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let text = |value: &str| HeaderValue::from_str(value).expect("ids and signatures are visible ASCII");
        headers.insert("webhook-id", text(id));
        headers.insert("webhook-timestamp", HeaderValue::from(timestamp));
        headers.insert("webhook-signature", text(&signature));
        request
    }
}

/// `v1,` and the HMAC-SHA256 of id, timestamp and body, as Standard Webhooks has it.
fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    let decoded = secret.strip_prefix("whsec_").and_then(|text| BASE64_STANDARD.decode(text).ok());
    let key = decoded.as_deref().unwrap_or(secret.as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// What a message has is what [`SessionRecord`] has; a change that breaks readers is another version.
const MESSAGE_VERSION: u8 = 1;
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_standard_webhooks_does() {
        // The example of the specification's libraries.
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
