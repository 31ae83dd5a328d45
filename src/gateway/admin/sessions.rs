//! `/admin/v1/sessions`: what lives, and how to end it.

#![allow(unused_qualifications, reason = "utoipa's macros write them")]

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::extract::ApiQuery;
use crate::gateway::SessionView;
use crate::gateway::http::ids::SessionId;
use crate::gateway::http::problem::ProblemSchema;
use crate::gateway::http::reject::Reject;
use crate::gateway::sessions::Filter;
use crate::telemetry::{SessionEnd, SessionState};

/// Which sessions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Those of this client alone.
    client: Option<String>,
    /// Those that this key opened alone.
    key: Option<String>,
    /// Those of this user alone.
    user_id: Option<String>,
    /// Those that this backend answered alone.
    backend: Option<String>,
    /// Those in this state alone.
    state: Option<WantedState>,
    /// At most so many, the oldest first; 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Those behind this session: the `next` of the list before.
    #[param(pattern = "^[A-Za-z0-9_-]{22}$")]
    after: Option<String>,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SessionState)]
pub(super) enum WantedState {
    Offered,
    Answered,
    Claimed,
    Connected,
    Media,
    Stalled,
}

/// A part of the live sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// The sessions, the oldest first.
    sessions: Vec<SessionView>,
    /// How many there are in all that were asked for.
    total: usize,
    /// Where the list goes on, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists live sessions.
#[utoipa::path(
    get,
    path = "/sessions",
    params(Wanted),
    responses(
        (status = 200, body = SessionList),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> Result<Json<SessionList>, Reject> {
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST_LISTED).contains(&limit) {
        return Err(Reject::ParameterInvalid(format!("limit is {limit}; it may be 1 to {MOST_LISTED}")));
    }
    let after = match wanted.after.as_deref() {
        Some(text) => Some(SessionId::parse(text).ok_or_else(|| {
            Reject::ParameterInvalid("after is no session; leave it out to begin anew".to_owned())
        })?),
        None => None,
    };
    let filter = Filter {
        client: wanted.client.as_deref(),
        key: wanted.key.as_deref(),
        user_id: wanted.user_id.as_deref(),
        backend: wanted.backend.as_deref(),
        state: wanted.state.map(WantedState::state),
    };
    let (sessions, total, goes_on) = shared.controls.sessions.list(filter, after.as_ref(), limit as usize);
    let next = sessions.last().filter(|_| goes_on).map(|last| last.id.clone());
    Ok(Json(SessionList { sessions, total, next }))
}

/// Shows one session.
#[utoipa::path(
    get,
    path = "/sessions/{id}",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, body = SessionView),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<SessionView>, Reject> {
    let id = SessionId::parse(&id).ok_or(NO_SESSION)?;
    shared.controls.sessions.view(&id).map(Json).ok_or(NO_SESSION)
}

/// Ends a session and the allocations that belong to it.
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "ended"),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn end(State(shared): State<Shared>, Path(id): Path<String>) -> Result<StatusCode, Reject> {
    let id = SessionId::parse(&id).ok_or(NO_SESSION)?;
    let has_ended = shared.controls.sessions.end(&id, SessionEnd::Operator);
    if has_ended { Ok(StatusCode::NO_CONTENT) } else { Err(NO_SESSION) }
}

impl WantedState {
    fn state(self) -> SessionState {
        match self {
            Self::Offered => SessionState::Offered,
            Self::Answered => SessionState::Answered,
            Self::Claimed => SessionState::Claimed,
            Self::Connected => SessionState::Connected,
            Self::Media => SessionState::Media,
            Self::Stalled => SessionState::Stalled,
        }
    }
}

const NO_SESSION: Reject = Reject::NoSuch("session");
const DEFAULT_LIMIT: u32 = 100;
/// Some 300 KiB of JSON.
const MOST_LISTED: u32 = 1000;
