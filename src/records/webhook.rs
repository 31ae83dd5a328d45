//! `Webhook`: tells a service of each record, until it says that it has it.
//!
//! Messages are those of Standard Webhooks: `webhook-id`, which is the session's id and stays the same when a message
//! comes again, `webhook-timestamp`, and `webhook-signature`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rand::RngExt;
use serde_json::json;
use sha2::Sha256;
use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::database::Owed;
use super::error::RecordsError;
use super::record::SessionRecord;
use super::settings::WebhookSettings;
use super::writer::now_ms;
use crate::telemetry::{ErrorChain, RecordMetrics};
use crate::tls;

/// What tells the service.
#[derive(Debug)]
pub(super) struct Webhook {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    settings: WebhookSettings,
}

/// Why a record was not taken.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error("it cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("it took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self, RecordsError> {
        let mut connector = HttpConnector::new();
        // The other connector decides about the scheme.
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(settings.timeout));
        let tls = match settings.url.scheme_str() {
            Some("https") => tls::client_config(settings.ca_file.as_deref()).map_err(RecordsError::Tls)?,
            _ => tls::client_config_of_nobody(),
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Ok(Self { client, settings: settings.clone() })
    }

    /// Delivers what is owed, and what will be, for as long as it is polled.
    pub(super) async fn deliver(self, database: PathBuf, news: Arc<Notify>, metrics: RecordMetrics) {
        let webhook = Arc::new(self);
        let mut failures = 0_u32;
        loop {
            let records = match next(&database).await {
                Ok(records) => records,
                Err(error) => {
                    metrics.failed();
                    warn!(error = %ErrorChain(&error), "owed records cannot be read");
                    sleep(LONGEST_PAUSE).await;
                    continue;
                }
            };
            if records.is_empty() {
                // The writer gives a sign of news; a sign that was missed is made up for.
                let _ = timeout(LONGEST_PAUSE, news.notified()).await;
                continue;
            }
            let (taken, error) = webhook.send_all(records, &metrics).await;
            if let Err(error) = paid(&database, taken).await {
                metrics.failed();
                warn!(error = %ErrorChain(&error), "delivered records stay owed, and are delivered again");
            }
            let Some(error) = error else {
                if std::mem::take(&mut failures) > 0 {
                    info!("webhook takes records again");
                }
                continue;
            };
            if failures == 0 {
                warn!(error = %ErrorChain(&error), "webhook does not take records, which wait");
            } else {
                debug!(error = %ErrorChain(&error), failures, "webhook does not take records");
            }
            failures = failures.saturating_add(1);
            sleep(pause(failures)).await;
        }
    }

    /// Sends records at once; which were taken, and why others were not.
    async fn send_all(
        self: &Arc<Self>,
        records: Vec<SessionRecord>,
        metrics: &RecordMetrics,
    ) -> (Vec<String>, Option<DeliveryError>) {
        let mut under_way = JoinSet::new();
        for record in records {
            let webhook = Arc::clone(self);
            under_way.spawn(async move {
                let sent = webhook.send(&record).await;
                (record.opening.session, sent)
            });
        }
        let (mut taken, mut failure) = (Vec::new(), None);
        while let Some(done) = under_way.join_next().await {
            match done {
                Ok((session, Ok(()))) => taken.push(session),
                Ok((_, Err(error))) => failure = Some(error),
                // A panic was reported when it happened; the record stays owed.
                Err(_) => {}
            }
            metrics.delivered(failure.is_none());
        }
        (taken, failure)
    }

    async fn send(&self, record: &SessionRecord) -> Result<(), DeliveryError> {
        let request = self.request(record, now_ms() / 1000);
        let within = self.settings.timeout;
        let answer = timeout(within, self.client.request(request)).await;
        let answer =
            answer.map_err(|_| DeliveryError::TimedOut(within))?.map_err(DeliveryError::Unreachable)?;
        if answer.status().is_success() { Ok(()) } else { Err(DeliveryError::Status(answer.status())) }
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

async fn next(database: &Path) -> rusqlite::Result<Vec<SessionRecord>> {
    let database = database.to_owned();
    let read = spawn_blocking(move || Owed::open(&database)?.next(AT_ONCE));
    read.await.unwrap_or(Ok(Vec::new()))
}

async fn paid(database: &Path, sessions: Vec<String>) -> rusqlite::Result<()> {
    if sessions.is_empty() {
        return Ok(());
    }
    let database = database.to_owned();
    let write = spawn_blocking(move || Owed::open(&database)?.paid(&sessions));
    write.await.unwrap_or(Ok(()))
}

/// `v1,` and the HMAC-SHA256 of id, timestamp and body, as Standard Webhooks has it.
fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    let decoded = secret.strip_prefix("whsec_").and_then(|text| BASE64_STANDARD.decode(text).ok());
    let key = decoded.as_deref().unwrap_or(secret.as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// Twice as long after each failure, with a random part, so that replicas do not come together.
fn pause(failures: u32) -> Duration {
    let longest = SHORTEST_PAUSE * 2_u32.saturating_pow(failures.min(10));
    let longest = longest.min(LONGEST_PAUSE);
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}

/// What a message has is what [`SessionRecord`] has; a change that breaks readers is another version.
const MESSAGE_VERSION: u8 = 1;
/// Messages under way at once.
const AT_ONCE: usize = 16;
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
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

    #[test]
    fn waits_longer_after_each_failure_up_to_a_bound() {
        for (failures, longest) in [(1, 500), (2, 1000), (5, 8000), (30, 60_000)] {
            let pause = pause(failures).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{failures}: {pause}");
        }
    }
}
