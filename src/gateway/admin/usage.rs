//! `/admin/v1/usage`: what was relayed for whom, summed up from the records.

#![allow(unused_qualifications, reason = "utoipa's macros write them")]

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tracing::error;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::extract::ApiQuery;
use crate::gateway::Usage;
use crate::gateway::http::problem::ProblemSchema;
use crate::gateway::http::reject::Reject;
use crate::records::{GroupBy, Period, Traffic};
use crate::telemetry::ErrorChain;

/// Which usage is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// By what it is told apart.
    group_by: WantedGroup,
    /// Sessions that ended in this Unix second or later; all unless given.
    #[param(minimum = 0, maximum = 253402300799_i64)]
    from: Option<i64>,
    /// Sessions that ended before this Unix second; all unless given.
    #[param(minimum = 0, maximum = 253402300799_i64)]
    to: Option<i64>,
}

/// By what usage is told apart.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageGroup)]
pub(super) enum WantedGroup {
    Key,
    Client,
    UserId,
}

/// What was used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UsageList {
    /// The largest by bytes, at most 1,000.
    usage: Vec<UsageOfGroup>,
}

/// What one key, client or user used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UsageOfGroup {
    /// Which one; none for sessions without a user id.
    group: Option<String>,
    /// Sessions that ended in the period.
    sessions: u64,
    /// How long they lived, together.
    duration_ms: u64,
    /// What the relay carried for them.
    usage: Usage,
}

/// Sums up sessions that have ended. Needs `records.database`.
#[utoipa::path(
    get,
    path = "/usage",
    params(Wanted),
    responses(
        (status = 200, body = UsageList),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn show(
    State(shared): State<Shared>,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> Result<Json<UsageList>, Reject> {
    let period =
        Period { from_ms: in_ms("from", wanted.from, 0)?, to_ms: in_ms("to", wanted.to, LAST_SECOND)? };
    let records = shared.controls.records.get().ok_or(Reject::NoSuch("database of records"))?;
    let group_by = match wanted.group_by {
        WantedGroup::Key => GroupBy::Key,
        WantedGroup::Client => GroupBy::Client,
        WantedGroup::UserId => GroupBy::UserId,
    };
    let groups = records.usage(group_by, period).await.map_err(|error| {
        error!(error = %ErrorChain(&error), "usage cannot be told");
        Reject::Internal
    })?;
    let usage = groups.into_iter().map(|of_group| UsageOfGroup {
        group: of_group.group,
        sessions: of_group.sessions,
        duration_ms: of_group.duration_ms,
        usage: usage(of_group.traffic),
    });
    Ok(Json(UsageList { usage: usage.collect() }))
}

fn usage(traffic: Traffic) -> Usage {
    let Traffic { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client } = traffic;
    Usage { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client }
}

fn in_ms(name: &str, seconds: Option<i64>, default: i64) -> Result<i64, Reject> {
    let seconds = seconds.unwrap_or(default);
    if !(0..=LAST_SECOND).contains(&seconds) {
        return Err(Reject::ParameterInvalid(format!("{name} is {seconds}; it may be 0 to {LAST_SECOND}")));
    }
    Ok(seconds * 1000)
}

/// That of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
