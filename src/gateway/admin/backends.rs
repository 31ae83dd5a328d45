//! `/admin/v1/backends`: how they are, and how to take one out.

#![allow(unused_qualifications, reason = "utoipa's macros write them")]

use std::time::SystemTime;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use tracing::info;
use utoipa::ToSchema;

use super::Shared;
use crate::gateway::http::problem::ProblemSchema;
use crate::gateway::http::reject::Reject;
use crate::gateway::{BackendFailureView, BackendView};

/// Every backend of the configuration that is in effect.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BackendList {
    /// The backends, in the order of the configuration.
    backends: Vec<BackendState>,
}

/// One backend.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BackendState {
    /// Its name.
    name: String,
    /// Its base URL.
    url: String,
    /// Its share relative to the others.
    weight: u32,
    /// `healthy`, or why it is given no offers.
    state: &'static str,
    /// How many seconds of an ejection are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    ejected_for_seconds: Option<u64>,
    /// Media sessions that live there, offers under way counted in.
    sessions: usize,
    /// Requests that it was sent since the start of the process.
    requests: u64,
    /// Its last failure since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<LastFailure>,
}

/// A failure of a backend.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LastFailure {
    /// What happened.
    cause: &'static str,
    /// When, in Unix seconds.
    at: u64,
}

/// What a drain or its end came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Drained {
    /// How many media sessions live at the backend, which go on.
    sessions: usize,
}

/// Lists the backends.
#[utoipa::path(
    get,
    path = "/backends",
    responses(
        (status = 200, body = BackendList),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn list(State(shared): State<Shared>) -> Json<BackendList> {
    let backends = shared.controls.backends.views().into_iter().map(BackendState::from).collect();
    Json(BackendList { backends })
}

/// Gives a backend no more offers, until it is resumed or the process ends; what lives there goes on.
#[utoipa::path(
    post,
    path = "/backends/{name}/drain",
    params(("name" = String, Path, description = "The backend's name")),
    responses(
        (status = 200, body = Drained),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn drain(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Drained>, Reject> {
    let sessions = shared.controls.backends.drain(&name).map_err(|_| NO_BACKEND)?;
    info!(backend = name, sessions, "backend drains");
    Ok(Json(Drained { sessions }))
}

/// Gives a backend offers again.
#[utoipa::path(
    post,
    path = "/backends/{name}/resume",
    params(("name" = String, Path, description = "The backend's name")),
    responses(
        (status = 200, body = Drained),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Drained>, Reject> {
    let sessions = shared.controls.backends.resume(&name).map_err(|_| NO_BACKEND)?;
    info!(backend = name, sessions, "backend gets offers again");
    Ok(Json(Drained { sessions }))
}

impl From<BackendView> for BackendState {
    fn from(view: BackendView) -> Self {
        let BackendView { name, url, weight, state, ejected_for, sessions, requests, last_failure } = view;
        Self {
            name,
            url,
            weight,
            state: state.label(),
            ejected_for_seconds: ejected_for.map(|left| left.as_secs()),
            sessions,
            requests,
            last_failure: last_failure.map(|BackendFailureView { cause, at }| LastFailure {
                cause,
                at: at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            }),
        }
    }
}

const NO_BACKEND: Reject = Reject::NoSuch("backend");
