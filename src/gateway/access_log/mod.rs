//! The access log: a line for each request of the gateway, or for a share of them, and no more in a second than a bound.
//!
//! In: requests with their ids, whose keys they have, and their answers. Out: events `request` of a target of their own.
//! While it is off a request costs one look at a setting.

mod bodies;
mod pace;
mod record;
mod sampling;
mod settings;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::Request;
use tokio::time::Instant;
use tracing::{Level, enabled};

use crate::telemetry::{AccessLogMetrics, Route};
use pace::Pace;
pub(in crate::gateway) use record::AccessRecord;
pub use settings::AccessLogSettings;

/// Where the lines of a gateway go, and which there are, exchangeable while requests are served; clones share it.
#[derive(Clone)]
pub(in crate::gateway) struct AccessLog(Arc<State>);

struct State {
    settings: ArcSwap<AccessLogSettings>,
    pace: Pace,
    metrics: AccessLogMetrics,
}

impl AccessLog {
    pub(in crate::gateway) fn new(settings: AccessLogSettings, metrics: AccessLogMetrics) -> Self {
        Self(Arc::new(State { settings: ArcSwap::from_pointee(settings), pace: Pace::default(), metrics }))
    }

    /// Holds for requests from now on.
    pub(in crate::gateway) fn update(&self, settings: AccessLogSettings) {
        self.0.settings.store(Arc::new(settings));
    }

    /// Begins the line of a request, once its ids are settled; nothing while there are no lines.
    pub(in crate::gateway) fn begin(
        &self,
        route: Route,
        started: Instant,
        request: &mut Request,
    ) -> Option<Box<AccessRecord>> {
        let settings = **self.0.settings.load();
        if settings.sample <= 0.0 || !enabled!(target: TARGET, Level::INFO) {
            return None;
        }
        Some(Box::new(AccessRecord::new(self.clone(), settings, route, started, request)))
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccessLog").field(&self.0.settings).finish()
    }
}

/// What filters name the lines by; they pass where `turnpike` does.
const TARGET: &str = "turnpike::access";
