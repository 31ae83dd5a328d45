//! What the gateway refuses itself, without asking the backend.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::harness::{KEY, OFFER, TestBackend, nobody, read_status, read_to_close, start, write};

#[tokio::test]
async fn refuses_an_offer_without_a_key() {
    let gateway = start(nobody().await, |_| {}).await;

    let answer = gateway.request(Method::POST, "/skin/webrtc/offer", &[], OFFER).await;

    answer.assert_problem(401, "api_key_missing");
    assert_eq!(answer.json()["detail"], "Not authenticated");
    assert_eq!(answer.header("www-authenticate"), "APIKey");
    assert!(gateway.shows("turnpike_gateway_keys_refused_total{cause=\"missing\"} 1"));
}

#[tokio::test]
async fn refuses_an_offer_with_a_wrong_key() {
    let gateway = start(nobody().await, |_| {}).await;

    let answer =
        gateway.request(Method::POST, "/skin/webrtc/offer", &[("Api-Key", "open-barley")], OFFER).await;

    answer.assert_problem(401, "api_key_invalid");
    assert_eq!(answer.json()["detail"], "Invalid API key");
    assert!(gateway.shows("turnpike_gateway_keys_refused_total{cause=\"unknown\"} 1"));
}

#[tokio::test]
async fn checks_the_key_before_the_body_arrives() {
    let gateway = start(nobody().await, |_| {}).await;
    let mut client = gateway.connect().await;

    write(&mut client, "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{").await;
    assert_eq!(read_status(&mut client).await, "HTTP/1.1 401");
}

#[tokio::test]
async fn answers_in_problem_json_when_asked() {
    let gateway = start(nobody().await, |_| {}).await;

    let answer = gateway
        .request(Method::GET, "/nowhere", &[("accept", "text/html, application/problem+json;q=0.9")], "")
        .await;

    assert_eq!((answer.status, answer.header("content-type")), (404, "application/problem+json"));
}

#[tokio::test]
async fn refuses_other_paths() {
    let gateway = start(nobody().await, |_| {}).await;

    for path in ["/", "/docs", "/skin/webrtc/offer/more", "/skin/webrtc/../offer", "/metrics"] {
        let answer = gateway.request(Method::GET, path, &[("api-key", KEY)], "").await;
        answer.assert_problem(404, "not_found");
        assert_eq!(answer.json()["detail"], "Not Found");
    }
    assert!(gateway.shows("turnpike_gateway_requests_total{route=\"other\",status=\"404\"} 5"));
}

#[tokio::test]
async fn refuses_other_methods_and_names_those_allowed() {
    let gateway = start(nobody().await, |_| {}).await;

    for (method, path, allowed) in [
        (Method::GET, "/skin/webrtc/offer", "POST,OPTIONS"),
        (Method::PUT, "/skin/webrtc/offer", "POST,OPTIONS"),
        (Method::POST, "/skin/webrtc/health", "GET,HEAD,OPTIONS"),
    ] {
        let answer = gateway.request(method, path, &[("api-key", KEY)], "").await;
        answer.assert_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allowed);
    }
}

#[tokio::test]
async fn lists_what_is_wrong_with_a_body_as_fastapi_does() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let answer = gateway.offer(&[], r#"{"type":"offer","user_id":7}"#).await;

    answer.assert_problem(422, "body_invalid");
    assert_eq!(
        answer.json()["detail"],
        json!([
            {"type": "missing", "loc": ["body", "sdp"], "msg": "Field required", "input": null},
            {"type": "string_type", "loc": ["body", "user_id"], "msg": "Input should be a valid string", "input": 7},
        ])
    );
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn refuses_a_body_whose_announced_length_is_too_large() {
    let gateway = start(nobody().await, |_| {}).await;
    let mut client = gateway.connect().await;

    let head = format!(
        "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ncontent-length: 262145\r\nconnection: close\r\n\
         expect: 100-continue\r\n\r\n"
    );
    write(&mut client, &head).await;
    assert_eq!(read_status(&mut client).await, "HTTP/1.1 413");
}

#[tokio::test]
async fn asks_for_the_body_of_a_client_that_waits_to_be_asked() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let mut client = gateway.connect().await;

    let length = OFFER.len();
    let head = format!(
        "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ncontent-length: {length}\r\n\
         connection: close\r\nexpect: 100-continue\r\n\r\n"
    );
    write(&mut client, &head).await;
    assert_eq!(read_status(&mut client).await, "HTTP/1.1 100");
    write(&mut client, OFFER).await;

    assert!(read_to_close(&mut client).await.contains("\r\n\r\nHTTP/1.1 200 "));
}

#[tokio::test]
async fn refuses_a_chunked_body_that_grows_too_large() {
    let gateway = start(nobody().await, |settings| settings.body_limit_bytes = 1000).await;
    let mut client = gateway.connect().await;

    write(
        &mut client,
        &format!(
            "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ntransfer-encoding: chunked\r\n\
             connection: close\r\n\r\n"
        ),
    )
    .await;
    for _ in 0..3 {
        write(&mut client, &format!("1f4\r\n{}\r\n", " ".repeat(500))).await;
    }
    write(&mut client, "0\r\n\r\n").await;
    let answer = read_to_close(&mut client).await;

    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("The request's body is larger than 1000 bytes"), "{answer}");
}

#[tokio::test]
async fn lets_a_client_that_reads_only_after_sending_all_read_the_refusal() {
    let gateway = start(nobody().await, |_| {}).await;

    for key in [KEY, "wrong"] {
        let mut client = gateway.connect().await;
        let length = 8 << 20;
        let head = format!(
            "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {key}\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n"
        );
        write(&mut client, &head).await;
        write(&mut client, &" ".repeat(length)).await;

        let status = if key == KEY { "HTTP/1.1 413" } else { "HTTP/1.1 401" };
        assert_eq!(read_status(&mut client).await, status);
    }
}

#[tokio::test]
async fn takes_a_body_of_exactly_the_limit() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| settings.body_limit_bytes = OFFER.len()).await;

    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    assert_eq!(gateway.offer(&[], format!("{OFFER} ")).await.status, 413);
}

#[tokio::test]
async fn refuses_a_body_that_comes_too_slowly() {
    let gateway =
        start(nobody().await, |settings| settings.timeouts.request_body = Duration::from_millis(100)).await;
    let mut client = gateway.connect().await;

    write(
        &mut client,
        &format!(
            "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ncontent-length: 10\r\n\r\n{{"
        ),
    )
    .await;
    let answer = read_to_close(&mut client).await;

    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.contains("body_timed_out"), "{answer}");
}
