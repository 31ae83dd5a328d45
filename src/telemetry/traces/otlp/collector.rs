//! `Collector`: who takes spans, by HTTP or HTTPS.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use prost::Message;
use tokio::time::timeout;

use super::message::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use crate::https_client::{HttpsClient, https_client};
use crate::telemetry::traces::TraceSettings;

/// A collector, with the connections to it.
#[derive(Debug)]
pub(super) struct Collector {
    client: HttpsClient,
    endpoint: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

/// Why a collector has not taken spans.
#[derive(Debug, thiserror::Error)]
pub(super) enum CollectorError {
    #[error("it cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("it answered with status {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("it took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl Collector {
    pub(super) fn new(settings: &TraceSettings, tls: rustls::ClientConfig) -> Self {
        let client = https_client(tls, settings.timeout, IDLE_CONNECTION);
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            // Checked before; what cannot be a header is left out.
            if let Ok(mut value) = HeaderValue::from_str(value.expose()) {
                value.set_sensitive(true);
                headers.append(name, value);
            }
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Self { client, endpoint: settings.endpoint.clone(), headers, timeout: settings.timeout }
    }

    /// Sends a batch, and says how many of its spans the collector has refused, and why.
    pub(super) async fn take(&self, body: Bytes) -> Result<ExportTracePartialSuccess, CollectorError> {
        let taken = timeout(self.timeout, self.send(body)).await;
        taken.unwrap_or(Err(CollectorError::TimedOut(self.timeout)))
    }

    async fn send(&self, body: Bytes) -> Result<ExportTracePartialSuccess, CollectorError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        *request.headers_mut() = self.headers.clone();
        let (head, body) =
            self.client.request(request).await.map_err(CollectorError::Unreachable)?.into_parts();
        if !head.status.is_success() {
            return Err(CollectorError::Status {
                status: head.status,
                retry_after: retry_after(&head.headers),
            });
        }
        // It has taken them; what is wrong with its answer changes nothing.
        let body = Limited::new(body, MOST_ANSWERED).collect().await.map(|body| body.to_bytes());
        let answer = body.ok().and_then(|body| ExportTraceServiceResponse::decode(body).ok());
        Ok(answer.and_then(|answer| answer.partial_success).unwrap_or_default())
    }
}

impl CollectorError {
    /// Whether another try could help, and when it is welcome. OTLP 1 §OTLP/HTTP Response names the statuses.
    pub(super) fn is_passing(&self) -> Option<Option<Duration>> {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) => Some(None),
            Self::Status { status, retry_after } => matches!(
                *status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            )
            .then_some(*retry_after),
        }
    }
}

/// RFC 9110 §10.2.3, where it is given in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// An answer is empty, or has a message for people.
const MOST_ANSWERED: usize = 64 << 10;
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_try_is_for_what_passes() {
        let passing = |status: u16, retry_after: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = retry_after {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            }
            let status = StatusCode::from_u16(status).unwrap();
            CollectorError::Status { status, retry_after: self::retry_after(&headers) }.is_passing()
        };
        for status in [400, 401, 404, 413, 500] {
            assert_eq!(passing(status, Some("3")), None, "{status}");
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(passing(status, None), Some(None), "{status}");
            assert_eq!(passing(status, Some("3")), Some(Some(Duration::from_secs(3))), "{status}");
            assert_eq!(passing(status, Some("Fri, 31 Dec 1999 23:59:59 GMT")), Some(None), "a date");
        }
        assert_eq!(CollectorError::TimedOut(Duration::ZERO).is_passing(), Some(None));
    }
}
