//! `/admin/v1/users`: for whom the most was relayed of late.

#![allow(unused_qualifications, reason = "utoipa's macros write them")]

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Shared;
use super::extract::ApiQuery;
use crate::gateway::BiggestUsers;
use crate::gateway::http::problem::ProblemSchema;
use crate::gateway::http::reject::Reject;

/// How many users to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// At most so many, the biggest first; 10 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Lists the users for whom the most was relayed in the last 5 to 10 minutes, in bounded memory whoever comes: nobody with
/// more than a thousandth of the traffic is missed.
#[utoipa::path(
    get,
    path = "/users",
    params(Wanted),
    responses(
        (status = 200, body = BiggestUsers),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> Result<Json<BiggestUsers>, Reject> {
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST_LISTED).contains(&limit) {
        return Err(Reject::ParameterInvalid(format!("limit is {limit}; it may be 1 to {MOST_LISTED}")));
    }
    Ok(Json(shared.controls.sessions.biggest_users(limit as usize)))
}

const DEFAULT_LIMIT: u32 = 10;
/// Of a thousand that are counted the last ones are guesses.
const MOST_LISTED: u32 = 100;
