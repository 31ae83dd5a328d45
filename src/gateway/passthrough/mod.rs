//! Other paths, where an operator lets them through: key, limits, backend, and the answer as it comes.
//!
//! Nothing is held in memory but the piece that is on its way. What the gateway serves itself never comes by here, in
//! whatever spelling, so that what is checked for offers is checked for all of them.

mod metered;
mod settings;
mod web_socket;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use tracing::debug;

use super::admission::Admitted;
use super::backends::Upgrade;
use super::http::path::{self, PathRefusal};
use super::http::reject::Reject;
use super::http::{body, headers};
use super::keys::Scope;
use super::limits::RateFields;
use super::routes::{OWN_PATHS, Shared};
use super::settings::Timeouts;
use crate::telemetry::{ErrorChain, FrontMetrics};
use metered::{Metered, Paced};

pub use settings::PassthroughSettings;

/// What is let through, exchangeable while requests are served; clones share it.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Passthrough {
    rules: Arc<ArcSwap<Vec<PassthroughSettings>>>,
    metrics: FrontMetrics,
}

impl Passthrough {
    pub(in crate::gateway) fn new(settings: &[PassthroughSettings], metrics: FrontMetrics) -> Self {
        Self { rules: Arc::new(ArcSwap::from_pointee(settings.to_vec())), metrics }
    }

    /// Holds for requests from now on.
    pub(in crate::gateway) fn update(&self, settings: &[PassthroughSettings]) {
        self.rules.store(Arc::new(settings.to_vec()));
    }

    /// Whether requests for a path are let through.
    pub(in crate::gateway) fn covers(&self, path: &str) -> bool {
        self.rules.load().iter().any(|rule| rule.covers(path))
    }

    /// What the rule of a path is for.
    pub(in crate::gateway) fn prefix_of(&self, path: &str) -> Option<String> {
        self.of(path).map(|rule| rule.prefix)
    }

    /// The rule of a path: that with the longest prefix.
    fn of(&self, path: &str) -> Option<PassthroughSettings> {
        let rules = self.rules.load();
        let covering = rules.iter().filter(|rule| rule.covers(path));
        covering.max_by_key(|rule| rule.prefix.len()).cloned()
    }
}

/// What a request was let in by, which every answer tells.
enum Leave {
    Key(Admitted),
    Public(RateFields),
}

pub(in crate::gateway) async fn answer(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Reject> {
    let (mut parts, body) = request.into_parts();
    let (rule, leave) = match admit(&shared, &mut parts, &body) {
        Ok(admitted) => admitted,
        Err(reject) => {
            body::discard_unread(&parts.headers, body);
            return Err(reject);
        }
    };
    let mut response = pass(&shared, &rule, parts, body).await.into_response();
    match &leave {
        Leave::Key(admitted) => admitted.tell(response.headers_mut()),
        Leave::Public(rates) => rates.write(response.headers_mut()),
    }
    Ok(response)
}

/// Whether a request may pass, from its headers alone.
fn admit(shared: &Shared, parts: &mut Parts, body: &Body) -> Result<(PassthroughSettings, Leave), Reject> {
    let path = parts.uri.path();
    let rule = shared.passthrough.of(path).ok_or(Reject::NotFound)?;
    path::check(path, &OWN_PATHS).map_err(|refusal| match refusal {
        PathRefusal::Ambiguous => Reject::PathAmbiguous,
        PathRefusal::Disguised => Reject::NotFound,
    })?;
    let leave = if rule.is_public {
        Leave::Public(shared.gate.admit_probe(parts, false)?)
    } else {
        let admitted = shared.gate.admit(parts, Scope::Offer)?;
        headers::name_key(&mut parts.headers, &admitted.identity.key);
        Leave::Key(admitted)
    };
    let limit_bytes = rule.body_limit_bytes;
    if body.size_hint().lower() > limit_bytes as u64 {
        return Err(Reject::BodyTooLarge { limit_bytes });
    }
    Ok((rule, leave))
}

async fn pass(
    shared: &Shared,
    rule: &PassthroughSettings,
    parts: Parts,
    body: Body,
) -> Result<Response, Reject> {
    if web_socket::is_asked_for(&parts) {
        return web_socket::open(shared, rule, parts).await;
    }
    let is_head = parts.method == Method::HEAD;
    let Timeouts { request_body, .. } = shared.timeouts;
    let (body, failure) = Metered::new(body, rule.body_limit_bytes, request_body);
    let deadline = request_body + shared.backends.answer_deadline();
    match send(shared, parts, Body::new(body), Upgrade::No, deadline).await {
        // The backend may have seen a part of it, and knows by the closed connection that no more comes.
        Err(_) if failure.get().is_some() => Err(failure.get().cloned().unwrap_or(Reject::BodyBroken)),
        Err(reject) => Err(reject),
        Ok(answer) => Ok(as_it_comes(answer, is_head, shared.backends.answer_deadline())),
    }
}

/// Sends a request on its way; what goes wrong is counted.
async fn send(
    shared: &Shared,
    parts: Parts,
    body: Body,
    upgrade: Upgrade,
    deadline: Duration,
) -> Result<Response<Incoming>, Reject> {
    shared.backends.pass(parts, body, upgrade, deadline).await.map_err(|error| {
        shared.metrics.backend_failed(error.failure());
        let (backend, cause) = (error.backend.as_deref(), error.failure().label());
        debug!(backend, cause, error = %ErrorChain(&error), "request not passed on");
        Reject::from(&error)
    })
}

/// A backend's answer as the client gets it, piece by piece.
fn as_it_comes(answer: Response<Incoming>, is_head: bool, pause: Duration) -> Response {
    let (mut head, body) = answer.into_parts();
    headers::remove_hop_by_hop(&mut head.headers);
    // Without a body it is what the body would have; else it is counted anew.
    if !is_head && head.status != StatusCode::NOT_MODIFIED {
        head.headers.remove(header::CONTENT_LENGTH);
    }
    Response::from_parts(head, Body::new(Paced::new(body, pause)))
}
