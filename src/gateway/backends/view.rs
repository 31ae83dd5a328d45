//! What operators see of a backend.

use std::time::{Duration, SystemTime};

use crate::telemetry::BackendState;

/// One backend at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendView {
    /// Its name.
    pub name: String,
    /// Its base URL.
    pub url: String,
    /// Its share relative to the others.
    pub weight: u32,
    /// Whether it is given offers.
    pub state: BackendState,
    /// How much of an ejection is left; zero if an offer may try it again. None unless it is ejected.
    pub ejected_for: Option<Duration>,
    /// Media sessions that live there, offers under way counted in.
    pub sessions: usize,
    /// Requests that it was sent since the start of the process.
    pub requests: u64,
    /// Its last failure since then.
    pub last_failure: Option<BackendFailureView>,
}

/// A failure of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendFailureView {
    /// What happened, as metrics name it: the outcome of a request, or `health_check`.
    pub cause: &'static str,
    /// When.
    pub at: SystemTime,
}

/// There is no backend of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no backend of this name")]
pub struct UnknownBackend;
