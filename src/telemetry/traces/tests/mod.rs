//! What reaches a collector, and what becomes of spans that do not.

mod collector;

use axum::body::Body;
use axum::response::Response;
use http::HeaderName;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as Kind;
use prost::Message;
use tokio::net::TcpListener;

use super::{RemoteParent, Span, SpanId, SpanKind, TraceId, TraceSettings, Traces, attribute};
use crate::secret::Secret;
use crate::telemetry::Metrics;

pub(crate) use collector::{TestCollector, start};

#[tokio::test]
async fn a_collector_gets_spans_as_a_tree_with_what_was_said_of_them() {
    let (metrics, collector) = (Metrics::new(), TestCollector::start().await);
    let traces = collector.traces(metrics.traces());
    let trace = TraceId::random();
    let parent = RemoteParent { span: SpanId::random(), is_sampled: false };

    let request = traces.serve("POST /offer", trace, Some(parent));
    request.set(attribute::HTTP_RESPONSE_STATUS_CODE, 200_u16);
    request.set(attribute::HTTP_ROUTE, "/wrong");
    request.set(attribute::HTTP_ROUTE, "/offer");
    let attempt = request.child(SpanKind::Client, "POST");
    attempt.fail("unreachable");
    attempt.fail("too late to be the reason");
    drop(attempt);
    let session = request.child(SpanKind::Internal, "session");
    request.end();
    session.note("connected");
    session.set(attribute::CLIENT_LOSS, 0.25);
    session.set(attribute::REPLAYED, true);
    session.end();
    session.note("after its end");
    traces.close().await;

    let [request, attempt, session] = ["POST /offer", "POST", "session"].map(|name| collector.only(name));
    assert_eq!(request.parent, parent.span.to_string());
    assert_eq!([&attempt.parent, &session.parent], [&request.id, &request.id]);
    for span in [&request, &attempt, &session] {
        assert_eq!(span.trace, trace.to_string());
        assert!(span.time.0 > 0 && span.time.0 <= span.time.1, "{span:?}");
    }
    assert_eq!([request.kind, attempt.kind, session.kind], [Kind::Server, Kind::Client, Kind::Internal]);
    // Sampled; whether the parent is of another process is known, and so it is.
    assert_eq!([request.flags, attempt.flags, session.flags], [0x301, 0x101, 0x101]);
    assert_eq!([request.has_failed, attempt.has_failed, session.has_failed], [false, true, false]);
    assert_eq!((request.says("http.route"), request.says("http.response.status_code")), ("/offer", "200"));
    assert_eq!(attempt.says("error.type"), "unreachable");
    assert_eq!(
        (session.says("turnpike.media.client.loss_ratio"), session.says("turnpike.replayed")),
        ("0.25", "true")
    );
    assert_eq!(session.events, ["connected"]);
    let [sender] = &collector.senders()[..] else { panic!("{:?}", collector.senders()) };
    assert_eq!(
        (&*sender["service.name"], &*sender["service.version"]),
        ("turnpike", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(sender["service.instance.id"].len(), 32);
    assert!(shows(&metrics, "turnpike_traces_spans_exported_total 3"));
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_has_ids_and_nothing_else() {
    let (metrics, collector) = (Metrics::new(), TestCollector::start().await);
    let traces = start(&TraceSettings { sample_ratio: 0.0, ..collector.settings() }, metrics.traces());
    let trace = TraceId::random();

    let request = traces.serve("request", trace, None);
    let attempt = request.child(SpanKind::Client, "attempt");
    let (context, inner) = (request.context().unwrap(), attempt.context().unwrap());
    drop((request, attempt));
    traces.close().await;

    assert_eq!((context.trace, inner.trace), (trace, trace));
    assert_ne!(context.span, inner.span);
    assert!(!context.is_sampled && !inner.is_sampled);
    assert!(collector.headers().is_empty(), "nobody was asked");
}

#[test]
fn where_traces_are_off_there_is_nothing() {
    let span = Traces::default().serve("request", TraceId::random(), None);

    assert!(span.context().is_none() && span.child(SpanKind::Client, "attempt").context().is_none());
    assert!(!span.is_recorded());
}

#[tokio::test]
async fn of_many_events_the_first_are_kept() {
    let (metrics, collector) = (Metrics::new(), TestCollector::start().await);
    let traces = collector.traces(metrics.traces());

    let span = traces.serve("restless", TraceId::random(), None);
    for _ in 0..100 {
        span.note("stalled");
    }
    drop(span);
    traces.close().await;

    let span = collector.only("restless");
    assert_eq!((span.events.len(), span.dropped_events), (32, 68));
}

#[tokio::test]
async fn what_shows_a_collector_who_we_are_is_sent_along() {
    let (metrics, collector) = (Metrics::new(), TestCollector::start().await);
    let headers = vec![(HeaderName::from_static("authorization"), Secret::new("Bearer hush"))];
    let traces = start(&TraceSettings { headers, ..collector.settings() }, metrics.traces());

    end_spans(&traces, 1);
    traces.close().await;

    let headers = &collector.headers()[0];
    assert_eq!(headers["authorization"], "Bearer hush");
    assert_eq!(headers["content-type"], "application/x-protobuf");
}

#[tokio::test]
async fn what_a_collector_cannot_take_now_it_is_asked_to_take_again() {
    let (metrics, mut collector) = (Metrics::new(), TestCollector::start().await);
    let traces = collector.traces(metrics.traces());
    collector.answer_status(503);

    end_spans(&traces, 1);
    collector.requests(1).await;
    traces.close().await;

    assert_eq!(collector.spans().len(), 1);
    assert!(shows(&metrics, "turnpike_traces_spans_exported_total 1"));
}

#[tokio::test]
async fn what_a_collector_never_takes_is_lost() {
    let (metrics, collector) = (Metrics::new(), TestCollector::start().await);
    let traces = collector.traces(metrics.traces());
    collector.answer_status(400);

    end_spans(&traces, 3);
    traces.close().await;

    assert_eq!(collector.headers().len(), 1, "it is asked once");
    assert!(shows(&metrics, r#"turnpike_traces_spans_lost_total{cause="export_failed"} 3"#));
}

#[tokio::test]
async fn what_a_collector_refuses_of_a_batch_is_counted() {
    let (metrics, collector) = (Metrics::new(), TestCollector::start().await);
    let traces = collector.traces(metrics.traces());
    let partial_success =
        Some(ExportTracePartialSuccess { rejected_spans: 2, error_message: "old".to_owned() });
    let answer = ExportTraceServiceResponse { partial_success }.encode_to_vec();
    collector.answer(Response::new(Body::from(answer)));

    end_spans(&traces, 3);
    traces.close().await;

    assert!(shows(&metrics, "turnpike_traces_spans_exported_total 1"));
    assert!(shows(&metrics, r#"turnpike_traces_spans_lost_total{cause="rejected"} 2"#));
}

#[tokio::test]
async fn many_spans_go_in_several_batches() {
    let (metrics, collector) = (Metrics::new(), TestCollector::start().await);
    let traces = collector.traces(metrics.traces());

    end_spans(&traces, 1100);
    traces.close().await;

    assert_eq!((collector.spans().len(), collector.headers().len()), (1100, 3));
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_does_not_answer_holds_up_nobody_for_long() {
    let metrics = Metrics::new();
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/", mute.local_addr().unwrap());
    let traces = start(&TraceSettings::to(endpoint.parse().unwrap()), metrics.traces());

    let began = tokio::time::Instant::now();
    end_spans(&traces, 600);
    traces.close().await;

    assert!(began.elapsed() <= super::otlp::CLOSE_PATIENCE, "{:?}", began.elapsed());
    assert!(shows(&metrics, r#"turnpike_traces_spans_lost_total{cause="stopped"} 600"#));
    end_spans(&traces, 1);
    assert!(shows(&metrics, r#"turnpike_traces_spans_lost_total{cause="stopped"} 601"#));
}

#[test]
fn the_queue_is_bounded() {
    let metrics = Metrics::new();
    let (queue, _waiting) = super::queue::queue(metrics.traces().clone());

    for _ in 0..super::queue::MOST_WAITING + 5 {
        Span::serve("request".into(), TraceId::random(), None, Some(queue.clone())).end();
    }

    assert!(shows(&metrics, r#"turnpike_traces_spans_lost_total{cause="queue_full"} 5"#));
}

fn end_spans(traces: &Traces, count: usize) {
    for _ in 0..count {
        traces.serve("request", TraceId::random(), None).end();
    }
}

fn shows(metrics: &Metrics, line: &str) -> bool {
    metrics.exposition().unwrap().lines().any(|shown| shown == line)
}
