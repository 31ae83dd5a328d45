//! The process itself: whether it drains, what it logs, and its configuration read anew.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::extract::ApiJson;
use crate::gateway::http::problem::ProblemSchema;
use crate::gateway::http::reject::Reject;

/// What an operator may do with the process; `app` does it. None of it may be called from a thread that must not block.
pub trait Operations: Send + Sync {
    /// Reads the configuration anew and puts into effect what can change while running; an error names what is wrong
    /// with it, and nothing has changed then.
    fn reload(&self) -> Result<ReloadReport, String>;

    /// What is logged.
    fn log_level(&self) -> String;

    /// Changes what is logged, in the words of the option `log.level`, until the process ends; an error says what is wrong
    /// with the text.
    fn set_log_level(&self, level: &str) -> Result<(), String>;
}

/// What reading the configuration anew came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReloadReport {
    /// The options that have another value and are in effect.
    pub changed: Vec<String>,
    /// The options that have another value and take effect when the process is started anew.
    pub needs_restart: Vec<String>,
}

/// The state of the process.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProcessState {
    /// Which version runs.
    version: &'static str,
    /// Whether offers are refused, so that sessions become fewer.
    draining: bool,
    /// How many sessions live.
    sessions: usize,
}

/// Whether to drain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    /// True: offers are refused with 503 and `/readyz` says so. False: offers are taken again.
    draining: bool,
}

/// What is logged.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogLevel {
    /// As in the option `log.level`.
    level: String,
}

/// What is to be logged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLevelChange {
    /// As in the option `log.level`, such as `info` or `info,turnpike::relay=debug`.
    // More of what `EnvFilter` reads is taken than this describes.
    #[schema(
        example = "info",
        pattern = "^(off|error|warn|info|debug|trace)(,[a-z_:]+=(off|error|warn|info|debug|trace))*$"
    )]
    level: String,
}

/// Shows the state of the process.
#[utoipa::path(
    get,
    path = "/process",
    responses(
        (status = 200, body = ProcessState),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn show(State(shared): State<Shared>) -> Json<ProcessState> {
    Json(state(&shared))
}

/// Begins or ends a drain: live sessions go on, offers are refused.
#[utoipa::path(
    put,
    path = "/process",
    request_body = Drain,
    responses(
        (status = 200, body = ProcessState),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn set_drain(
    State(shared): State<Shared>,
    ApiJson(Drain { draining }): ApiJson<Drain>,
) -> Json<ProcessState> {
    shared.controls.drain.set(draining);
    Json(state(&shared))
}

/// Shows what is logged.
#[utoipa::path(
    get,
    path = "/log-level",
    responses(
        (status = 200, body = LogLevel),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn show_log_level(State(shared): State<Shared>) -> Json<LogLevel> {
    Json(LogLevel { level: shared.controls.operations.log_level() })
}

/// Changes what is logged until the process ends.
#[utoipa::path(
    put,
    path = "/log-level",
    request_body = LogLevelChange,
    responses(
        (status = 200, body = LogLevel),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn set_log_level(
    State(shared): State<Shared>,
    ApiJson(LogLevelChange { level }): ApiJson<LogLevelChange>,
) -> Result<Json<LogLevel>, Reject> {
    if level.trim().is_empty() {
        return Err(Reject::ParameterInvalid("level is empty; off silences the log".to_owned()));
    }
    shared.controls.operations.set_log_level(&level).map_err(Reject::ParameterInvalid)?;
    Ok(Json(LogLevel { level: shared.controls.operations.log_level() }))
}

/// Reads the configuration anew and puts into effect what can change while running.
#[utoipa::path(
    post,
    path = "/reload",
    responses(
        (status = 200, body = ReloadReport),
        (status = 409, description = "The configuration is wrong; nothing has changed", body = ProblemSchema,
            content_type = "application/json"),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn reload(State(shared): State<Shared>) -> Result<Json<ReloadReport>, Reject> {
    let operations = std::sync::Arc::clone(&shared.controls.operations);
    match tokio::task::spawn_blocking(move || operations.reload()).await {
        Ok(Ok(report)) => Ok(Json(report)),
        Ok(Err(errors)) => Err(Reject::ConfigInvalid(errors)),
        Err(_) => Err(Reject::Internal),
    }
}

fn state(shared: &Shared) -> ProcessState {
    ProcessState {
        version: env!("CARGO_PKG_VERSION"),
        draining: shared.controls.drain.is_on(),
        sessions: shared.controls.sessions.total(),
    }
}
