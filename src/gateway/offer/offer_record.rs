//! The one log line of an offer, written when its fate is known.

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;
use tracing::field::{DisplayValue, display};
use tracing::{info, warn};

use crate::gateway::backends::ForwardError;
use crate::gateway::http::ids::{RequestId, SessionId, X_SESSION_ID};
use crate::gateway::http::reject::Reject;
use crate::gateway::http::trace::TraceId;
use crate::gateway::keys::KeyId;
use crate::telemetry::{ErrorChain, RedactedUser};

/// What is known of an offer so far. Dropped without an ending, it says that the client left.
///
/// It has no place for an SDP or a key, so neither can reach the log.
pub(in crate::gateway) struct OfferRecord {
    session: SessionId,
    key: KeyId,
    request_id: Option<RequestId>,
    trace_id: Option<TraceId>,
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
            user_id: None,
            started: Instant::now(),
            is_written: false,
        }
    }

    pub(in crate::gateway) fn set_trace(&mut self, trace_id: Option<TraceId>) {
        self.trace_id = trace_id;
    }

    pub(in crate::gateway) fn set_user(&mut self, user_id: Option<String>) {
        self.user_id = user_id;
    }

    /// A backend answered, with whatever status.
    pub(in crate::gateway) fn answered(mut self, backend: &str, status: StatusCode) {
        if !status.is_success() {
            return self.write_failure(Some(backend), status, "backend_status");
        }
        self.is_written = true;
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

    fn trace_id(&self) -> Option<DisplayValue<&TraceId>> {
        self.trace_id.as_ref().map(display)
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
