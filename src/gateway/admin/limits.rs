//! `/admin/v1/limits`: how much there may be of everything, and how much there is.

#![allow(unused_qualifications, reason = "utoipa's macros write them")]

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use crate::gateway::http::problem::ProblemSchema;
use crate::gateway::{ClientLimits, LimitSettings, RateLimit};

/// The limits that are in effect.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LimitList {
    /// Requests of each source.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_source: Option<Rate>,
    /// Offers of each user of a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_user: Option<Rate>,
    /// Refused keys of each source.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_keys_per_source: Option<Rate>,
    /// Every client that has a key, in the order of the configuration.
    clients: Vec<LimitsOfClient>,
}

/// What one client may do, and does.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LimitsOfClient {
    /// Its name.
    client: String,
    /// Its requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    /// The sessions that it has now.
    sessions: usize,
    /// The sessions that it may have at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    most_sessions: Option<usize>,
    /// The sessions that each of its users may have at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    most_sessions_per_user: Option<usize>,
}

/// A rate, and how much of it may come at once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rate {
    /// How many a second.
    per_second: f64,
    /// How many at once.
    burst: u32,
}

/// Shows the limits on requests and sessions. What is left of them stands in each answer's `RateLimit` field.
#[utoipa::path(
    get,
    path = "/limits",
    responses(
        (status = 200, body = LimitList),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn list(State(shared): State<Shared>) -> Json<LimitList> {
    let gate = &shared.controls.gate;
    let LimitSettings { per_user, per_source, refused_keys } = gate.limits.settings();
    let clients = gate.keyring.clients().into_iter().map(|(client, limits)| {
        let ClientLimits { rate, max_sessions, max_sessions_per_user } = limits;
        LimitsOfClient {
            sessions: shared.controls.sessions.of_client(&client),
            client: client.to_string(),
            rate: rate.map(Rate::of),
            most_sessions: max_sessions,
            most_sessions_per_user: max_sessions_per_user,
        }
    });
    Json(LimitList {
        clients: clients.collect(),
        per_source: per_source.map(Rate::of),
        per_user: per_user.map(Rate::of),
        refused_keys_per_source: refused_keys.map(Rate::of),
    })
}

impl Rate {
    fn of(limit: RateLimit) -> Self {
        Self { per_second: 1.0 / limit.period.as_secs_f64(), burst: limit.burst.get() }
    }
}
