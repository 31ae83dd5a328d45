//! `/admin/v1/keys`: what there is, and how to revoke one.

#![allow(unused_qualifications, reason = "utoipa's macros write them")]

use std::time::SystemTime;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use tracing::info;
use utoipa::ToSchema;

use super::Shared;
use crate::gateway::KeyView;
use crate::gateway::http::problem::ProblemSchema;
use crate::gateway::http::reject::Reject;

/// Every key of the configuration that is in effect.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyList {
    /// The keys, in the order of the configuration.
    keys: Vec<KeyView>,
}

/// What a revocation came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revocation {
    /// How many sessions the key had opened, which have ended.
    ended_sessions: usize,
}

/// Lists the keys, without anything that could be tried as one.
#[utoipa::path(
    get,
    path = "/keys",
    responses(
        (status = 200, body = KeyList),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn list(State(shared): State<Shared>) -> Json<KeyList> {
    Json(KeyList { keys: shared.controls.gate.keyring.list(now()) })
}

/// Refuses a key from now on and ends the sessions that it opened. That is forgotten when the process ends: remove the key
/// from the configuration too.
#[utoipa::path(
    post,
    path = "/keys/{id}/revoke",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 200, body = Revocation),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn revoke(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Revocation>, Reject> {
    if !shared.controls.gate.keyring.revoke(&id) {
        return Err(Reject::NoSuch("key"));
    }
    let ended_sessions = shared.controls.sessions.end_of_key(&id);
    info!(key = id, ended_sessions, "key revoked");
    Ok(Json(Revocation { ended_sessions }))
}

#[expect(clippy::disallowed_methods, reason = "the gateway owns a clock; keys expire by the wall's")]
fn now() -> SystemTime {
    SystemTime::now()
}
