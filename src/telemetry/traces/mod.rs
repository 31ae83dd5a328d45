//! Traces: what became of one offer, from its request to the end of its relay session, as spans in a tree.
//!
//! ```text
//! Traces ─▶ Span (SERVER) ─▶ child (CLIENT, INTERNAL) …         each span, once it has ended ─▶ queue ─▶ otlp ─▶ collector
//!    └ Sampler: is the trace recorded?                                                       (bounded)
//! ```
//!
//! In: spans that the rooms begin, describe and end themselves; nothing is taken from log lines. Out: batches of OTLP by
//! HTTP. A span of a trace that is not recorded has an id, for those who are called within it, and nothing else; where
//! traces are off, it has not even that.

mod ids;
mod otlp;
mod queue;
mod sampler;
mod settings;
mod span;
mod value;

pub mod attribute;

#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::trace_metrics::TraceMetrics;
use otlp::Exporter;
use queue::{Queue, queue};
use sampler::Sampler;

pub use ids::{RemoteParent, SpanContext, SpanId, TraceId};
pub use settings::TraceSettings;
pub use span::{Span, SpanKind};
pub use value::Value;

/// Begins the traces of one process; clones are the same. The default is off.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    sampler: Sampler,
    queue: Queue,
    /// Until when the exporter may go on, once it shall end.
    close: watch::Sender<Option<Instant>>,
    exporter: Mutex<Option<JoinHandle<()>>>,
}

impl Traces {
    /// Begins to export to a collector, which need not be there yet; needs a runtime. `tls` is used for `https`.
    pub fn start(settings: &TraceSettings, tls: rustls::ClientConfig, metrics: TraceMetrics) -> Self {
        let (queue, ended) = queue(metrics.clone());
        let (close, closing) = watch::channel(None);
        let exporter = Exporter::new(settings, tls, metrics, ended, closing);
        Self(Some(Arc::new(Shared {
            sampler: Sampler::new(settings.sample_ratio, settings.follow_clients),
            queue,
            close,
            exporter: Mutex::new(Some(tokio::spawn(exporter.run()))),
        })))
    }

    /// Whether anything is traced.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the first span of ours in a trace: the answer to a request, perhaps within a span of who sent it.
    pub fn serve(
        &self,
        name: impl Into<Cow<'static, str>>,
        trace: TraceId,
        parent: Option<RemoteParent>,
    ) -> Span {
        let Some(shared) = &self.0 else { return Span::default() };
        let is_sampled = shared.sampler.samples(trace, parent);
        Span::serve(name.into(), trace, parent, is_sampled.then(|| shared.queue.clone()))
    }

    /// Exports what has ended, and returns when that is done or has taken too long; nothing is taken afterwards.
    pub async fn close(&self) {
        let Some(shared) = &self.0 else { return };
        shared.close.send_replace(Some(Instant::now() + otlp::CLOSE_PATIENCE));
        let exporter = shared.exporter.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(exporter) = exporter {
            // It keeps to the deadline itself; a panic was reported when it happened.
            let _ = exporter.await;
        }
    }
}
