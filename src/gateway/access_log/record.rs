//! `AccessRecord`: the line of one request, written when its answer has ended or nobody waits for it any more.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, Uri, Version, header};
use hyper::body::Body as _;
use tokio::time::Instant;
use tracing::info;

use super::bodies::{Answered, Received};
use super::{AccessLog, AccessLogSettings, TARGET, sampling};
use crate::gateway::front::Origin;
use crate::gateway::http::ids::RequestId;
use crate::gateway::http::reject::Reject;
use crate::gateway::keys::NamedKey;
use crate::telemetry::{AccessLine, ClientText, RedactedAddr, RedactedText, Route, TraceId};

/// What is known of a request so far. Dropped without an ending, it says that the client left.
///
/// It has no place for a query, a key, a body or any header but the one that names the client's program, so none of them
/// can reach the log.
pub(in crate::gateway) struct AccessRecord {
    log: AccessLog,
    /// Those of when it came.
    settings: AccessLogSettings,
    route: Route,
    method: Method,
    /// Whole, as a part would be a copy.
    uri: Uri,
    version: Version,
    client: Option<SocketAddr>,
    user_agent: Option<HeaderValue>,
    request_id: Option<RequestId>,
    trace_id: Option<TraceId>,
    key: NamedKey,
    received_bytes: Arc<AtomicU64>,
    started: Instant,
    answer: Option<Answer>,
    cause: Option<&'static str>,
    /// Whether it is known what becomes of the line, and that was done.
    is_settled: bool,
}

struct Answer {
    status: u16,
    /// From the request's headers to its own, if it came to them.
    head_after: Option<Duration>,
    sent_bytes: u64,
    /// The share of requests like this one that have a line.
    sample: f64,
}

/// How an answer's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of it is on its way.
    Whole,
    /// Whoever makes it could not go on.
    Broken,
}

impl AccessRecord {
    pub(super) fn new(
        log: AccessLog,
        settings: AccessLogSettings,
        route: Route,
        started: Instant,
        request: &mut Request,
    ) -> Self {
        let received_bytes = Arc::default();
        if !request.body().is_end_stream() {
            let body = std::mem::take(request.body_mut());
            *request.body_mut() = Body::new(Received::new(body, Arc::clone(&received_bytes)));
        }
        Self {
            log,
            settings,
            route,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            client: request.extensions().get::<Origin>().map(|origin| origin.client),
            user_agent: request.headers().get(header::USER_AGENT).cloned(),
            request_id: request.extensions().get().cloned(),
            trace_id: request.extensions().get().copied(),
            key: request.extensions().get().cloned().unwrap_or_default(),
            received_bytes,
            started,
            answer: None,
            cause: None,
            is_settled: false,
        }
    }

    /// Takes note of why the gateway itself answers, if it does.
    pub(in crate::gateway) fn set_cause(&mut self, answer: &Response) {
        self.cause = answer.extensions().get::<Reject>().map(Reject::code);
    }

    /// The request's answer as the client gets it, which writes the line when it has ended.
    pub(in crate::gateway) fn answered(mut self: Box<Self>, response: Response) -> Response {
        let status = response.status();
        let ends_with_head =
            self.method == Method::HEAD || has_no_body(status) || response.body().is_end_stream();
        let head_after = self.started.elapsed();
        if !self.is_to_be_written(status.as_u16(), Some(head_after)) {
            return response;
        }
        if ends_with_head {
            self.write();
            return response;
        }
        response.map(|body| Body::new(Answered::new(body, self)))
    }

    /// A piece of the answer's body is on its way.
    pub(super) fn sent(&mut self, bytes: u64) {
        if let Some(answer) = &mut self.answer {
            answer.sent_bytes += bytes;
        }
    }

    /// No more of the answer's body comes.
    pub(super) fn ended(mut self: Box<Self>, ending: Ending) {
        match ending {
            Ending::Whole => {}
            Ending::Broken => self.cause = self.cause.or(Some("answer_broken")),
        }
        self.write();
    }

    /// Whether there is to be a line, now that the status is known; if not, that is counted.
    fn is_to_be_written(&mut self, status: u16, head_after: Option<Duration>) -> bool {
        let waited = head_after.unwrap_or_else(|| self.started.elapsed());
        let sample = if status >= 500 || waited >= self.settings.slow {
            1.0
        } else if sampling::is_within(self.settings.sample, &self.trace_id()) {
            self.settings.sample
        } else {
            self.is_settled = true;
            self.log.0.metrics.count(AccessLine::SampledOut);
            return false;
        };
        self.answer = Some(Answer { status, head_after, sent_bytes: 0, sample });
        true
    }

    fn write(&mut self) {
        self.is_settled = true;
        let (Some(answer), log) = (&self.answer, &self.log.0) else { return };
        let Some(left_out) = log.pace.take(self.settings.per_second, Instant::now()) else {
            return log.metrics.count(AccessLine::OverLimit);
        };
        log.metrics.count(AccessLine::Written);
        let user_agent = self.user_agent.as_ref().map(|value| beginning_of(value.as_bytes()));
        info!(
            target: TARGET,
            method = %ClientText::new(self.method.as_str(), METHOD_CHARACTERS),
            route = self.route.label(),
            path = self.shown_path(),
            status = answer.status,
            cause = self.cause,
            duration_ms = milliseconds(self.started.elapsed()),
            head_ms = answer.head_after.map(milliseconds),
            request_bytes = self.received_bytes.load(Ordering::Relaxed),
            answer_bytes = answer.sent_bytes,
            protocol = ?self.version,
            client = self.client.map(|client| display(RedactedAddr(client))),
            key = self.key.get(),
            request_id = self.request_id.as_ref().map(RequestId::as_str),
            trace_id = self.trace_id.map(display),
            user_agent = user_agent.as_deref().map(|text| display(RedactedText::new(text, AGENT_CHARACTERS))),
            sample = answer.sample,
            left_out = (left_out > 0).then_some(left_out),
            "request"
        );
    }

    /// Nobody's name is in a path of the gateway's own. What an operator has passed on may be built otherwise.
    fn shown_path(&self) -> String {
        let path = self.uri.path();
        match self.route {
            Route::Offer | Route::Whip | Route::IceServers | Route::Health => {
                ClientText::new(path, PATH_CHARACTERS).to_string()
            }
            Route::Passthrough | Route::Other => RedactedText::new(path, PATH_CHARACTERS).to_string(),
        }
    }

    fn trace_id(&self) -> String {
        self.trace_id.map(|trace_id| trace_id.to_string()).unwrap_or_default()
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        self.cause = self.cause.or(Some("client_left"));
        if self.answer.is_some() || self.is_to_be_written(CLIENT_LEFT, None) {
            self.write();
        }
    }
}

/// Enough bytes of a header's value for all that is shown of it.
fn beginning_of(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&value[..value.len().min(AGENT_CHARACTERS * LONGEST_CHARACTER_BYTES + 1)])
}

/// RFC 9110 §6.4.1: whose answers end with their head.
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The status of metrics, too, where no answer was sent, since nobody waited for it.
const CLIENT_LEFT: u16 = 499;

/// The longest method that is registered has 17, `UPDATEREDIRECTREF`.
const METHOD_CHARACTERS: usize = 20;

/// Our own have at most 30; others show where they lead to, and a flood of long ones takes no room.
const PATH_CHARACTERS: usize = 200;

/// What browsers send has some 120.
const AGENT_CHARACTERS: usize = 160;

/// Of UTF-8.
const LONGEST_CHARACTER_BYTES: usize = 4;
