//! `/whip`, and the session below it that each offer makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::offer::{APPLICATION_SDP, Sdp};
use super::settings::WhipSettings;
use crate::gateway::http::ids::SessionId;
use crate::gateway::http::reject::Reject;
use crate::gateway::keys::Scope;
use crate::gateway::offer;
use crate::gateway::routes::Shared;

/// Whether WHIP is spoken at the moment; clones share it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Whip {
    enabled: Arc<AtomicBool>,
}

impl Whip {
    pub(in crate::gateway) fn new(settings: WhipSettings) -> Self {
        Self { enabled: Arc::new(AtomicBool::new(settings.enabled)) }
    }

    /// Holds for requests from now on.
    pub(in crate::gateway) fn update(&self, settings: WhipSettings) {
        self.enabled.store(settings.enabled, Ordering::Relaxed);
    }
}

/// The path is fixed: clients get the whole URL in their settings, and one more name for it would help nobody.
pub(in crate::gateway) const PATH: &str = "/whip";
pub(in crate::gateway) const SESSION: &str = "/whip/{session}";

pub(in crate::gateway) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    // RFC 9725 §4.1: whoever GETs either resource is told that there is nothing to see. PATCH is 405, as for sessions that
    // support neither trickled candidates nor restarts (RFC 9110 §15.5.6 says so, as RFC 9725 §4.3.1 does not).
    let endpoint = post(begin).get(look_at_endpoint).options(describe_endpoint);
    let session = delete(end).get(look_at_session).options(describe_session);
    let other_methods = async || Reject::MethodNotAllowed;
    Router::new()
        .route(PATH, endpoint.fallback(other_methods))
        .route(SESSION, session.fallback(other_methods))
        .layer(from_fn_with_state(Arc::clone(shared), only_if_enabled))
}

/// Takes an offer.
async fn begin(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Reject> {
    offer::forward::<Sdp>(&shared, request).await
}

/// RFC 9725 §4.2: what the offer began ends, whatever entity tags the request names (§4.3.1).
///
/// The answer is 200, since there are clients that take 204 for an error.
async fn end(
    State(shared): State<Arc<Shared>>,
    session: Path<String>,
    request: Request,
) -> Result<Response, Reject> {
    of_own_session(&shared, &session, request, StatusCode::OK, |session, client| {
        shared.sessions.end_of_client(session, client)
    })
}

async fn look_at_endpoint() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn look_at_session(
    State(shared): State<Arc<Shared>>,
    session: Path<String>,
    request: Request,
) -> Result<Response, Reject> {
    of_own_session(&shared, &session, request, StatusCode::NO_CONTENT, |session, client| {
        shared.sessions.view(session).is_some_and(|session| session.client == client)
    })
}

/// Does something with a session of the client's own. To others it is as unknown as one that does not exist.
fn of_own_session(
    shared: &Shared,
    session: &str,
    request: Request,
    done: StatusCode,
    act: impl FnOnce(&SessionId, &str) -> bool,
) -> Result<Response, Reject> {
    let (head, _) = request.into_parts();
    let admitted = shared.gate.admit(&head, Scope::Whip)?;
    let is_own = SessionId::parse(session).is_some_and(|session| act(&session, &admitted.identity.client));
    let mut response = if is_own { done.into_response() } else { Reject::NoSuch("session").into_response() };
    admitted.tell(response.headers_mut());
    Ok(response)
}

/// RFC 9725 §4.2: OPTIONS names the type that POST takes. It needs no key, as browsers ask without.
async fn describe_endpoint() -> impl IntoResponse {
    let allowed = HeaderValue::from_static("GET,HEAD,OPTIONS,POST");
    [(header::ALLOW, allowed), (ACCEPT_POST, APPLICATION_SDP)]
}

async fn describe_session() -> impl IntoResponse {
    [(header::ALLOW, "DELETE,GET,HEAD,OPTIONS")]
}

async fn only_if_enabled(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if !shared.whip.enabled.load(Ordering::Relaxed) {
        return Reject::NotFound.into_response();
    }
    next.run(request).await
}

/// Linked Data Platform 1.0, §7.1.
pub(in crate::gateway) const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
