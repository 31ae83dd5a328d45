//! The access log: what its lines say, which requests have one, and how many there are.

use std::io;
use std::time::{Duration, SystemTime};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, advance};
use tokio_stream::{Stream, iter};

use super::harness::{KEY, OFFER, TestBackend, json_response, nobody, read_to_close, start, write};
use super::log::Log;
use crate::gateway::access_log::{AccessLog, AccessLogSettings};
use crate::gateway::http::trace;
use crate::gateway::{ApiKey, PassthroughSettings, Scope, Settings};
use crate::telemetry::{Metrics, Route};

#[tokio::test]
async fn tells_of_a_request_in_one_line() {
    let (log, _guard) = Log::capture();
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, log_all).await;

    let headers = [
        ("api-key", KEY),
        ("content-type", "application/json"),
        ("x-request-id", "req-7"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("user-agent", "skin/1.2 (iOS)"),
    ];
    let answer = gateway.request(Method::POST, "/skin/webrtc/offer?token=hush", &headers, OFFER).await;

    let mut line = log.only("request");
    for milliseconds in ["duration_ms", "head_ms"] {
        assert!(line.as_object_mut().unwrap().remove(milliseconds).unwrap().is_u64());
    }
    assert!(line["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    line.as_object_mut().unwrap().retain(|field, _| !["timestamp", "client"].contains(&field.as_str()));
    let expected = json!({
        "level": "INFO",
        "target": "turnpike::access",
        "message": "request",
        "method": "POST",
        "route": "offer",
        "path": "/skin/webrtc/offer",
        "status": 200,
        "request_bytes": OFFER.len(),
        "answer_bytes": answer.body.len(),
        "protocol": "HTTP/1.1",
        "key": "app",
        "request_id": "req-7",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "user_agent": "skin/1.2 (iOS)",
        "sample": 1.0,
    });
    assert_eq!(line, expected);
    assert!(gateway.shows("turnpike_gateway_access_lines_total{result=\"written\"} 1"));
    assert!(!log.text().contains("hush"), "{}", log.text());
    log.assert_discreet();
}

#[tokio::test]
async fn tells_why_the_gateway_refused_and_whose_key_it_was() {
    let (log, _guard) = Log::capture();
    let gateway = start(nobody().await, |settings| {
        log_all(settings);
        let expired =
            ApiKey { expires_at: Some(SystemTime::UNIX_EPOCH), ..ApiKey::new("old", "a-key-of-old") };
        let whip =
            ApiKey { scopes: [Scope::Whip].into_iter().collect(), ..ApiKey::new("whip", "a-key-for-whip") };
        settings.keys.extend([expired, whip]);
    })
    .await;

    for key in ["", "a-guess", "a-key-of-old", "a-key-for-whip"] {
        let answer = gateway.request(Method::POST, "/skin/webrtc/offer", &[("api-key", key)], OFFER).await;
        assert!([401, 403].contains(&answer.status));
    }
    gateway.request(Method::GET, "/skin/webrtc/offer", &[], "").await;
    gateway.request(Method::GET, "/elsewhere", &[], "").await;
    gateway.offer(&[], OFFER).await;

    assert_eq!(
        shown(&log, ["route", "status", "cause", "key"]),
        json!([
            ["offer", 401, "api_key_missing", null],
            ["offer", 401, "api_key_invalid", null],
            ["offer", 401, "api_key_invalid", "old"],
            ["offer", 403, "api_key_out_of_scope", "whip"],
            ["offer", 405, "method_not_allowed", null],
            ["other", 404, "not_found", null],
            ["offer", 502, "backend_unreachable", "app"],
        ])
    );
    assert!(!log.text().contains("a-key-") && !log.text().contains("a-guess"), "{}", log.text());
}

#[tokio::test]
async fn is_off_until_somebody_wants_it() {
    let (log, _guard) = Log::capture();
    let gateway = start(nobody().await, |_| {}).await;

    assert_eq!(gateway.offer(&[], OFFER).await.status, 502);
    assert!(log.records("request").is_empty());
    gateway.update(log_all);
    assert_eq!(gateway.offer(&[], OFFER).await.status, 502);
    assert_eq!(log.records("request").len(), 1);
    gateway.update(|_| {});
    assert_eq!(gateway.offer(&[], OFFER).await.status, 502);

    assert_eq!(log.records("request").len(), 1);
    assert!(gateway.shows("turnpike_gateway_access_lines_total{result=\"written\"} 1"));
    assert!(gateway.shows("turnpike_gateway_access_lines_total{result=\"sampled_out\"} 0"));
}

#[tokio::test]
async fn keeps_the_share_and_every_failure() {
    let (log, _guard) = Log::capture();
    let backend = TestBackend::start(async |seen| {
        let status = if seen.method == Method::GET { 200 } else { 500 };
        json_response(status, "{}")
    })
    .await;
    let gateway = start(backend.address, |settings| settings.access_log.sample = 0.5).await;

    for trace in (1..=16).map(|n| format!("00-{n:032x}-00f067aa0ba902b7-01")) {
        gateway.request(Method::GET, "/skin/webrtc/health", &[("traceparent", &trace)], "").await;
        gateway.offer(&[("traceparent", &trace)], OFFER).await;
    }

    let lines = log.records("request");
    let of = |route: &str| lines.iter().filter(|line| line["route"] == route).collect::<Vec<_>>();
    let traces: Vec<_> = of("health").iter().map(|line| trace_number(line)).collect();
    assert_eq!(traces, [1, 3, 6, 7, 8, 10, 13, 15]);
    assert!(of("health").iter().all(|line| line["sample"] == 0.5), "{lines:?}");
    assert_eq!(of("offer").len(), 16, "a failure is no matter of chance");
    assert!(of("offer").iter().all(|line| line["sample"] == 1.0), "{lines:?}");
    assert!(gateway.shows(&format!(
        "turnpike_gateway_access_lines_total{{result=\"sampled_out\"}} {}",
        16 - traces.len()
    )));
}

#[tokio::test]
async fn keeps_whatever_clients_send_on_its_line() {
    let (log, _guard) = Log::capture();
    let gateway = start(nobody().await, log_all).await;
    let long = "long/".repeat(100);

    for (path, agent) in [
        ("/a%0a%1b[31m\"x\\{\u{2028}\u{202e}}", "a\tb \"c\" \\ \u{9b}31m\u{2028}{status=200}".as_bytes()),
        (&format!("/{long}?secret=1"), long.as_bytes()),
        ("/", b"\xff\xfe latin"),
    ] {
        let mut stream = gateway.connect().await;
        write(&mut stream, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nuser-agent: "))
            .await;
        tokio::io::AsyncWriteExt::write_all(&mut stream, agent).await.unwrap();
        write(&mut stream, "\r\n\r\n").await;
        assert!(read_to_close(&mut stream).await.starts_with("HTTP/1.1 404"));
    }

    let lines = log.records("request");
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["path"], "/a%0a%1b[31m\"x\\{\\u{2028}\\u{202e}}");
    assert_eq!(lines[0]["user_agent"], "a\\tb \"c\" \\ \\u{9b}31m\\u{2028}{status=200}");
    assert_eq!(lines[1]["path"], format!("/{}…", &long[..199]));
    assert_eq!(lines[1]["user_agent"], format!("{}…", &long[..160]));
    assert_eq!(lines[2]["user_agent"], "\u{fffd}\u{fffd} latin");
    let text = log.text();
    assert!(
        !text.contains(['\u{1b}', '\u{9b}', '\u{2028}', '\u{202e}']) && !text.contains("secret"),
        "{text}"
    );
}

#[tokio::test]
async fn knows_answers_that_end_with_their_head() {
    let (log, _guard) = Log::capture();
    let backend = TestBackend::start(async |_| json_response(200, "{\"ok\":true}")).await;
    let gateway = start(backend.address, |settings| {
        log_all(settings);
        settings.passthrough = vec![PassthroughSettings {
            prefix: "/files/".to_owned(),
            is_public: true,
            allows_web_sockets: false,
            body_limit_bytes: PassthroughSettings::DEFAULT_BODY_LIMIT_BYTES,
        }];
    })
    .await;

    gateway.request(Method::HEAD, "/files/a", &[], "").await;
    gateway.request(Method::GET, "/files/a", &[], "").await;
    gateway.request(Method::OPTIONS, "/skin/webrtc/offer", &[], "").await;

    assert_eq!(
        shown(&log, ["method", "status", "answer_bytes", "cause"]),
        json!([["HEAD", 200, 0, null], ["GET", 200, 11, null], ["OPTIONS", 204, 0, null]])
    );
}

#[tokio::test(start_paused = true)]
async fn leaves_out_what_is_too_much_and_tells_how_many() {
    let (log, _guard) = Log::capture();
    let metrics = Metrics::new();
    let settings = AccessLogSettings { sample: 1.0, per_second: 2, ..AccessLogSettings::default() };
    let access_log = AccessLog::new(settings, metrics.access_log().clone());

    for _ in 0..5 {
        answer(&access_log, StatusCode::OK).await;
    }
    advance(Duration::from_millis(999)).await;
    answer(&access_log, StatusCode::BAD_GATEWAY).await;
    advance(Duration::from_millis(1)).await;
    answer(&access_log, StatusCode::OK).await;
    answer(&access_log, StatusCode::OK).await;

    assert_eq!(shown(&log, ["left_out"]), json!([[null], [null], [4], [null]]));
    let text = metrics.exposition().unwrap();
    assert!(text.contains("turnpike_gateway_access_lines_total{result=\"over_limit\"} 4\n"), "{text}");
    assert!(text.contains("turnpike_gateway_access_lines_total{result=\"written\"} 4\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn keeps_what_is_slow() {
    let (log, _guard) = Log::capture();
    let access_log = seldom();

    let quick = access_log.begin(Route::Offer, Instant::now(), &mut request()).unwrap();
    let slow = access_log.begin(Route::Offer, Instant::now(), &mut request()).unwrap();
    let given_up = access_log.begin(Route::Offer, Instant::now(), &mut request()).unwrap();
    advance(Duration::from_millis(4999)).await;
    quick.answered(Response::default());
    advance(Duration::from_millis(1)).await;
    slow.answered(Response::default());
    drop(given_up);

    assert_eq!(
        shown(&log, ["status", "cause", "duration_ms", "head_ms", "sample"]),
        json!([[200, null, 5000, 5000, 1.0], [499, "client_left", 5000, null, 1.0]])
    );
}

#[tokio::test(start_paused = true)]
async fn tells_how_far_an_answer_came() {
    let (log, _guard) = Log::capture();
    let metrics = Metrics::new();
    let settings = AccessLogSettings { sample: 1.0, ..AccessLogSettings::default() };
    let access_log = AccessLog::new(settings, metrics.access_log().clone());
    let pieces = || iter([Ok(Bytes::from("12345")), Err(io::Error::other("gone"))]);

    let mut left = answered(&access_log, pieces()).into_data_stream();
    tokio_stream::StreamExt::next(&mut left).await.unwrap().unwrap();
    advance(Duration::from_secs(2)).await;
    drop(left);
    assert!(to_bytes(answered(&access_log, pieces()), 99).await.is_err());
    let whole = answered(&access_log, iter([Ok(Bytes::from("123")), Ok(Bytes::from("4567"))]));
    to_bytes(whole, 99).await.unwrap();

    assert_eq!(
        shown(&log, ["answer_bytes", "cause", "duration_ms", "head_ms"]),
        json!([[5, "client_left", 2000, 0], [5, "answer_broken", 0, 0], [7, null, 0, 0]])
    );
}

fn log_all(settings: &mut Settings) {
    settings.access_log.sample = 1.0;
}

/// One that has a line of hardly any request but those that always have one.
fn seldom() -> AccessLog {
    let settings = AccessLogSettings { sample: f64::MIN_POSITIVE, ..AccessLogSettings::default() };
    AccessLog::new(settings, Metrics::new().access_log().clone())
}

fn request() -> Request {
    let mut request = Request::default();
    let (trace, _) = trace::settle(request.headers_mut());
    request.extensions_mut().insert(trace);
    request
}

async fn answer(access_log: &AccessLog, status: StatusCode) {
    let line = access_log.begin(Route::Other, Instant::now(), &mut request()).unwrap();
    let mut response = Response::new(Body::from("answer"));
    *response.status_mut() = status;
    to_bytes(line.answered(response).into_body(), 99).await.unwrap();
}

fn answered(access_log: &AccessLog, pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    let line = access_log.begin(Route::Passthrough, Instant::now(), &mut request()).unwrap();
    line.answered(Response::new(Body::from_stream(pieces))).into_body()
}

/// Some fields of each line, `null` where it has none.
fn shown<const FIELDS: usize>(log: &Log, fields: [&str; FIELDS]) -> Value {
    let lines = log.records("request");
    lines.iter().map(|line| fields.map(|field| line[field].clone()).to_vec()).collect::<Vec<_>>().into()
}

fn trace_number(line: &Value) -> usize {
    usize::from_str_radix(line["trace_id"].as_str().unwrap(), 16).unwrap()
}
