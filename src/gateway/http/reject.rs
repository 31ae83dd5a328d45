//! `Reject`: every reason for which the gateway itself answers with an error.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::check::Malformation;
use crate::gateway::admin::AccessRefusal;
use crate::gateway::backends::{ForwardError, IdempotencyRefusal};
use crate::gateway::limits::Exceeded;
use crate::gateway::offer::FieldError;
use crate::gateway::sessions::Refusal;
use crate::gateway::whip::{ACCEPT_POST, APPLICATION_SDP};
use crate::telemetry::{BackendFailure, KeyRefusal, RateLimited};

/// Why a request gets no answer of the backend.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::gateway) enum Reject {
    NotFound,
    MethodNotAllowed,
    /// It could be understood in more than one way.
    Malformed(Malformation),
    /// Its path could be understood in more than one way.
    PathAmbiguous,
    /// It comes from a page that may not use the gateway.
    OriginRefused,
    /// It asks for a WebSocket where there are none.
    WebSocketRefused,
    Key(KeyRefusal),
    RateLimited(Exceeded),
    /// Not of the type that WHIP has.
    NotSdp,
    BodyTooLarge {
        limit_bytes: usize,
    },
    BodyTimedOut,
    BodyBroken,
    BodyInvalid(Vec<FieldError>),
    /// No credentials are handed out here.
    NoIceServers,
    Draining,
    Sessions(Refusal),
    SessionEnded,
    /// There is none of this kind by that name.
    NoSuch(&'static str),
    /// What is wrong with a parameter or body of the admin API.
    ParameterInvalid(String),
    /// What is wrong with the configuration that was to be read anew.
    ConfigInvalid(String),
    Admin(AccessRefusal),
    Idempotency(IdempotencyRefusal),
    Backend {
        failure: BackendFailure,
        retry_after: Duration,
    },
    Internal,
}

impl Reject {
    pub(in crate::gateway) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoIceServers => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::PathAmbiguous => StatusCode::BAD_REQUEST,
            Self::OriginRefused | Self::WebSocketRefused => StatusCode::FORBIDDEN,
            Self::Key(KeyRefusal::Ambiguous) => StatusCode::BAD_REQUEST,
            Self::Key(KeyRefusal::OutOfScope) => StatusCode::FORBIDDEN,
            Self::Key(
                KeyRefusal::Missing
                | KeyRefusal::Unknown
                | KeyRefusal::NotYetValid
                | KeyRefusal::Expired
                | KeyRefusal::Revoked,
            ) => StatusCode::UNAUTHORIZED,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotSdp => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::BodyInvalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Sessions(Refusal::Client { .. } | Refusal::User { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Sessions(Refusal::Total | Refusal::RelayFull | Refusal::RelayBusy) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::SessionEnded => StatusCode::GONE,
            Self::NoSuch(_) => StatusCode::NOT_FOUND,
            Self::ParameterInvalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::ConfigInvalid(_) => StatusCode::CONFLICT,
            Self::Admin(AccessRefusal::TokenMissing | AccessRefusal::TokenWrong) => StatusCode::UNAUTHORIZED,
            Self::Admin(AccessRefusal::Closed | AccessRefusal::Foreign) => StatusCode::FORBIDDEN,
            Self::Idempotency(IdempotencyRefusal::Malformed) => StatusCode::BAD_REQUEST,
            Self::Idempotency(IdempotencyRefusal::Mismatch) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Idempotency(IdempotencyRefusal::InFlight) => StatusCode::CONFLICT,
            Self::Backend { failure, .. } => match failure {
                BackendFailure::NoBackend => StatusCode::SERVICE_UNAVAILABLE,
                BackendFailure::TimedOut => StatusCode::GATEWAY_TIMEOUT,
                BackendFailure::Unreachable
                | BackendFailure::Closed
                | BackendFailure::Garbled
                | BackendFailure::TooLong => StatusCode::BAD_GATEWAY,
            },
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The reason as programs and logs name it.
    pub(in crate::gateway) fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Malformed(_) => "request_malformed",
            Self::PathAmbiguous => "path_ambiguous",
            Self::OriginRefused => "origin_not_allowed",
            Self::WebSocketRefused => "websocket_not_allowed",
            Self::Key(KeyRefusal::Missing) => "api_key_missing",
            Self::Key(KeyRefusal::Ambiguous) => "api_key_ambiguous",
            Self::Key(KeyRefusal::OutOfScope) => "api_key_out_of_scope",
            // All alike: whoever tries keys need not learn which of them once opened something.
            Self::Key(
                KeyRefusal::Unknown | KeyRefusal::NotYetValid | KeyRefusal::Expired | KeyRefusal::Revoked,
            ) => "api_key_invalid",
            Self::RateLimited(_) => "rate_limited",
            Self::NotSdp => "not_sdp",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimedOut => "body_timed_out",
            Self::BodyBroken => "body_broken",
            Self::BodyInvalid(_) => "body_invalid",
            Self::Sessions(Refusal::Client { .. } | Refusal::User { .. }) => "too_many_sessions",
            Self::Sessions(Refusal::Total) => "no_session_left",
            Self::Sessions(Refusal::RelayFull) => "relay_full",
            Self::Sessions(Refusal::RelayBusy) => "relay_busy",
            Self::NoIceServers => "no_ice_servers",
            Self::Draining => "draining",
            Self::SessionEnded => "session_ended",
            Self::NoSuch(_) => "not_found",
            Self::ParameterInvalid(_) => "parameter_invalid",
            Self::ConfigInvalid(_) => "configuration_invalid",
            Self::Admin(AccessRefusal::TokenMissing) => "token_missing",
            Self::Admin(AccessRefusal::TokenWrong) => "token_invalid",
            Self::Admin(AccessRefusal::Closed) => "api_closed",
            Self::Admin(AccessRefusal::Foreign) => "foreign_page",
            Self::Idempotency(IdempotencyRefusal::Malformed) => "idempotency_key_malformed",
            Self::Idempotency(IdempotencyRefusal::Mismatch) => "idempotency_key_reused",
            Self::Idempotency(IdempotencyRefusal::InFlight) => "idempotency_key_in_flight",
            Self::Backend { failure, .. } => match failure {
                BackendFailure::NoBackend => "no_backend",
                BackendFailure::Unreachable => "backend_unreachable",
                BackendFailure::Closed => "backend_closed",
                BackendFailure::Garbled => "backend_garbled",
                BackendFailure::TimedOut => "backend_timed_out",
                BackendFailure::TooLong => "backend_too_long",
            },
            Self::Internal => "internal_error",
        }
    }

    /// The reason for people.
    pub(in crate::gateway) fn detail(&self) -> String {
        match self {
            // The words of FastAPI, for clients that compare them.
            Self::NotFound => "Not Found".to_owned(),
            Self::MethodNotAllowed => "Method Not Allowed".to_owned(),
            Self::Malformed(malformation) => malformation.detail().to_owned(),
            Self::PathAmbiguous => {
                "The path could be read in more than one way: it has dots, slashes or escapes that servers differ about"
                    .to_owned()
            }
            Self::WebSocketRefused => "WebSockets are not passed on here".to_owned(),
            Self::OriginRefused => {
                "Pages of this origin may not use this server; its operator lists those that may in gateway.cors.origins"
                    .to_owned()
            }
            Self::Key(KeyRefusal::Missing) => "Not authenticated".to_owned(),
            Self::Key(KeyRefusal::Ambiguous) => "The request has two different API keys".to_owned(),
            Self::Key(KeyRefusal::OutOfScope) => "This API key is not for this".to_owned(),
            Self::Key(
                KeyRefusal::Unknown | KeyRefusal::NotYetValid | KeyRefusal::Expired | KeyRefusal::Revoked,
            ) => "Invalid API key".to_owned(),
            Self::RateLimited(exceeded) => {
                let what = match exceeded.what() {
                    RateLimited::Client => "requests with the keys of this client",
                    RateLimited::User => "offers of this user",
                    RateLimited::Source => "requests from this address",
                    RateLimited::RefusedKey => "invalid API keys from this address",
                };
                format!("Too many {what}; try again in {} s", exceeded.retry_after_seconds())
            }
            Self::NotSdp => "The request's Content-Type must be application/sdp".to_owned(),
            Self::BodyTooLarge { limit_bytes } => {
                format!("The request's body is larger than {limit_bytes} bytes")
            }
            Self::BodyTimedOut => "The request's body did not arrive in time".to_owned(),
            Self::BodyBroken => "The request's body ended too early".to_owned(),
            Self::BodyInvalid(_) => "The request's body is not a valid offer".to_owned(),
            Self::Sessions(Refusal::Client { most }) => {
                format!("The key's client may have {most} sessions at once; end one, or ask for more")
            }
            Self::Sessions(Refusal::User { most }) => {
                format!("A user may have {most} sessions at once; end one first")
            }
            Self::Sessions(Refusal::Total) => "There are as many sessions as this server takes".to_owned(),
            Self::Sessions(Refusal::RelayFull) => {
                "The relay has no address left for one more client; try again, another server may have".to_owned()
            }
            Self::Sessions(Refusal::RelayBusy) => {
                "The relay has no bandwidth left for one more client; try again, another server may have".to_owned()
            }
            Self::NoIceServers => {
                "This server hands out no TURN credentials; its operator sets turn.secrets and gateway.ice_servers.urls"
                    .to_owned()
            }
            Self::Draining => "This server takes no further sessions; try again, another one answers".to_owned(),
            Self::NoSuch(what) => format!("There is no such {what}"),
            Self::ParameterInvalid(reason) => reason.clone(),
            Self::ConfigInvalid(errors) => errors.clone(),
            Self::Admin(AccessRefusal::TokenMissing) => "Not authenticated".to_owned(),
            Self::Admin(AccessRefusal::TokenWrong) => "Invalid token".to_owned(),
            Self::Admin(AccessRefusal::Closed) => {
                "The API can be reached from other machines and has neither a token nor a key; set admin.token_file, give a \
                 key the scope admin, or listen on 127.0.0.1"
                    .to_owned()
            }
            Self::Admin(AccessRefusal::Foreign) => {
                "The API takes no requests from pages of other sites, or under names that others may own; \
                 use an address or localhost"
                    .to_owned()
            }
            Self::SessionEnded => "The session was ended before its answer came".to_owned(),
            Self::Idempotency(IdempotencyRefusal::Malformed) => {
                "The Idempotency-Key is not one string of 1 to 128 visible characters".to_owned()
            }
            Self::Idempotency(IdempotencyRefusal::Mismatch) => {
                "The Idempotency-Key was used for another request".to_owned()
            }
            Self::Idempotency(IdempotencyRefusal::InFlight) => {
                "The first request with this Idempotency-Key is not answered yet".to_owned()
            }
            Self::Backend { failure, .. } => match failure {
                BackendFailure::NoBackend => "No backend takes requests now",
                BackendFailure::Unreachable => "The backend cannot be reached",
                BackendFailure::Closed => "The backend closed the connection before its answer was whole",
                BackendFailure::Garbled => "The backend's answer cannot be understood",
                BackendFailure::TimedOut => "The backend did not answer in time",
                BackendFailure::TooLong => "The backend's answer is too large",
            }
            .to_owned(),
            Self::Internal => "Internal Server Error".to_owned(),
        }
    }

    /// When the request may succeed, where that is known.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Backend { retry_after, .. } => Some(*retry_after),
            Self::Idempotency(IdempotencyRefusal::InFlight) => Some(Duration::from_secs(1)),
            // Nobody knows when a session ends; this keeps clients from asking without end.
            Self::Sessions(_) | Self::Draining => Some(Duration::from_secs(5)),
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::Malformed(_)
            | Self::PathAmbiguous
            | Self::OriginRefused
            | Self::WebSocketRefused
            | Self::Key(_)
            | Self::RateLimited(_)
            | Self::NotSdp
            | Self::BodyTooLarge { .. }
            | Self::BodyTimedOut
            | Self::BodyBroken
            | Self::BodyInvalid(_)
            | Self::NoIceServers
            | Self::SessionEnded
            | Self::NoSuch(_)
            | Self::ParameterInvalid(_)
            | Self::ConfigInvalid(_)
            | Self::Admin(_)
            | Self::Idempotency(IdempotencyRefusal::Malformed | IdempotencyRefusal::Mismatch)
            | Self::Internal => None,
        }
    }

    /// What is wrong with each field of the body, if that is the reason.
    pub(in crate::gateway) fn fields(&self) -> Option<&[FieldError]> {
        if let Self::BodyInvalid(errors) = self { Some(errors) } else { None }
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(wait) = self.retry_after() {
            // RFC 9110 §10.2.3: whole seconds; rounded up, so that nobody comes too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, Self::Key(_)) && self.status() == StatusCode::UNAUTHORIZED {
            // RFC 9110 §15.5.2: a 401 carries a challenge. The first scheme is the one of FastAPI.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("APIKey"));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::RateLimited(exceeded) = self {
            headers.insert(header::RETRY_AFTER, exceeded.retry_after_seconds().into());
            exceeded.write(headers);
        }
        if let Self::Admin(AccessRefusal::TokenMissing | AccessRefusal::TokenWrong) = self {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::NotSdp = self {
            headers.insert(ACCEPT_POST, APPLICATION_SDP);
        }
        if let Self::BodyTimedOut | Self::Malformed(_) = self {
            // RFC 9110 §15.5.9: the rest of the request is not waited for.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl From<&ForwardError> for Reject {
    fn from(error: &ForwardError) -> Self {
        Self::Backend { failure: error.failure(), retry_after: error.retry_after }
    }
}

/// Leaves the reason in the response's extensions; `problem::render`, which knows the request, writes the body.
impl IntoResponse for Reject {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        self.add_headers(response.headers_mut());
        response.extensions_mut().insert(self);
        response
    }
}
