//! What operators see: one catalogue of metrics, log lines that nobody can forge, traces, and types that redact.
//!
//! In: counts and spans from the rooms that do the work, and the events of `tracing`. Out: the text that Prometheus scrapes,
//! lines on standard error, and spans for a collector.

mod access_log_metrics;
mod access_metrics;
mod allocation_labels;
mod backend_metrics;
mod capacity_metrics;
mod catalog;
mod certificate_metrics;
mod client_text;
mod config_metrics;
mod coturn_metrics;
mod embedded_catalog;
mod embedded_metrics;
mod error_chain;
mod exposition;
mod family;
mod front_metrics;
mod gateway_metrics;
mod hook_metrics;
mod key_metrics;
mod live_counts;
mod log_control;
mod log_fields;
mod logging;
mod metrics;
mod packet_labels;
mod record_metrics;
mod redact;
mod relay_catalog;
mod relay_metrics;
mod relay_stats;
mod session_catalog;
mod session_metrics;
mod settings;
mod status_counters;
mod stream_labels;
mod trace_metrics;
mod traces;
mod user_metrics;

pub use access_log_metrics::{AccessLine, AccessLogMetrics};
pub use access_metrics::{AccessMetrics, RateLimited};
pub use allocation_labels::{AllocationRefusal, ClaimResult, ClientTransport, EndReason, RelayedFamily};
pub use backend_metrics::{
    BackendMetrics, BackendOutcome, BackendState, BackendsMetrics, IdempotencyMetrics, IdempotencyResult,
};
pub use capacity_metrics::{RelayBounds, Used};
pub use certificate_metrics::{CertificateMetrics, CertificateOwner};
pub use client_text::ClientText;
pub use config_metrics::ConfigMetrics;
pub use coturn_metrics::CompatibleWith;
pub use embedded_metrics::{EmbeddedMetrics, FrameFate, OfferResult};
pub use error_chain::ErrorChain;
pub use exposition::EXPOSITION_CONTENT_TYPE;
pub use front_metrics::{
    ConnectionBound, CutCause, FrontMetrics, HttpListener, OpenWebSocket, Preflight, WebSocketEnd,
};
pub use gateway_metrics::{
    BackendFailure, ConnectionFailure, GatewayMetrics, KeyRefusal, RequestInFlight, Route,
};
pub use hook_metrics::{HookBound, HookMetrics, HookResult};
pub use key_metrics::{KeyMetrics, KeyTimes};
pub use live_counts::LiveCounts;
pub use log_control::LogControl;
pub use logging::{LoggingError, start_logging};
pub use metrics::Metrics;
pub use packet_labels::{AuthFailure, Direction, DropReason, Offload, TurnMethod};
pub use record_metrics::{RecordLoss, RecordMetrics, Taker};
pub use redact::{RedactedAddr, RedactedIp, RedactedText, RedactedUser, ShownAddresses, ShownUserIds};
pub use relay_stats::RelayStats;
pub use session_metrics::{
    SessionEnd, SessionLeg, SessionMetrics, SessionMilestone, SessionQuality, SessionRefusal, SessionState,
};
pub use settings::{LogFilter, LogFormat, Settings};
pub use stream_labels::{CloseReason, PeerStreamOrigin, StreamKind};
pub use trace_metrics::TraceMetrics;
#[cfg(test)]
pub(crate) use traces::tests::{TestCollector, start as start_traces};
pub use traces::{
    RemoteParent, Span, SpanContext, SpanId, SpanKind, TraceId, TraceSettings, Traces, Value, attribute,
};
pub use user_metrics::{USER_RANKS, UserBytes, UserMetrics};
