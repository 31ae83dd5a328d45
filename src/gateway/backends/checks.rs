//! Asks a backend at intervals whether it is well.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::backend::Backend;
use super::exchange::uri_of;
use super::settings::HealthCheckSettings;
use crate::gateway::keys::API_KEY;
use crate::telemetry::ErrorChain;

/// Why a backend is not well.
#[derive(Debug, thiserror::Error)]
enum CheckFailure {
    #[error("it cannot be asked")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("it did not answer in time")]
    TimedOut,
    #[error("it answered with status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("its answer broke off, or is longer than {BODY_BYTES} bytes")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    #[error("its answer does not contain what it must")]
    Content,
}

/// Checks until it is dropped, for the first time at once.
pub(super) async fn check_on(backend: Arc<Backend>, settings: HealthCheckSettings) {
    let mut ticks = interval(settings.interval);
    // Checks that were late need not be made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let check = timeout(settings.timeout, check(&backend, &settings)).await;
        match check.unwrap_or(Err(CheckFailure::TimedOut)) {
            Ok(()) => backend.standing.checked(Ok(()), &settings),
            Err(failure) => backend.standing.checked(Err(&ErrorChain(&failure)), &settings),
        }
    }
}

async fn check(backend: &Backend, settings: &HealthCheckSettings) -> Result<(), CheckFailure> {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = uri_of(backend, &settings.path, None);
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    if let Some(key) = backend.own_key() {
        request.headers_mut().insert(API_KEY, key.clone());
    }
    let answer = backend.clients().whole.request(request).await.map_err(CheckFailure::Unreachable)?;
    if answer.status().as_u16() != settings.status {
        return Err(CheckFailure::Status(answer.status()));
    }
    let body = Limited::new(answer.into_body(), BODY_BYTES).collect().await.map_err(CheckFailure::Body)?;
    match &settings.body {
        Some(wanted) if !contains(&body.to_bytes(), wanted.as_bytes()) => Err(CheckFailure::Content),
        Some(_) | None => Ok(()),
    }
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|window| window == wanted)
}

const USER_AGENT: &str = concat!("turnpike/", env!("CARGO_PKG_VERSION"));

/// Answers to health checks have some hundred bytes.
const BODY_BYTES: usize = 64 << 10;
