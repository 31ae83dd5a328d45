//! Requests that pass on to a backend piece by piece, and answers that come back so.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::backend::Backend;
use super::error::{BackendError, ForwardError};
use super::exchange::{headers_to, request_error, uri_of};
use super::pool::Backends;
use crate::gateway::request_span::PathOf;

/// Whether a request is to become something else than HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Upgrade {
    No,
    WebSocket,
}

impl Backends {
    /// Sends a request to one backend, for which it has until the answer's headers must be there.
    ///
    /// It is sent once: who knows what of its body has been read.
    pub(in crate::gateway) async fn pass(
        &self,
        mut client: Parts,
        body: Body,
        upgrade: Upgrade,
        deadline: Duration,
    ) -> Result<Response<Incoming>, ForwardError> {
        let set = self.set();
        let Some(mut attempt) = self.choose(&set, None, false, &[]) else {
            let retry_after = set.retry_after(Instant::now());
            return Err(ForwardError { backend: None, retry_after, cause: BackendError::NoBackend });
        };
        let backend = Arc::clone(&attempt.backend);
        let mut request = request_to(&backend, &mut client, body, upgrade);
        attempt.trace(&client, &mut request, PathOf::Backend, 0);
        let answer = timeout(deadline, backend.clients().passing.request(request)).await;
        let answer = match answer {
            Ok(Ok(answer)) => check(answer, upgrade),
            Ok(Err(error)) => Err(request_error(error)),
            Err(_) => Err(BackendError::TimedOut(deadline)),
        };
        let (name, now) = (Arc::clone(&backend.standing.name), Instant::now());
        let may_eject = set.has_other(&name, now);
        match answer {
            Ok(answer) => {
                attempt.answered(&answer, may_eject, &set.settings.ejection, now);
                Ok(answer)
            }
            Err(cause) => {
                attempt.failed(&cause, may_eject, &set.settings.ejection, now);
                Err(ForwardError { backend: Some(name), retry_after: set.retry_after(now), cause })
            }
        }
    }
}

fn request_to(backend: &Backend, client: &mut Parts, body: Body, upgrade: Upgrade) -> Request<Body> {
    let headers = std::mem::take(&mut client.headers);
    let mut headers = headers_to(backend, headers, client);
    if upgrade == Upgrade::WebSocket {
        name_web_socket(&mut headers);
    }
    let mut request = Request::new(body);
    *request.method_mut() = client.method.clone();
    *request.uri_mut() = uri_of(backend, client.uri.path(), client.uri.query());
    *request.headers_mut() = headers;
    request
}

fn check(answer: Response<Incoming>, upgrade: Upgrade) -> Result<Response<Incoming>, BackendError> {
    match (answer.status(), upgrade) {
        (StatusCode::SWITCHING_PROTOCOLS, Upgrade::No) => Err(BackendError::Switched),
        (StatusCode::SWITCHING_PROTOCOLS, Upgrade::WebSocket) => match names_web_socket(answer.headers()) {
            true => Ok(answer),
            false => Err(BackendError::Switched),
        },
        (status, _) if status.is_informational() => Err(BackendError::Switched),
        _ => Ok(answer),
    }
}

/// Whether a message is one half of a WebSocket's handshake (RFC 6455 §4.2.1): both fields are lists, and in any case.
pub(in crate::gateway) fn names_web_socket(headers: &HeaderMap) -> bool {
    let has = |name, token: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
    };
    has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket")
}

/// RFC 6455 §4.1: what makes a message a handshake between us and the next one.
pub(in crate::gateway) fn name_web_socket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}
