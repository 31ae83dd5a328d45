//! The one log line of an offer, written when its fate is known; its span says the same.

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;
use tracing::field::{DisplayValue, display};
use tracing::{info, warn};

use crate::gateway::backends::ForwardError;
use crate::gateway::http::ids::{RequestId, SessionId, X_SESSION_ID};
use crate::gateway::http::reject::Reject;
use crate::gateway::keys::KeyId;
use crate::telemetry::{ErrorChain, RedactedUser, Span, TraceId, Value, attribute};

/// What is known of an offer so far. Dropped without an ending, it says that the client left.
///
/// It has no place for an SDP or a key, so neither can reach the log or a trace.
pub(in crate::gateway) struct OfferRecord {
    session: SessionId,
    key: KeyId,
    request_id: Option<RequestId>,
    trace_id: Option<TraceId>,
    /// Of the request that brought the offer.
    span: Span,
    user_id: Option<String>,
    started: Instant,
    is_written: bool,
}

impl OfferRecord {
    pub(in crate::gateway) fn begin(session: SessionId, key: KeyId, request_id: Option<RequestId>) -> Self {
        Self {
            session,
            key,
            request_id,
            trace_id: None,
            span: Span::default(),
            user_id: None,
            started: Instant::now(),
            is_written: false,
        }
    }

    pub(in crate::gateway) fn set_trace(&mut self, trace_id: Option<TraceId>, span: Span) {
        self.trace_id = trace_id;
        span.set(attribute::SESSION_ID, self.session.as_str());
        span.set(attribute::KEY, &*self.key);
        self.span = span;
    }

    pub(in crate::gateway) fn set_user(&mut self, user_id: Option<String>) {
        self.user_id = user_id;
        if self.span.is_recorded() {
            self.span.set_known(attribute::USER_ID, self.user().map(Value::shown));
        }
    }

    /// A backend answered, with whatever status.
    pub(in crate::gateway) fn answered(mut self, backend: &str, status: StatusCode) {
        if !status.is_success() {
            return self.write_failure(Some(backend), status, "backend_status");
        }
        self.is_written = true;
        self.span.set(attribute::BACKEND, backend);
        info!(
            session = %self.session,
            user_id = self.user(),
            key = &*self.key,
            backend,
            status = status.as_u16(),
            duration_ms = self.duration_ms(),
            request_id = self.request_id(),
            trace_id = self.trace_id(),
            "offer answered"
        );
    }

    /// The offer was answered before, in the session that the answer names.
    pub(in crate::gateway) fn replayed(mut self, answer: &HeaderMap) {
        self.is_written = true;
        let session = answer.get(X_SESSION_ID).and_then(|session| session.to_str().ok());
        self.span.set(attribute::REPLAYED, true);
        self.span.set_known(attribute::SESSION_ID, session);
        info!(
            session,
            user_id = self.user(),
            key = &*self.key,
            duration_ms = self.duration_ms(),
            request_id = self.request_id(),
            "offer answered again"
        );
    }

    /// The gateway refused the client's request.
    pub(in crate::gateway) fn refused(mut self, reject: Reject) -> Reject {
        self.write_failure(None, reject.status(), reject.code());
        reject
    }

    /// No backend gave a usable answer.
    pub(in crate::gateway) fn failed(mut self, error: &ForwardError) -> Reject {
        self.is_written = true;
        let reject = Reject::from(error);
        self.span.set_known(attribute::BACKEND, error.backend.as_deref());
        self.span.fail(reject.code());
        warn!(
            session = %self.session,
            user_id = self.user(),
            key = &*self.key,
            backend = error.backend.as_deref(),
            status = reject.status().as_u16(),
            cause = reject.code(),
            error = %ErrorChain(error),
            duration_ms = self.duration_ms(),
            request_id = self.request_id(),
            trace_id = self.trace_id(),
            "offer failed"
        );
        reject
    }

    fn write_failure(&mut self, backend: Option<&str>, status: StatusCode, cause: &str) {
        self.is_written = true;
        self.span.set_known(attribute::BACKEND, backend);
        if status.is_server_error() {
            self.span.fail(cause);
        }
        info!(
            session = %self.session,
            user_id = self.user(),
            key = &*self.key,
            backend,
            status = status.as_u16(),
            cause,
            duration_ms = self.duration_ms(),
            request_id = self.request_id(),
            trace_id = self.trace_id(),
            "offer failed"
        );
    }

    fn user(&self) -> Option<DisplayValue<RedactedUser<'_>>> {
        self.user_id.as_deref().map(|user_id| display(RedactedUser(user_id)))
    }

    fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().map(RequestId::as_str)
    }

    fn trace_id(&self) -> Option<DisplayValue<TraceId>> {
        self.trace_id.map(display)
    }

    fn duration_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for OfferRecord {
    fn drop(&mut self) {
        if self.is_written {
            return;
        }
        info!(
            session = %self.session,
            user_id = self.user(),
            key = &*self.key,
            cause = "client_left",
            duration_ms = self.duration_ms(),
            request_id = self.request_id(),
            trace_id = self.trace_id(),
            "offer failed"
        );
    }
}
