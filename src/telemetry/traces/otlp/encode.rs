//! Spans as OTLP writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;

use super::message::{self, AnyValue, KeyValue, OneValue};
use crate::telemetry::traces::SpanKind;
use crate::telemetry::traces::ids::TraceId;
use crate::telemetry::traces::span::{Ended, Event};
use crate::telemetry::traces::value::Value;

/// Who sends spans, the same in each request.
#[derive(Debug, Clone)]
pub(in crate::telemetry::traces) struct Sender(message::Resource);

impl Sender {
    /// This process. Its id tells replicas, and starts, apart.
    pub(in crate::telemetry::traces) fn new() -> Self {
        let text = |key: &str, value: &str| key_value(key, Value::from(value));
        Self(message::Resource {
            attributes: vec![
                text("service.name", env!("CARGO_PKG_NAME")),
                text("service.version", env!("CARGO_PKG_VERSION")),
                // As unlikely to come twice as the id of a trace.
                text("service.instance.id", &TraceId::random().to_string()),
            ],
        })
    }
}

/// The body of a request with these spans.
pub(in crate::telemetry::traces) fn encode(sender: &Sender, spans: &[Ended]) -> Vec<u8> {
    let scope = message::InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let spans = spans.iter().map(span).collect();
    let scope_spans = vec![message::ScopeSpans { scope: Some(scope), spans }];
    let resource_spans = vec![message::ResourceSpans { resource: Some(sender.0.clone()), scope_spans }];
    message::ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn span(ended: &Ended) -> message::Span {
    let Ended { context, parent, is_parent_remote, description, began_at, lasted } = ended;
    let remote = if *is_parent_remote { message::FLAG_IS_REMOTE } else { 0 };
    message::Span {
        trace_id: context.trace.to_bytes().to_vec(),
        span_id: context.span.to_bytes().to_vec(),
        parent_span_id: parent.map(|parent| parent.to_bytes().to_vec()).unwrap_or_default(),
        name: description.name.to_string(),
        kind: match description.kind {
            SpanKind::Internal => message::KIND_INTERNAL,
            SpanKind::Server => message::KIND_SERVER,
            SpanKind::Client => message::KIND_CLIENT,
        },
        start_time_unix_nano: unix_nanos(*began_at, Duration::ZERO),
        end_time_unix_nano: unix_nanos(*began_at, *lasted),
        attributes: description
            .attributes
            .iter()
            .map(|(name, value)| key_value(name, value.clone()))
            .collect(),
        events: description.events.iter().map(|event| self::event(event, *began_at)).collect(),
        dropped_events_count: description.dropped_events,
        status: description.has_failed.then_some(message::Status { code: message::STATUS_ERROR }),
        // What is exported is sampled.
        flags: message::FLAG_SAMPLED | message::FLAG_HAS_IS_REMOTE | remote,
    }
}

fn event(event: &Event, began_at: SystemTime) -> message::Event {
    message::Event { time_unix_nano: unix_nanos(began_at, event.after), name: event.name.to_owned() }
}

fn key_value(key: &str, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => OneValue::String(text),
        Value::Integer(number) => OneValue::Int(number),
        Value::Float(number) => OneValue::Double(number),
        Value::Boolean(is_so) => OneValue::Bool(is_so),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

fn unix_nanos(began_at: SystemTime, after: Duration) -> u64 {
    let since = began_at.duration_since(UNIX_EPOCH).unwrap_or_default() + after;
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
