//! Forwards a request to the backend, once, and takes its whole answer.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::url::BackendUrl;
use crate::gateway::front::Origin;
use crate::gateway::http::headers::{prepare_for_backend, remove_hop_by_hop};
use crate::gateway::http::ids::{RequestId, SessionId, X_REQUEST_ID, X_SESSION_ID};
use crate::gateway::settings::Settings;
use crate::telemetry::BackendFailure;

/// The inference backend, and the connections to it.
#[derive(Debug)]
pub(in crate::gateway) struct Backend {
    client: Client<HttpConnector, Full<Bytes>>,
    url: BackendUrl,
    forwards_key: bool,
    deadline: Duration,
}

/// What is sent in place of the client's request.
#[derive(Debug)]
pub(in crate::gateway) struct Forwarded<'a> {
    pub(in crate::gateway) method: Method,
    pub(in crate::gateway) path: &'static str,
    pub(in crate::gateway) session: Option<&'a SessionId>,
    pub(in crate::gateway) body: Bytes,
}

/// Why the backend gave no usable answer, with what the network said.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum BackendError {
    #[error("no connection")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("connection closed")]
    Closed(#[source] Box<dyn Error + Send + Sync>),
    #[error("answer is not HTTP")]
    Garbled(#[source] Box<dyn Error + Send + Sync>),
    #[error("answer is no SDP answer in JSON")]
    NoAnswer,
    #[error("no whole answer after {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("answer is larger than {ANSWER_BYTES} bytes")]
    TooLong,
}

impl Backend {
    pub(in crate::gateway) fn new(settings: &Settings) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(settings.timeouts.backend_connect));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(settings.timeouts.backend_idle)
            // Without a timer the pool keeps idle connections for ever.
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Self {
            client,
            url: settings.backend.clone(),
            forwards_key: settings.forward_key,
            deadline: settings.timeouts.backend_answer,
        }
    }

    /// Sends a request with the client's query and headers.
    ///
    /// It is sent a second time only if no byte of it left the first time, as when an idle connection turns out to be
    /// closed.
    pub(in crate::gateway) async fn forward(
        &self,
        forwarded: Forwarded<'_>,
        client: Parts,
    ) -> Result<Response<Bytes>, BackendError> {
        let exchange = async {
            let answer = self.client.request(self.request(forwarded, client)).await.map_err(request_error)?;
            let (mut head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(body_error)?.to_bytes();
            remove_hop_by_hop(&mut head.headers);
            // Counted anew from the bytes that are here.
            head.headers.remove(header::CONTENT_LENGTH);
            Ok(Response::from_parts(head, body))
        };
        timeout(self.deadline, exchange).await.unwrap_or(Err(BackendError::TimedOut(self.deadline)))
    }

    fn request(&self, forwarded: Forwarded<'_>, client: Parts) -> Request<Full<Bytes>> {
        let mut headers = client.headers;
        if let Some(origin) = client.extensions.get::<Origin>() {
            prepare_for_backend(&mut headers, &client.uri, origin, self.forwards_key);
        }
        if let Some(id) = client.extensions.get::<RequestId>() {
            headers.insert(X_REQUEST_ID, id.to_header());
        }
        if let Some(session) = forwarded.session {
            headers.insert(X_SESSION_ID, session.to_header());
        }
        let mut request = Request::new(Full::new(forwarded.body));
        *request.method_mut() = forwarded.method;
        *request.uri_mut() = self
            .url
            .join(forwarded.path, client.uri.query())
            .expect("a checked base, a constant path and a query that hyper parsed make a URL");
        *request.headers_mut() = headers;
        request
    }
}

impl BackendError {
    pub(in crate::gateway) fn failure(&self) -> BackendFailure {
        match self {
            Self::Unreachable(_) => BackendFailure::Unreachable,
            Self::Closed(_) => BackendFailure::Closed,
            Self::Garbled(_) | Self::NoAnswer => BackendFailure::Garbled,
            Self::TimedOut(_) => BackendFailure::TimedOut,
            Self::TooLong => BackendFailure::TooLong,
        }
    }
}

fn request_error(error: hyper_util::client::legacy::Error) -> BackendError {
    if error.is_connect() {
        return BackendError::Unreachable(error);
    }
    let is_garbled = error
        .source()
        .and_then(|source| source.downcast_ref::<hyper::Error>())
        .is_some_and(hyper::Error::is_parse);
    if is_garbled { BackendError::Garbled(error.into()) } else { BackendError::Closed(error.into()) }
}

fn body_error(error: Box<dyn Error + Send + Sync>) -> BackendError {
    if error.is::<LengthLimitError>() { BackendError::TooLong } else { BackendError::Closed(error) }
}

/// Answers have 3 KiB and error pages rarely 100; this bounds what a broken backend can make us hold.
const ANSWER_BYTES: usize = 1 << 20;
