//! What passes the gateway, and how.

use http::Method;

use super::harness::{ANSWER, KEY, OFFER, SDP_IN_JSON, TestBackend, json_response, start};
use crate::gateway::{BackendUrl, KeyToBackend};

#[tokio::test]
async fn passes_an_offer_and_its_answer_on_unchanged() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let answer = gateway.offer(&[("x-request-id", "req-7")], OFFER).await;

    assert_eq!((answer.status, &answer.body[..]), (200, ANSWER.as_bytes()));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-request-id"), "req-7");
    assert_eq!(answer.header("x-session-id").len(), 22);
    let [seen] = &backend.seen()[..] else { panic!("one request: {:?}", backend.seen()) };
    assert_eq!(seen.body, OFFER);
    assert_eq!((&seen.method, seen.uri.path()), (&Method::POST, "/skin/webrtc/offer"));
    let header = |name: &str| seen.headers.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!(header("host"), backend.address.to_string());
    assert_eq!(header("x-forwarded-for"), "127.0.0.1");
    assert_eq!(header("x-forwarded-proto"), "http");
    assert_eq!(header("x-forwarded-host"), "turn.example");
    assert_eq!(header("x-request-id"), "req-7");
    assert_eq!(header("x-session-id"), answer.header("x-session-id"));
    assert_eq!(header("api-key"), "");
    assert!(gateway.shows("turnpike_gateway_requests_total{route=\"offer\",status=\"200\"} 1"));
}

#[tokio::test]
async fn passes_the_key_on_when_told_to() {
    let backend = TestBackend::agreeable().await;
    let gateway =
        start(backend.address, |settings| settings.backends.backends[0].key = KeyToBackend::Forwarded).await;

    gateway.offer(&[], OFFER).await;

    assert_eq!(backend.seen()[0].headers["api-key"], KEY);
}

#[tokio::test]
async fn passes_user_ids_of_any_script_or_none() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    for user_id in ["null", r#""user-42""#, r#""Zoë \"Z\"\nसीता \u001b[31m""#] {
        let body = format!(r#"{{"sdp":"{SDP_IN_JSON}","type":"offer","user_id":{user_id}}}"#);
        let answer = gateway.offer(&[], body.clone()).await;
        assert_eq!(answer.status, 200, "{user_id}");
        assert_eq!(backend.seen().last().unwrap().body, body);
    }
}

#[tokio::test]
async fn passes_the_backends_errors_on_unchanged() {
    let backend = TestBackend::start(async |seen| {
        let status = seen.uri.query().unwrap().parse().unwrap();
        json_response(status, format!(r#"{{"detail": "status {status}"}}"#))
    })
    .await;
    let gateway = start(backend.address, |_| {}).await;

    for status in [201, 400, 401, 422, 500, 503] {
        let path = format!("/skin/webrtc/offer?{status}");
        let answer = gateway.request(Method::POST, &path, &[("api-key", KEY)], OFFER).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body, format!(r#"{{"detail": "status {status}"}}"#));
    }
}

#[tokio::test]
async fn puts_the_backends_prefix_in_front_of_the_path() {
    let backend = TestBackend::agreeable().await;
    let url = format!("http://{}/models/skin/", backend.address);
    let gateway = start(backend.address, |settings| {
        settings.backends.backends[0].url = BackendUrl::parse(&url).unwrap()
    })
    .await;

    gateway.offer(&[], OFFER).await;

    assert_eq!(backend.seen()[0].uri, "/models/skin/skin/webrtc/offer");
}

#[tokio::test]
async fn strips_hop_by_hop_headers_both_ways() {
    let backend = TestBackend::start(async |_| {
        let mut response = json_response(200, "{}");
        response.headers_mut().insert("connection", "x-hop".parse().unwrap());
        response.headers_mut().insert("x-hop", "1".parse().unwrap());
        response.headers_mut().insert("x-end", "1".parse().unwrap());
        response
    })
    .await;
    let gateway = start(backend.address, |_| {}).await;

    let answer = gateway.offer(&[("connection", "x-mine"), ("x-mine", "1"), ("x-other", "1")], OFFER).await;

    assert_eq!((answer.header("x-hop"), answer.header("x-end")), ("", "1"));
    let seen = &backend.seen()[0].headers;
    assert!(!seen.contains_key("x-mine") && seen.contains_key("x-other"), "{seen:?}");
}

#[tokio::test]
async fn passes_health_checks_without_a_key() {
    let backend =
        TestBackend::start(async |_| json_response(200, r#"{"status": "WebRTC Skin API healthy"}"#)).await;
    let gateway = start(backend.address, |_| {}).await;

    let answer = gateway.request(Method::GET, "/skin/webrtc/health", &[], "").await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, r#"{"status": "WebRTC Skin API healthy"}"#);
    assert!(gateway.shows("turnpike_gateway_requests_total{route=\"health\",status=\"200\"} 1"));
}

#[tokio::test]
async fn health_checks_need_a_key_where_the_setting_says_so() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| settings.health_needs_key = true).await;

    let without = gateway.request(Method::GET, "/skin/webrtc/health", &[], "").await;
    let with = gateway.request(Method::GET, "/skin/webrtc/health", &[("api-key", KEY)], "").await;

    assert_eq!((without.status, with.status), (401, 200));
    assert_eq!(backend.seen().len(), 1);
}

#[tokio::test]
async fn answers_a_head_health_check_from_a_get() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let answer = gateway.request(Method::HEAD, "/skin/webrtc/health", &[], "").await;

    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(backend.seen()[0].method, Method::GET);
}
