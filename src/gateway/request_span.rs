//! `RequestSpan`: the span in which a client's request is answered, the first of ours in its trace.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{Method, Version};

use super::http::ids::RequestId;
use super::http::origin::Origin;
use super::http::reject::Reject;
use super::trace_link::TraceLink;
use crate::telemetry::{RedactedIp, RedactedText, RemoteParent, Route, Span, TraceId, Value, attribute};

/// A request's span until its answer is known. Dropped without an answer, it says that the client left.
#[derive(Debug)]
pub(super) struct RequestSpan {
    span: Span,
    is_answered: bool,
}

impl RequestSpan {
    /// Begins a span for a request of a route, and leaves it there for whoever works for the request. A request of no route
    /// has none, and neither has one that only asks what else it could be.
    pub(super) fn begin(
        traces: &TraceLink,
        request: &mut Request,
        (trace, parent): (TraceId, Option<RemoteParent>),
        route: Route,
        template: impl FnOnce(&str) -> Option<Cow<'static, str>>,
    ) -> Self {
        let is_traced = request.method() != Method::OPTIONS;
        let untraced = Self { span: Span::default(), is_answered: false };
        let Some(traces) = traces.get().filter(|_| is_traced) else { return untraced };
        let Some(template) = template(request.uri().path()) else { return untraced };
        let span = traces.serve(format!("{} {template}", name_of(request.method(), "HTTP")), trace, parent);
        if span.is_recorded() {
            describe(&span, route, &template, request);
        }
        request.extensions_mut().insert(span.clone());
        Self { span, is_answered: false }
    }

    /// The answer is known; its body may be under way for long.
    pub(super) fn finish(mut self, response: &Response<Body>) {
        self.is_answered = true;
        let status = response.status();
        self.span.set(attribute::HTTP_RESPONSE_STATUS_CODE, status.as_u16());
        self.span.set_known(attribute::PROBLEM, response.extensions().get::<Reject>().map(Reject::code));
        // What a client did wrong is no failure of whom it asked.
        if status.is_server_error() {
            self.span.fail(status.as_str());
        }
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        if !self.is_answered {
            self.span.fail("client_left");
        }
        self.span.end();
    }
}

/// What the head of a request says, without what could be secret: its query, and its fields.
fn describe(span: &Span, route: Route, template: &str, request: &Request) {
    span.set(attribute::HTTP_REQUEST_METHOD, name_of(request.method(), OTHER));
    span.set(attribute::HTTP_ROUTE, template);
    span.set(attribute::URL_PATH, shown_path(request.uri().path(), PathOf::of(route)));
    if let Some(origin) = request.extensions().get::<Origin>() {
        span.set(attribute::URL_SCHEME, origin.scheme.as_str());
        span.set(attribute::CLIENT_ADDRESS, Value::shown(RedactedIp(origin.client.ip())));
    }
    span.set_known(
        attribute::NETWORK_PROTOCOL_VERSION,
        match request.version() {
            Version::HTTP_10 => Some("1.0"),
            Version::HTTP_11 => Some("1.1"),
            Version::HTTP_2 => Some("2"),
            _ => None,
        },
    );
    let id = request.extensions().get::<RequestId>().map(RequestId::as_str);
    span.set_known(attribute::REQUEST_ID, id);
}

/// Whose a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathOf {
    /// The gateway's own; nobody's name is in it.
    Gateway,
    /// Passed on, and built as somebody else likes.
    Backend,
}

impl PathOf {
    fn of(route: Route) -> Self {
        match route {
            Route::Offer | Route::Whip | Route::IceServers | Route::Health => Self::Gateway,
            Route::Passthrough | Route::Other => Self::Backend,
        }
    }
}

/// A path as traces show it, which is as the access log does.
pub(super) fn shown_path(path: &str, whose: PathOf) -> Value {
    match whose {
        PathOf::Gateway => Value::from(path),
        PathOf::Backend => Value::shown(RedactedText::new(path, PATH_CHARACTERS)),
    }
}

/// A method, of which clients can make up any number, in a word of a few.
pub(super) fn name_of<'m>(method: &'m Method, other: &'static str) -> &'m str {
    let known = [
        Method::CONNECT,
        Method::DELETE,
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::POST,
        Method::PUT,
        Method::TRACE,
    ];
    if known.contains(method) { method.as_str() } else { other }
}

/// As many as the access log has.
const PATH_CHARACTERS: usize = 200;

/// What the semantic conventions write for a method that HTTP does not know.
pub(super) const OTHER: &str = "_OTHER";
