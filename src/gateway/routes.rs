//! The public routes, and what every request passes: its id, its counts, and problems as JSON.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{debug, error};

use super::access_log::AccessLog;
use super::admission::Gate;
use super::backends::{Backends, Forwarded};
use super::drain::Drain;
use super::http::cors::{Asked, Cors};
use super::http::ids::RequestId;
use super::http::reject::Reject;
use super::http::{check, headers, problem, trace};
use super::ice_servers::{self, IceServers};
use super::keys::NamedKey;
use super::offer::{self, SdpCheck};
use super::passthrough::{self, Passthrough};
use super::request_span::RequestSpan;
use super::sessions::Sessions;
use super::settings::Timeouts;
use super::trace_link::TraceLink;
use super::whip::{self, Whip};
use crate::telemetry::{ErrorChain, GatewayMetrics, Route};

/// What the handlers of all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) backends: Arc<Backends>,
    pub(super) gate: Gate,
    pub(super) cors: Arc<Cors>,
    pub(super) sessions: Sessions,
    pub(super) sdp_check: SdpCheck,
    pub(super) whip: Whip,
    pub(super) ice_servers: IceServers,
    pub(super) drain: Drain,
    pub(super) health_needs_key: bool,
    pub(super) body_limit_bytes: usize,
    pub(super) timeouts: Timeouts,
    pub(super) passthrough: Passthrough,
    pub(super) access_log: AccessLog,
    pub(super) traces: TraceLink,
    pub(super) metrics: GatewayMetrics,
}

pub(super) const OFFER: &str = "/skin/webrtc/offer";
pub(super) const HEALTH: &str = "/skin/webrtc/health";
/// What is never passed on as it is.
pub(super) const OWN_PATHS: [&str; 4] = [OFFER, HEALTH, ice_servers::PATH, whip::PATH];

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let routes = Router::new();
    let routes = route(routes, OFFER, "POST,OPTIONS", post(offer::answer));
    let routes = route(routes, ice_servers::PATH, "GET,HEAD,OPTIONS", get(ice_servers::list));
    let routes = route(routes, HEALTH, "GET,HEAD,OPTIONS", get(health)).merge(whip::routes(&shared));
    // One layer for all that every request passes: each costs an allocation or two for every request.
    caught(routes.fallback(passthrough::answer))
        .layer(from_fn_with_state(Arc::clone(&shared), pass))
        .with_state(shared)
}

/// Serves a path, and the same with a slash behind it, which people write as well. RFC 9110 §9.3.7: OPTIONS tells what
/// else there is.
fn route(
    routes: Router<Arc<Shared>>,
    path: &str,
    allowed: &'static str,
    methods: MethodRouter<Arc<Shared>>,
) -> Router<Arc<Shared>> {
    let methods = methods.options(async move || (StatusCode::NO_CONTENT, [(header::ALLOW, allowed)]));
    routes.route(path, methods.clone()).route(&format!("{path}/"), methods)
}

/// Adds what every listener does with what it does not serve, and with what its handlers refuse.
pub(super) fn with_problems<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    caught(routes.fallback(async || Reject::NotFound)).layer(from_fn(problem::render))
}

fn caught<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.method_not_allowed_fallback(async || Reject::MethodNotAllowed).layer(CatchPanicLayer::custom(
        |_| {
            error!("a request's handler panicked");
            Reject::Internal.into_response()
        },
    ))
}

/// What every request passes on its way in, and its answer on the way out: counts, ids, problems, pages, the check, and the
/// access log.
async fn pass(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = route_of(request.uri().path(), &shared.passthrough);
    let in_flight = shared.metrics.begin(route);
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id);
    let trace = trace::settle(request.headers_mut());
    request.extensions_mut().insert(trace.0);
    let key = NamedKey::default();
    request.extensions_mut().insert(key.clone());
    let mut line = shared.access_log.begin(route, started, &mut request);
    let template = |path: &str| template_of(route, path, &shared.passthrough);
    let span = RequestSpan::begin(&shared.traces, &mut request, trace, route, template);
    let renderer = problem::Renderer::of(&request);
    let mut response = match shared.cors.begin(&request) {
        Asked::Preflight(answer) => answer,
        Asked::Else(origin) => {
            let mut response = enter(request, next).await;
            shared.cors.finish(origin.as_ref(), response.headers_mut());
            response
        }
    };
    if let Some(line) = &mut line {
        line.set_cause(&response);
    }
    span.finish(&response);
    renderer.render(&mut response);
    in_flight.finish(response.status().as_u16(), started.elapsed());
    shared.gate.answered(&key, response.status());
    match line {
        Some(line) => line.answered(response),
        None => response,
    }
}

/// Refuses what is ambiguous, and takes out what only we may write, before anything is read.
async fn enter(mut request: Request, next: Next) -> Response {
    if let Err(malformation) = check::check(&request) {
        return Reject::Malformed(malformation).into_response();
    }
    headers::remove_own_fields(request.headers_mut());
    next.run(request).await
}

fn route_of(path: &str, passthrough: &Passthrough) -> Route {
    match path.strip_suffix('/').unwrap_or(path) {
        OFFER => Route::Offer,
        path if path == whip::PATH
            || path.strip_prefix(whip::PATH).is_some_and(|rest| rest.starts_with('/')) =>
        {
            Route::Whip
        }
        ice_servers::PATH => Route::IceServers,
        HEALTH => Route::Health,
        _ if passthrough.covers(path) => Route::Passthrough,
        _ => Route::Other,
    }
}

/// The path of a route as traces name it, where requests leave traces: checks of health come without end and mean nothing,
/// and of what is nobody's route there is no end either.
fn template_of(route: Route, path: &str, passthrough: &Passthrough) -> Option<Cow<'static, str>> {
    match route {
        Route::Offer => Some(OFFER.into()),
        Route::Whip if path.trim_end_matches('/') == whip::PATH => Some(whip::PATH.into()),
        Route::Whip => Some(whip::SESSION.into()),
        Route::IceServers => Some(ice_servers::PATH.into()),
        Route::Passthrough => passthrough.prefix_of(path).map(|prefix| format!("{prefix}*").into()),
        Route::Health | Route::Other => None,
    }
}

/// Forwards a health check.
async fn health(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Reject> {
    let (parts, _) = request.into_parts();
    let rates = shared.gate.admit_probe(&parts, shared.health_needs_key)?;
    let forwarded =
        Forwarded { method: Method::GET, path: HEALTH, session: None, user_id: None, body: Bytes::new() };
    match shared.backends.forward(forwarded, parts).await {
        Ok(exchange) => {
            let mut answer = exchange.answer;
            rates.write(answer.headers_mut());
            Ok(answer.map(Body::from))
        }
        Err(error) => {
            shared.metrics.backend_failed(error.failure());
            let (backend, cause) = (error.backend.as_deref(), error.failure().label());
            debug!(backend, cause, error = %ErrorChain(&error), "health check failed");
            Err(Reject::from(&error))
        }
    }
}
