//! `Attempt`: a request at one backend, counted whatever becomes of it; `MediaSlot`: the session that may follow.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderMap, Request, Response, StatusCode, header};
use tokio::time::Instant;

use super::backend::Backend;
use super::circuit::{Failure, Ticket};
use super::error::BackendError;
use super::settings::EjectionSettings;
use super::standing::Standing;
use crate::gateway::http::trace;
use crate::gateway::request_span::{OTHER, PathOf, name_of, shown_path};
use crate::telemetry::{BackendOutcome, Span, SpanKind, attribute};

/// Counts one live media session at a backend until it is dropped.
#[derive(Debug)]
pub(in crate::gateway) struct MediaSlot {
    standing: Arc<Standing>,
}

impl MediaSlot {
    fn take(standing: &Arc<Standing>) -> Self {
        standing.session_began();
        Self { standing: Arc::clone(standing) }
    }
}

impl Drop for MediaSlot {
    fn drop(&mut self) {
        self.standing.session_ended();
    }
}

/// A request at one backend. Dropped without an ending, it counts as one whose client left.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) backend: Arc<Backend>,
    started: Instant,
    ticket: Option<Ticket>,
    slot: Option<MediaSlot>,
    /// The attempt in the trace of the client's request.
    span: Span,
    is_ended: bool,
}

impl Attempt {
    /// Only a request of a session takes a slot, and tells whether the backend can serve sessions.
    pub(super) fn begin(backend: Arc<Backend>, is_of_session: bool, now: Instant) -> Self {
        let ticket = backend.standing.begin(is_of_session, now);
        let slot = is_of_session.then(|| MediaSlot::take(&backend.standing));
        Self { backend, started: now, ticket, slot, span: Span::default(), is_ended: false }
    }

    /// Begins the attempt's span within that of the client's request, if that has one, and tells the backend of it. So many
    /// backends were tried before.
    pub(super) fn trace<B>(
        &mut self,
        client: &Parts,
        request: &mut Request<B>,
        whose_path: PathOf,
        tried: usize,
    ) {
        let Some(parent) = client.extensions.get::<Span>() else { return };
        let span = parent.child(SpanKind::Client, name_of(request.method(), "HTTP").to_owned());
        if span.is_recorded() {
            let uri = request.uri();
            let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
            let default_port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
            span.set(attribute::HTTP_REQUEST_METHOD, name_of(request.method(), OTHER));
            span.set(attribute::BACKEND, &*self.backend.standing.name);
            span.set(attribute::SERVER_ADDRESS, host);
            span.set(attribute::SERVER_PORT, uri.port_u16().unwrap_or(default_port));
            span.set(attribute::URL_SCHEME, uri.scheme_str().unwrap_or_default());
            // Without the query, which may hold what is secret.
            span.set(attribute::URL_PATH, shown_path(uri.path(), whose_path));
            span.set_known(attribute::HTTP_REQUEST_RESEND_COUNT, (tried > 0).then_some(tried as u64));
        }
        if let Some(context) = span.context() {
            trace::write(request.headers_mut(), context);
        }
        self.span = span;
    }

    /// The backend answered with whatever status; gives the slot for the session.
    pub(super) fn answered<B>(
        mut self,
        answer: &Response<B>,
        may_eject: bool,
        settings: &EjectionSettings,
        now: Instant,
    ) -> Option<MediaSlot> {
        let is_error = answer.status().is_server_error();
        let outcome = if is_error { BackendOutcome::ErrorStatus } else { BackendOutcome::Answered };
        self.span.set(attribute::HTTP_RESPONSE_STATUS_CODE, answer.status().as_u16());
        if is_error || answer.status().is_client_error() {
            self.span.fail(answer.status().as_str());
        }
        self.end(outcome, failure_of(answer.status(), answer.headers()), may_eject, settings, now);
        self.slot.take()
    }

    /// The backend gave no usable answer.
    pub(super) fn failed(
        mut self,
        error: &BackendError,
        may_eject: bool,
        settings: &EjectionSettings,
        now: Instant,
    ) {
        self.span.fail(error.outcome().label());
        self.end(error.outcome(), Some(Failure::Plain), may_eject, settings, now);
    }

    fn end(
        &mut self,
        outcome: BackendOutcome,
        failure: Option<Failure>,
        may_eject: bool,
        settings: &EjectionSettings,
        now: Instant,
    ) {
        self.is_ended = true;
        self.span.end();
        let standing = &self.backend.standing;
        standing.metrics.ended(outcome, now - self.started);
        if outcome != BackendOutcome::Answered {
            standing.remember_failure(outcome.label());
        }
        match (self.ticket.take(), failure) {
            (Some(ticket), None) => standing.succeeded(ticket, now),
            (Some(ticket), Some(failure)) => {
                standing.failed(ticket, (failure, outcome), may_eject, settings, now);
            }
            (None, _) => {}
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_ended {
            return;
        }
        let (standing, now) = (&self.backend.standing, Instant::now());
        standing.metrics.ended(BackendOutcome::ClientLeft, now - self.started);
        self.span.fail(BackendOutcome::ClientLeft.label());
        self.span.end();
        if let Some(ticket) = self.ticket.take() {
            standing.give_back(ticket, now);
        }
    }
}

/// What an answer says about its backend.
///
/// 500 is left out: frameworks answer with it whatever an offer breaks, so that one client with a malformed SDP could
/// have all backends ejected.
fn failure_of(status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            Some(retry_after(headers).map_or(Failure::Plain, Failure::AsksForPause))
        }
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Some(Failure::Plain),
        _ => None,
    }
}

/// RFC 9110 §10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(super::backend::wall_clock()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_503_may_name_the_pause_in_seconds_or_by_date() {
        let far = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(10_000_000_000));
        let past = httpdate::fmt_http_date(UNIX_EPOCH);
        let failure = |status, value: &str| {
            let headers =
                HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
            failure_of(StatusCode::from_u16(status).unwrap(), &headers)
        };

        assert_eq!(failure(503, "7"), Some(Failure::AsksForPause(Duration::from_secs(7))));
        assert_eq!(failure(503, &past), Some(Failure::AsksForPause(Duration::ZERO)));
        assert!(
            matches!(failure(503, &far), Some(Failure::AsksForPause(pause)) if pause.as_secs() > 1_000_000)
        );
        assert_eq!(failure(503, "soon"), Some(Failure::Plain));
        assert_eq!(failure(502, "7"), Some(Failure::Plain));
        for status in [200, 404, 429, 500] {
            assert_eq!(failure(status, "7"), None, "{status}");
        }
    }
}
