//! One trace from a client's offer to the end of its session, and what is never in it.

use std::time::Duration;

use http::Method;

use super::harness::{
    KEY, OFFER, Running, SDP_IN_JSON, TestBackend, json_response, nobody, start_traced, within,
};
use crate::gateway::{
    AllocationEnd, AllocationTag, BackendSettings, PassthroughSettings, SessionId, Settings, Usage,
};
use crate::media::{LegQuality, Quality, Stage};
use crate::telemetry::{Metrics, TestCollector, TraceSettings, Traces, start_traces};
use crate::turn::{FiveTuple, Transport};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const SECRET_LINE: &str = "a=candidate:1 1 udp 1 203.0.113.77 5000 typ host";

#[tokio::test]
async fn one_trace_leads_from_the_offer_to_the_end_of_its_session() {
    let (backend, traced) = (TestBackend::agreeable().await, Traced::start().await);
    let gateway = traced.gateway(&backend, |_| {}).await;

    let answer = gateway.offer(&[("traceparent", PARENT), ("tracestate", "rojo=1")], with_user()).await;
    let session = SessionId::parse(answer.header("x-session-id")).unwrap();
    gateway.sessions.allocation_claimed(&session, AllocationTag(7));
    gateway.sessions.reached(&session, Stage::Connected);
    gateway.sessions.reached(&session, Stage::Media);
    gateway.sessions.relayed(&session, usage(40, 4000));
    gateway.sessions.allocation_ended(&session, last(AllocationTag(7)));
    let collector = traced.close().await;

    let request = collector.only("POST /skin/webrtc/offer");
    let [attempt, session_span, allocation] =
        ["POST", "session", "allocation"].map(|name| collector.only(name));
    for span in collector.spans() {
        assert_eq!(span.trace, TRACE, "{span:?}");
        assert!(!span.has_failed, "{span:?}");
    }
    assert_eq!(request.parent, "00f067aa0ba902b7", "the client's span");
    assert_eq!([&attempt.parent, &session_span.parent], [&request.id, &request.id]);
    assert_eq!(allocation.parent, session_span.id);

    let seen = &backend.seen()[0].headers;
    assert_eq!(seen["traceparent"], format!("00-{TRACE}-{}-01", attempt.id));
    assert_eq!(seen["tracestate"], "rojo=1");

    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/skin/webrtc/offer"),
        ("url.path", "/skin/webrtc/offer"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("client.address", "127.0.0.1"),
        ("http.response.status_code", "200"),
        ("turnpike.session.id", session.as_str()),
        ("turnpike.request.id", answer.header("x-request-id")),
        ("turnpike.key", "app"),
        ("turnpike.backend", "default"),
        ("user.id", "user-42"),
    ] {
        assert_eq!(request.says(name), value, "{name}");
    }
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("server.address", "127.0.0.1"),
        ("server.port", &backend.address.port().to_string()),
        ("url.scheme", "http"),
        ("url.path", "/skin/webrtc/offer"),
        ("turnpike.backend", "default"),
        ("http.request.resend_count", ""),
    ] {
        assert_eq!(attempt.says(name), value, "{name}");
    }
    for (name, value) in [
        ("turnpike.session.id", session.as_str()),
        ("turnpike.client", "app"),
        ("turnpike.backend", "default"),
        ("turnpike.session.end_reason", "relay"),
        ("turnpike.session.state", "media"),
        ("turnpike.relay.packets_to_peer", "42"),
        ("turnpike.relay.bytes_to_peer", "4200"),
        ("turnpike.media.client.loss_ratio", "0.5"),
    ] {
        assert_eq!(session_span.says(name), value, "{name}");
    }
    assert_eq!(session_span.events, ["answered", "claimed", "connected", "media"]);
    for (name, value) in [
        ("client.address", "192.0.2.1"),
        ("turnpike.allocation.transport", "udp"),
        ("turnpike.allocation.age", "90"),
        ("turnpike.relay.bytes_to_peer", "4200"),
    ] {
        assert_eq!(allocation.says(name), value, "{name}");
    }
    assert!(request.time.1 <= session_span.time.1, "the session outlives its offer");
}

#[tokio::test]
async fn a_session_that_lives_when_the_process_stops_ends_in_its_trace() {
    let (backend, traced) = (TestBackend::agreeable().await, Traced::start().await);
    let gateway = traced.gateway(&backend, |_| {}).await;
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);

    let Running { stop, task, .. } = gateway;
    stop.send(()).unwrap();
    within(task).await.unwrap();

    let collector = traced.close().await;
    assert_eq!(collector.only("session").says("turnpike.session.end_reason"), "shutdown");
}

#[tokio::test]
async fn each_attempt_at_a_backend_has_a_span() {
    let (backend, traced) = (TestBackend::agreeable().await, Traced::start().await);
    let down = nobody().await;
    let gateway = traced
        .gateway(&backend, |settings| {
            let mut first = BackendSettings::new("down", super::harness::url_of(down));
            // The one that is chosen first, whatever has gone before.
            first.weight = 1000;
            settings.backends.backends.insert(0, first);
        })
        .await;

    while backend.seen().is_empty() || traced.attempts(&gateway) < 2 {
        assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    }

    let collector = traced.close().await;
    let spans = collector.spans();
    let failed = spans.iter().find(|span| span.says("turnpike.backend") == "down").unwrap();
    assert!(failed.has_failed);
    assert_eq!((failed.says("error.type"), failed.says("http.response.status_code")), ("unreachable", ""));
    let second = spans
        .iter()
        .find(|span| span.parent == failed.parent && span.name == "POST" && span.id != failed.id)
        .unwrap();
    assert_eq!((second.says("http.request.resend_count"), second.has_failed), ("1", false));
    assert!(
        backend.seen().iter().any(|seen| seen.headers["traceparent"].to_str().unwrap().contains(&second.id))
    );
}

#[tokio::test]
async fn a_failure_says_why_and_a_refusal_is_the_clients() {
    let (backend, traced) =
        (TestBackend::start(async |_| json_response(500, "{}")).await, Traced::start().await);
    let gateway = traced.gateway(&backend, |_| {}).await;

    assert_eq!(gateway.offer(&[], OFFER).await.status, 500);
    assert_eq!(gateway.offer(&[], "{}").await.status, 422);
    let wrong = [("api-key", "guess-guess")];
    assert_eq!(gateway.request(Method::POST, "/skin/webrtc/offer", &wrong, OFFER).await.status, 401);

    let collector = traced.close().await;
    let mut requests = collector.spans();
    requests.retain(|span| span.name == "POST /skin/webrtc/offer");
    let said: Vec<_> = requests
        .iter()
        .map(|span| {
            let says =
                ["http.response.status_code", "turnpike.problem", "error.type"].map(|name| span.says(name));
            (span.has_failed, says)
        })
        .collect();
    assert_eq!(
        said,
        [
            (true, ["500", "", "backend_status"]),
            (false, ["422", "body_invalid", ""]),
            (false, ["401", "api_key_invalid", ""]),
        ]
    );
    let attempt = collector.only("POST");
    assert_eq!((attempt.has_failed, attempt.says("error.type")), (true, "500"));
    let session = collector.only("session");
    assert_eq!((session.has_failed, session.says("turnpike.session.end_reason")), (true, "failed"));
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_spans() {
    let traced = Traced::start().await;
    let (backend, mut reaches, _go) = TestBackend::held().await;
    let gateway = traced.gateway(&backend, |_| {}).await;

    let offer = format!(
        "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ncontent-length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    );
    let mut client = gateway.connect().await;
    super::harness::write(&mut client, &offer).await;
    within(reaches.recv()).await.unwrap();
    drop(client);
    gateway.eventually_shows(r#"turnpike_sessions_ended_total{reason="failed"} 1"#).await;

    let collector = traced.close().await;
    for name in ["POST", "POST /skin/webrtc/offer"] {
        assert_eq!(collector.only(name).says("error.type"), "client_left", "{name}");
    }
}

#[tokio::test]
async fn routes_are_few_and_checks_of_health_leave_no_trace() {
    let (backend, traced) = (TestBackend::agreeable().await, Traced::start().await);
    let gateway = traced
        .gateway(&backend, |settings| {
            settings.passthrough.push(PassthroughSettings {
                prefix: "/skin/".to_owned(),
                is_public: false,
                allows_web_sockets: false,
                body_limit_bytes: PassthroughSettings::DEFAULT_BODY_LIMIT_BYTES,
            });
        })
        .await;
    let key = [("api-key", KEY), ("content-type", "application/sdp")];

    for (method, path) in [
        (Method::GET, "/skin/webrtc/health"),
        (Method::GET, "/elsewhere"),
        (Method::OPTIONS, "/skin/webrtc/offer"),
        (Method::GET, "/skin/webrtc/ice-servers/?user_id=ann"),
        (Method::GET, "/skin/models/17?token=hush"),
        (Method::from_bytes(b"BREW").unwrap(), "/skin/tea"),
        (Method::POST, "/whip/"),
        (Method::DELETE, "/whip/abcdefghijklmnopqrstuv"),
    ] {
        gateway.request(method, path, &key, "").await;
    }

    let collector = traced.close().await;
    let spans = collector.spans();
    let requests: Vec<&str> =
        spans.iter().filter(|span| !span.says("http.route").is_empty()).map(|span| &*span.name).collect();
    assert_eq!(
        requests,
        [
            "GET /skin/webrtc/ice-servers",
            "GET /skin/*",
            "HTTP /skin/*",
            "POST /whip",
            "DELETE /whip/{session}"
        ]
    );
    let passed = collector.only("GET");
    let request = collector.only("GET /skin/*");
    assert_eq!(passed.parent, request.id);
    assert_eq!([request.says("url.path"), passed.says("url.path")], ["/skin/models/17"; 2]);
    assert_eq!(collector.only("HTTP /skin/*").says("http.request.method"), "_OTHER");
    let seen = backend.seen();
    let passed_on = seen.iter().find(|seen| seen.uri.path() == "/skin/models/17").unwrap();
    assert!(passed_on.headers["traceparent"].to_str().unwrap().contains(&passed.id));
}

#[tokio::test]
async fn clients_decide_what_is_recorded_only_if_they_may() {
    for (follow_clients, sample_ratio, flags, expected) in [
        (false, 1.0, "00", true),
        (false, 0.0, "01", false),
        (true, 1.0, "00", false),
        (true, 0.0, "01", true),
    ] {
        let (backend, traced) = (TestBackend::agreeable().await, Traced::start().await);
        let settings = TraceSettings { follow_clients, sample_ratio, ..traced.collector.settings() };
        let traced = traced.with(settings);
        let gateway = traced.gateway(&backend, |_| {}).await;

        let parent = format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
        assert_eq!(gateway.offer(&[("traceparent", &parent)], OFFER).await.status, 200);

        let seen = backend.seen()[0].headers["traceparent"].to_str().unwrap().to_owned();
        assert!(seen.starts_with(&format!("00-{TRACE}-")), "{seen}");
        assert!(!seen.contains("00f067aa0ba902b7"), "we are the backend's parent: {seen}");
        assert!(seen.ends_with(if expected { "-01" } else { "-00" }), "{seen}");
        assert_eq!(
            !traced.close().await.spans().is_empty(),
            expected,
            "{follow_clients} {sample_ratio} {flags}"
        );
    }
}

#[tokio::test]
async fn neither_keys_nor_descriptions_nor_queries_are_exported() {
    let (backend, traced) = (TestBackend::agreeable().await, Traced::start().await);
    let gateway = traced.gateway(&backend, |_| {}).await;

    let fields = [("authorization", "Bearer open-sesame"), ("cookie", "session=hush")];
    let path = "/skin/webrtc/offer?token=hush&api_key=open-sesame";
    assert_eq!(gateway.request(Method::POST, path, &fields, with_user()).await.status, 200);
    let wrong = [("api-key", "guess-guess")];
    assert_eq!(gateway.request(Method::POST, path, &wrong, with_user()).await.status, 401);

    let collector = traced.close().await;
    let bytes = collector.bytes();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("session") && text.contains("user-42"), "something is exported");
    for secret in [KEY, "hush", "guess-guess", "203.0.113.77", "candidate", "ice-pwd"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    for span in collector.spans() {
        let is_query = |value: &String| value.contains('?');
        assert!(!span.name.contains('?') && !span.attributes.values().any(is_query), "{span:?}");
    }
}

/// A collector, and traces that lead to it.
struct Traced {
    collector: TestCollector,
    traces: Traces,
    metrics: Metrics,
}

impl Traced {
    async fn start() -> Self {
        let (collector, metrics) = (TestCollector::start().await, Metrics::new());
        let traces = collector.traces(metrics.traces());
        Self { collector, traces, metrics }
    }

    fn with(self, settings: TraceSettings) -> Self {
        Self { traces: start_traces(&settings, self.metrics.traces()), ..self }
    }

    async fn gateway(&self, backend: &TestBackend, change: impl FnOnce(&mut Settings)) -> Running {
        start_traced(backend.address, self.traces.clone(), change).await
    }

    /// How many backends were tried.
    fn attempts(&self, gateway: &Running) -> u64 {
        gateway.backends.views().iter().filter(|view| view.requests > 0).count() as u64
    }

    /// What has come when all was exported.
    async fn close(self) -> TestCollector {
        self.traces.close().await;
        self.collector
    }
}

fn with_user() -> String {
    format!(r#"{{"user_id":"user-42","sdp":"{SDP_IN_JSON}{SECRET_LINE}","type":"offer"}}"#)
}

fn usage(packets: u64, bytes: u64) -> Usage {
    Usage { packets_to_peer: packets, bytes_to_peer: bytes, ..Usage::default() }
}

/// The end of an allocation for which 42 packets were relayed, two of them since its session was told.
fn last(allocation: AllocationTag) -> AllocationEnd {
    let client = LegQuality { packets: 42, lost: 42, ..LegQuality::default() };
    AllocationEnd {
        allocation,
        client: FiveTuple {
            transport: Transport::Udp,
            client: ([192, 0, 2, 1], 50_000).into(),
            server: ([192, 0, 2, 2], 3478).into(),
        },
        lived: Duration::from_secs(90),
        usage: usage(2, 200),
        traffic: usage(42, 4200),
        stage: Stage::Media,
        quality: Quality { client, ..Quality::default() },
    }
}
