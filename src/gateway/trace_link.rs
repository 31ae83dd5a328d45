//! `TraceLink`: the way to the traces, if there are any.

use std::sync::{Arc, OnceLock};

use crate::telemetry::Traces;

/// The way to the traces, which begin after the gateway is bound; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct TraceLink(Arc<OnceLock<Traces>>);

impl TraceLink {
    /// Tells which traces they are; the first ones stay.
    pub(super) fn join(&self, traces: Traces) {
        let _ = self.0.set(traces);
    }

    /// The traces, if anything is traced.
    pub(super) fn get(&self) -> Option<&Traces> {
        self.0.get().filter(|traces| traces.is_on())
    }
}
