//! `Reject`: every reason for which the gateway itself answers with an error.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::gateway::offer::FieldError;
use crate::telemetry::{BackendFailure, KeyRefusal};

/// Why a request gets no answer of the backend.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::gateway) enum Reject {
    NotFound,
    MethodNotAllowed,
    Key(KeyRefusal),
    BodyTooLarge { limit_bytes: usize },
    BodyTimedOut,
    BodyBroken,
    BodyInvalid(Vec<FieldError>),
    Backend(BackendFailure),
    Internal,
}

impl Reject {
    pub(in crate::gateway) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Key(_) => StatusCode::UNAUTHORIZED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::BodyInvalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Backend(BackendFailure::TimedOut) => StatusCode::GATEWAY_TIMEOUT,
            Self::Backend(
                BackendFailure::Unreachable
                | BackendFailure::Closed
                | BackendFailure::Garbled
                | BackendFailure::TooLong,
            ) => StatusCode::BAD_GATEWAY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The reason as programs and logs name it.
    pub(in crate::gateway) fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Key(KeyRefusal::Missing) => "api_key_missing",
            Self::Key(KeyRefusal::Unknown | KeyRefusal::Ambiguous) => "api_key_invalid",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimedOut => "body_timed_out",
            Self::BodyBroken => "body_broken",
            Self::BodyInvalid(_) => "body_invalid",
            Self::Backend(BackendFailure::Unreachable) => "backend_unreachable",
            Self::Backend(BackendFailure::Closed) => "backend_closed",
            Self::Backend(BackendFailure::Garbled) => "backend_garbled",
            Self::Backend(BackendFailure::TimedOut) => "backend_timed_out",
            Self::Backend(BackendFailure::TooLong) => "backend_too_long",
            Self::Internal => "internal_error",
        }
    }

    /// The reason for people.
    pub(in crate::gateway) fn detail(&self) -> String {
        match self {
            // The words of FastAPI, for clients that compare them.
            Self::NotFound => "Not Found".to_owned(),
            Self::MethodNotAllowed => "Method Not Allowed".to_owned(),
            Self::Key(KeyRefusal::Missing) => "Not authenticated".to_owned(),
            Self::Key(KeyRefusal::Unknown | KeyRefusal::Ambiguous) => "Invalid API key".to_owned(),
            Self::BodyTooLarge { limit_bytes } => {
                format!("The request's body is larger than {limit_bytes} bytes")
            }
            Self::BodyTimedOut => "The request's body did not arrive in time".to_owned(),
            Self::BodyBroken => "The request's body ended too early".to_owned(),
            Self::BodyInvalid(_) => "The request's body is not a valid offer".to_owned(),
            Self::Backend(BackendFailure::Unreachable) => "The backend cannot be reached".to_owned(),
            Self::Backend(BackendFailure::Closed) => {
                "The backend closed the connection before its answer was whole".to_owned()
            }
            Self::Backend(BackendFailure::Garbled) => "The backend's answer is not HTTP".to_owned(),
            Self::Backend(BackendFailure::TimedOut) => "The backend did not answer in time".to_owned(),
            Self::Backend(BackendFailure::TooLong) => "The backend's answer is too large".to_owned(),
            Self::Internal => "Internal Server Error".to_owned(),
        }
    }

    /// What is wrong with each field of the body, if that is the reason.
    pub(in crate::gateway) fn fields(&self) -> Option<&[FieldError]> {
        if let Self::BodyInvalid(errors) = self { Some(errors) } else { None }
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        if let Self::Key(_) = self {
            // RFC 9110 §15.5.2: a 401 carries a challenge. The scheme is the one of FastAPI.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("APIKey"));
        }
        if let Self::BodyTimedOut = self {
            // RFC 9110 §15.5.9: the rest of the request is not waited for.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
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
