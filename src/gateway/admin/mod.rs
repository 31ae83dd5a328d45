//! `Admin`: the listener for operators, probes and Prometheus.
//!
//! Metrics, health and the live page are for everybody who reaches it; the API, from which the page has all that it shows, asks for
//! more (`access`).

mod access;
mod api;
mod backends;
mod events;
mod extract;
mod keys;
mod limits;
mod page;
mod process;
mod sessions;
mod usage;
mod users;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;
use std::{fmt, io};

use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::Serialize;
use tokio::net::TcpListener;
use tracing::error;
use utoipa::ToSchema;

use super::admission::Gate;
use super::backends::BackendsHandle;
use super::drain::Drain;
use super::front::{Door, Front, FrontSettings, Listener, Proxies, Slots, StartError, listener};
use super::http::reject::Reject;
use super::record_link::RecordLink;
use super::server::Gateway;
use super::sessions::{Sessions, SessionsHandle};
use super::settings::{AdminSettings, Timeouts};
use super::{routes, server};
use crate::telemetry::{EXPOSITION_CONTENT_TYPE, HttpListener, Metrics};
use access::Access;
use events::Feed;

pub(in crate::gateway) use access::AccessRefusal;
pub use process::{Operations, ReloadReport};

/// Asks every part of the process whether it can serve; called for each `/readyz`, so it must not block.
pub type Readiness = Arc<dyn Fn() -> Vec<PartReadiness> + Send + Sync>;

/// Whether one part of the process can serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartReadiness {
    /// The part, such as `relay`.
    pub part: &'static str,
    /// Whether it can serve now.
    pub ready: bool,
    /// Why not, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What operators may look at and change.
#[derive(Clone)]
pub struct Controls {
    pub(super) gate: Gate,
    pub(super) sessions: Sessions,
    pub(super) drain: Drain,
    pub(super) backends: BackendsHandle,
    pub(super) records: RecordLink,
    /// The process itself.
    pub(super) operations: Arc<dyn Operations>,
}

/// The admin listener, bound to its address.
pub struct Admin {
    listener: TcpListener,
    front: Front,
    shared: Shared,
}

impl Controls {
    /// Those of a gateway, and of the process around it.
    pub fn new(gateway: &Gateway, operations: Arc<dyn Operations>) -> Self {
        let SessionsHandle { sessions } = gateway.sessions();
        Self {
            gate: gateway.gate(),
            sessions,
            drain: gateway.drain(),
            backends: gateway.backends(),
            records: gateway.records(),
            operations,
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Admin {
    /// Takes the address; requests queue until [`Admin::serve`].
    pub async fn bind(
        settings: &AdminSettings,
        metrics: &Metrics,
        readiness: Readiness,
        controls: Controls,
    ) -> Result<Self, StartError> {
        let listener = listener::bind(Listener::Admin, settings.listen).await?;
        let access = Access::new(settings.listen, settings.token.as_ref(), controls.gate.clone());
        let (api, document) = api::api();
        #[expect(clippy::disallowed_methods, reason = "this room owns a clock: since when does it serve?")]
        let started_at = SystemTime::now();
        let shared = Shared {
            metrics: metrics.clone(),
            readiness,
            controls,
            access,
            document: document.into(),
            feed: Feed::new(),
            started_at,
        };
        let router = router(shared.clone(), api);
        let front = Front {
            router,
            tls: None,
            allows_plain: false,
            timeouts: Timeouts::default(),
            slots: Slots::new(&FrontSettings::of_admin(), HttpListener::Admin, metrics.front().clone()),
            proxies: Proxies::default(),
            metrics: metrics.gateway().clone(),
            front_metrics: metrics.front().clone(),
        };
        Ok(Self { listener, front, shared })
    }

    /// The address that operators reach, with the real port where the settings say 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` completes; then lets requests in flight finish.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        // Nobody has its door.
        let (_, handed) = Door::new(1);
        let feed = self.shared.feed.clone();
        let shutdown = async {
            shutdown.await;
            // Whoever watches would do so until the end of the drain.
            feed.close();
        };
        tokio::select! {
            () = server::serve(Some(self.listener), handed, self.front, shutdown) => {}
            never = self.shared.tell_watchers() => match never {},
        }
    }
}

#[derive(Clone)]
struct Shared {
    metrics: Metrics,
    readiness: Readiness,
    controls: Controls,
    access: Access,
    /// The description of the API.
    document: Arc<str>,
    feed: Feed,
    started_at: SystemTime,
}

fn router(shared: Shared, api: Router<Shared>) -> Router {
    let guarded = api.route_layer(from_fn_with_state(shared.clone(), access::guard));
    let routes = Router::new()
        .merge(guarded)
        .route(
            "/openapi.json",
            get(async |State(shared): State<Shared>| api::show_document(&shared.document)),
        )
        .merge(page::routes())
        .route("/metrics", get(show_metrics))
        .route("/livez", get(show_liveness))
        .route("/readyz", get(show_readiness));
    routes::with_problems(routes.fallback(async || Reject::NotFound)).with_state(shared)
}

async fn show_metrics(State(shared): State<Shared>) -> Result<Response, Reject> {
    match shared.metrics.exposition() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, EXPOSITION_CONTENT_TYPE)], text).into_response()),
        Err(error) => {
            error!(%error, "metrics not encoded");
            Err(Reject::Internal)
        }
    }
}

/// Alive is whoever can answer; a part that is not ready is no reason to restart the process.
async fn show_liveness() -> Json<Status> {
    Json(Status { status: "alive" })
}

async fn show_readiness(State(shared): State<Shared>) -> (StatusCode, Json<ReadinessReport>) {
    let parts = (shared.readiness)();
    if parts.iter().all(|part| part.ready) {
        return (StatusCode::OK, Json(ReadinessReport { status: "ready", parts }));
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(ReadinessReport { status: "not ready", parts }))
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

#[derive(Serialize)]
struct ReadinessReport {
    status: &'static str,
    parts: Vec<PartReadiness>,
}
