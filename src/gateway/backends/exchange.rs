//! One request to one backend, sent once, and its whole answer.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tokio::time::timeout;

use super::backend::Backend;
use super::error::BackendError;
use crate::gateway::front::Origin;
use crate::gateway::http::headers::{prepare_for_backend, remove_hop_by_hop};
use crate::gateway::http::ids::{RequestId, SessionId, X_REQUEST_ID, X_SESSION_ID};
use crate::gateway::keys::API_KEY;

/// What is sent in place of the client's request.
#[derive(Debug)]
pub(in crate::gateway) struct Forwarded<'a> {
    pub(in crate::gateway) method: Method,
    pub(in crate::gateway) path: &'static str,
    /// The session that the request opens, if it opens one.
    pub(in crate::gateway) session: Option<&'a SessionId>,
    /// Whose session it is.
    pub(in crate::gateway) user_id: Option<&'a str>,
    pub(in crate::gateway) body: Bytes,
}

/// The request that a backend gets: the client's query and headers, cleaned. Takes the headers out of `client`.
pub(super) fn request_to(
    backend: &Backend,
    forwarded: &Forwarded<'_>,
    client: &mut Parts,
    is_last: bool,
) -> Request<Full<Bytes>> {
    // Another backend may have to be tried with the same ones.
    let headers: HeaderMap =
        if is_last { std::mem::take(&mut client.headers) } else { client.headers.clone() };
    let mut headers = headers_to(backend, headers, client);
    if let Some(session) = forwarded.session {
        headers.insert(X_SESSION_ID, session.to_header());
    }
    let mut request = Request::new(Full::new(forwarded.body.clone()));
    *request.method_mut() = forwarded.method.clone();
    *request.uri_mut() = uri_of(backend, forwarded.path, client.uri.query());
    *request.headers_mut() = headers;
    request
}

/// A client's headers, as a backend gets them.
pub(super) fn headers_to(backend: &Backend, mut headers: HeaderMap, client: &Parts) -> HeaderMap {
    if let Some(origin) = client.extensions.get::<Origin>() {
        prepare_for_backend(&mut headers, &client.uri, origin, backend.checks_keys());
    }
    if let Some(key) = backend.own_key() {
        headers.insert(API_KEY, key.clone());
    }
    if let Some(id) = client.extensions.get::<RequestId>() {
        headers.insert(X_REQUEST_ID, id.to_header());
    }
    headers
}

/// Sends a request, and takes the answer with hop-by-hop headers gone.
///
/// The request is sent a second time only if no byte of it left the first time.
pub(super) async fn exchange(
    backend: &Backend,
    request: Request<Full<Bytes>>,
    headers_timeout: Duration,
) -> Result<Response<Bytes>, BackendError> {
    let answer = timeout(headers_timeout, backend.clients().whole.request(request)).await;
    let answer = answer.map_err(|_| BackendError::TimedOut(headers_timeout))?.map_err(request_error)?;
    let (mut head, body) = answer.into_parts();
    if head.status.is_informational() {
        return Err(BackendError::Switched);
    }
    let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(body_error)?.to_bytes();
    remove_hop_by_hop(&mut head.headers);
    // Counted anew from the bytes that are here.
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, body))
}

pub(super) fn uri_of(backend: &Backend, path: &str, query: Option<&str>) -> Uri {
    let url = &backend.settings.url;
    url.join(path, query).expect("a checked base, a checked path and a query that hyper parsed make a URL")
}

pub(super) fn request_error(error: hyper_util::client::legacy::Error) -> BackendError {
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
pub(super) const ANSWER_BYTES: usize = 1 << 20;
