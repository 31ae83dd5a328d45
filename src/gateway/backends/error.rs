//! Why a request got no answer of a backend.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::ANSWER_BYTES;
use super::pool::RETRY_SOON;
use crate::telemetry::{BackendFailure, BackendOutcome};

/// No backend gave a usable answer.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(in crate::gateway) struct ForwardError {
    /// The last one that was asked.
    pub(in crate::gateway) backend: Option<Arc<str>>,
    /// When it is worth to come back.
    pub(in crate::gateway) retry_after: Duration,
    #[source]
    pub(in crate::gateway) cause: BackendError,
}

/// Why a backend gave no usable answer, with what the network said.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum BackendError {
    #[error("no backend is usable")]
    NoBackend,
    #[error("no connection")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("connection closed")]
    Closed(#[source] Box<dyn Error + Send + Sync>),
    #[error("answer is not HTTP")]
    Garbled(#[source] Box<dyn Error + Send + Sync>),
    #[error("answer is no SDP answer in JSON")]
    NoAnswer,
    #[error("answer switches to a protocol that nobody asked for")]
    Switched,
    #[error("no answer after {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("answer is larger than {ANSWER_BYTES} bytes")]
    TooLong,
}

impl ForwardError {
    /// A backend answered, but not what was asked for.
    pub(in crate::gateway) fn of(backend: Arc<str>, cause: BackendError) -> Self {
        Self { backend: Some(backend), retry_after: RETRY_SOON, cause }
    }

    pub(in crate::gateway) fn failure(&self) -> BackendFailure {
        match self.cause {
            BackendError::NoBackend => BackendFailure::NoBackend,
            BackendError::Unreachable(_) => BackendFailure::Unreachable,
            BackendError::Closed(_) => BackendFailure::Closed,
            BackendError::Garbled(_) | BackendError::NoAnswer | BackendError::Switched => {
                BackendFailure::Garbled
            }
            BackendError::TimedOut(_) => BackendFailure::TimedOut,
            BackendError::TooLong => BackendFailure::TooLong,
        }
    }
}

impl BackendError {
    /// What it is to the backend that was asked.
    pub(super) fn outcome(&self) -> BackendOutcome {
        match self {
            Self::NoBackend | Self::Unreachable(_) => BackendOutcome::Unreachable,
            Self::Closed(_) => BackendOutcome::Closed,
            Self::Garbled(_) | Self::NoAnswer | Self::Switched => BackendOutcome::Garbled,
            Self::TimedOut(_) => BackendOutcome::TimedOut,
            Self::TooLong => BackendOutcome::TooLong,
        }
    }
}
