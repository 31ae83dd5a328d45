//! CORS: tells browsers which pages may use the gateway, before any key is asked for.
//!
//! tower-http's layer would answer every OPTIONS, also those that are no preflights and that routes answer themselves; it
//! lets preflights of strangers pass as if nothing were wrong, and its rules cannot be exchanged while it serves.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::reject::Reject;
use super::settings::CorsSettings;
use crate::telemetry::{FrontMetrics, Preflight};

pub use super::origin_pattern::{OriginPattern, OriginPatternError};

/// The rules, exchangeable while requests are served.
#[derive(Debug)]
pub(in crate::gateway) struct Cors {
    settings: ArcSwap<CorsSettings>,
    metrics: FrontMetrics,
}

/// What a browser asks.
pub(in crate::gateway) enum Asked {
    /// Whether it may ask; this is the answer.
    Preflight(Response),
    /// Anything else, for a page of this origin.
    Else(Option<HeaderValue>),
}

impl Cors {
    pub(in crate::gateway) fn new(settings: &CorsSettings, metrics: FrontMetrics) -> Self {
        Self { settings: ArcSwap::from_pointee(settings.clone()), metrics }
    }

    /// Holds for requests from now on.
    pub(in crate::gateway) fn update(&self, settings: &CorsSettings) {
        self.settings.store(Arc::new(settings.clone()));
    }

    /// Whether a page may open a WebSocket, for which browsers ask nobody: as any other, and those of the same host.
    pub(in crate::gateway) fn may_connect(&self, headers: &HeaderMap, host: Option<&HeaderValue>) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let is_same_host = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, of_page)| host.is_some_and(|host| host.as_bytes() == of_page.as_bytes()));
        is_same_host || self.settings.load().allows(origin)
    }

    /// Answers a preflight; of any other request it takes note who asks.
    pub(in crate::gateway) fn begin(&self, request: &Request) -> Asked {
        let headers = request.headers();
        let asks = [&header::ORIGIN, &header::ACCESS_CONTROL_REQUEST_METHOD];
        if request.method() == Method::OPTIONS && asks.iter().all(|&name| headers.contains_key(name)) {
            return Asked::Preflight(self.preflight(headers));
        }
        Asked::Else(headers.get(header::ORIGIN).cloned())
    }

    /// Tells browsers who may read an answer.
    pub(in crate::gateway) fn finish(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        self.settings.load().write(origin, headers);
    }

    fn preflight(&self, headers: &HeaderMap) -> Response {
        let settings = self.settings.load();
        let origin = headers.get(header::ORIGIN);
        let is_allowed = origin.is_some_and(|origin| settings.allows(origin));
        self.metrics.preflight(if is_allowed { Preflight::Allowed } else { Preflight::Refused });
        let mut response = match is_allowed {
            true => settings.answer_preflight(headers),
            false => Reject::OriginRefused.into_response(),
        };
        settings.write_origin(origin, response.headers_mut());
        response.headers_mut().append(header::VARY, HeaderValue::from_static(ASKED));
        response
    }
}

impl CorsSettings {
    fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.origins.iter().any(|pattern| pattern.matches(origin)))
    }

    fn answer_preflight(&self, asked: &HeaderMap) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECONDS));
        if self.allows_private_network && asked.contains_key(REQUEST_PRIVATE_NETWORK) {
            headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        response
    }

    /// Says who may read an answer; what a backend says of it does not count.
    fn write(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        for name in &OURS {
            headers.remove(name);
        }
        if self.write_origin(origin, headers) {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    /// Says which pages may; false if that is not the one that asks.
    fn write_origin(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) -> bool {
        if self.origins.contains(&OriginPattern::Any) {
            // Without credentials: a page gets nothing that it does not have the key for.
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return true;
        }
        // Also where nobody asks: a cache must not give this answer to a page that does.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else {
            return false;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        true
    }
}

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// What only we say.
const OURS: [HeaderName; 7] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
    ALLOW_PRIVATE_NETWORK,
];

/// Whatever a route allows; which that is, is the route's to say.
const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

/// What clients send, and browsers do not let pages send unasked.
const HEADERS: &str = "api-key, x-api-key, authorization, content-type, idempotency-key, if-match, x-request-id, \
                       traceparent, tracestate";

/// What answers say beside their bodies.
const EXPOSED: &str = "ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, \
                       X-Request-ID, X-Session-ID";

/// Two hours, the longest that Chromium keeps what it was told.
const MAX_AGE_SECONDS: &str = "7200";

/// What the answer to a preflight depends on.
const ASKED: &str = "Access-Control-Request-Method, Access-Control-Request-Headers, \
                     Access-Control-Request-Private-Network";
