//! A collector that reads with `opentelemetry-proto` what it is sent, and answers as a test likes.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::telemetry::{TraceMetrics, TraceSettings, Traces};

/// Takes what is exported until the test ends.
pub(crate) struct TestCollector {
    address: SocketAddr,
    shared: Arc<Shared>,
    requests: watch::Receiver<usize>,
}

#[derive(Default)]
struct Shared {
    bodies: Mutex<Vec<Vec<u8>>>,
    headers: Mutex<Vec<HeaderMap>>,
    /// What is answered first, before everything is taken.
    answers: Mutex<VecDeque<Response>>,
}

/// A span as a test looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for the first of a trace.
    pub(crate) parent: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
    pub(crate) dropped_events: u32,
    pub(crate) has_failed: bool,
    pub(crate) flags: u32,
    /// Both in nanoseconds since 1970.
    pub(crate) time: (u64, u64),
}

impl TestCollector {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let (told, requests) = watch::channel(0);
        let router = Router::new().fallback({
            let shared = Arc::clone(&shared);
            async move |request: Request| {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                shared.headers.lock().unwrap().push(head.headers);
                let answer = shared.answers.lock().unwrap().pop_front().unwrap_or_default();
                if answer.status().is_success() {
                    shared.bodies.lock().unwrap().push(body.to_vec());
                }
                told.send_modify(|count| *count += 1);
                answer
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { address, shared, requests }
    }

    /// Answers this once, behind what was asked for before.
    pub(crate) fn answer(&self, answer: Response) {
        self.shared.answers.lock().unwrap().push_back(answer);
    }

    /// The same with nothing but a status.
    pub(crate) fn answer_status(&self, status: u16) {
        self.answer(Response::builder().status(status).body(axum::body::Body::empty()).unwrap());
    }

    /// Waits until there were so many requests.
    pub(crate) async fn requests(&mut self, count: usize) {
        let asked = self.requests.wait_for(|&asked| asked >= count);
        timeout(Duration::from_secs(20), asked).await.expect("the requests came in time").unwrap();
    }

    pub(crate) fn settings(&self) -> TraceSettings {
        TraceSettings::to(format!("http://{}/v1/traces", self.address).parse().unwrap())
    }

    pub(crate) fn traces(&self, metrics: &TraceMetrics) -> Traces {
        start(&self.settings(), metrics)
    }

    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.shared.headers.lock().unwrap().clone()
    }

    /// Everything that was sent, for a look at what must not be there.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shared.bodies.lock().unwrap().concat()
    }

    /// Who has sent it, as each request says.
    pub(crate) fn senders(&self) -> Vec<BTreeMap<String, String>> {
        let resources = self.messages().into_iter().flat_map(|message| message.resource_spans);
        resources.map(|spans| attributes(spans.resource.unwrap().attributes)).collect()
    }

    pub(crate) fn spans(&self) -> Vec<Received> {
        let spans = self.messages().into_iter().flat_map(|message| message.resource_spans);
        let spans = spans.flat_map(|spans| spans.scope_spans).flat_map(|scope| scope.spans);
        spans
            .map(|span| Received {
                kind: span.kind(),
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: attributes(span.attributes),
                events: span.events.into_iter().map(|event| event.name).collect(),
                dropped_events: span.dropped_events_count,
                has_failed: span.status.is_some_and(|status| status.code() == StatusCode::Error),
                flags: span.flags,
                time: (span.start_time_unix_nano, span.end_time_unix_nano),
            })
            .collect()
    }

    /// The one span of a name.
    pub(crate) fn only(&self, name: &str) -> Received {
        let mut spans = self.spans();
        spans.retain(|span| span.name == name);
        assert_eq!(spans.len(), 1, "{name}: {:?}", self.spans());
        spans.remove(0)
    }

    fn messages(&self) -> Vec<ExportTraceServiceRequest> {
        let bodies = self.shared.bodies.lock().unwrap();
        bodies.iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap()).collect()
    }
}

impl Received {
    /// What the span says under a name; empty if it says nothing.
    pub(crate) fn says(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// Traces to a collector in the clear, or to nobody.
pub(crate) fn start(settings: &TraceSettings, metrics: &TraceMetrics) -> Traces {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.unwrap().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    Traces::start(settings, tls, metrics.clone())
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::BoolValue(is_so) => is_so.to_string(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other @ (Value::ArrayValue(_)
        | Value::KvlistValue(_)
        | Value::BytesValue(_)
        | Value::StringValueStrindex(_)) => {
            panic!("{other:?}")
        }
    };
    let pair = |pair: KeyValue| (pair.key, text(pair.value.unwrap().value.unwrap()));
    let count = pairs.len();
    let map: BTreeMap<String, String> = pairs.into_iter().map(pair).collect();
    assert_eq!(map.len(), count, "each name once");
    map
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
