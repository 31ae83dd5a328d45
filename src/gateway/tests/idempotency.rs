//! Offers that are sent again with the same `Idempotency-Key`.

use std::sync::atomic::Ordering;

use http::Method;

use super::harness::{KEY, OFFER, SDP_IN_JSON, TestBackend, request, start, within, write};

#[tokio::test]
async fn answers_the_same_offer_without_asking_the_backend_again() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let key = [("idempotency-key", "\"8e03978e\"")];

    let first = gateway.offer(&key, OFFER).await;
    let again = gateway.offer(&key, OFFER).await;
    let other = format!(r#"{{"sdp":"{SDP_IN_JSON}","type":"offer","user_id":"other"}}"#);
    let other = gateway.offer(&key, other).await;

    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("x-session-id"), again.header("x-session-id"));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    other.assert_problem(422, "idempotency_key_reused");
    assert_eq!(backend.seen().len(), 1);
    for (result, count) in [("first", 1), ("replayed", 1), ("mismatch", 1)] {
        let line = format!("turnpike_gateway_idempotent_requests_total{{result=\"{result}\"}} {count}");
        assert!(gateway.shows(&line), "{line}");
    }
}

#[tokio::test]
async fn a_client_that_left_finds_the_answer_when_it_comes_again() {
    let (backend, mut reaches, go) = TestBackend::held().await;
    let gateway = start(backend.address, |_| {}).await;
    let key = [("idempotency-key", "k")];
    let mut client = gateway.connect().await;
    let head = format!(
        "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\nidempotency-key: k\r\ncontent-length: {}\r\n\r\n",
        OFFER.len()
    );
    write(&mut client, &(head + OFFER)).await;
    within(reaches.recv()).await.unwrap();
    drop(client);

    let early = gateway.offer(&key, OFFER).await;
    early.assert_problem(409, "idempotency_key_in_flight");
    assert_eq!(early.header("retry-after"), "1");
    go.add_permits(1);
    let late = within(async {
        loop {
            let answer = gateway.offer(&key, OFFER).await;
            if answer.status != 409 {
                break answer;
            }
        }
    })
    .await;

    assert_eq!((late.status, late.header("idempotency-replayed")), (200, "true"));
    assert_eq!(backend.seen().len(), 1);
}

#[tokio::test]
async fn an_offer_that_failed_may_be_tried_again() {
    let (backend, status) = TestBackend::of_status(500).await;
    let gateway = start(backend.address, |_| {}).await;
    let key = [("idempotency-key", "k")];

    assert_eq!(gateway.offer(&key, OFFER).await.status, 500);
    status.store(200, Ordering::SeqCst);
    assert_eq!(gateway.offer(&key, OFFER).await.status, 200);
    assert_eq!(gateway.offer(&key, OFFER).await.header("idempotency-replayed"), "true");
    assert_eq!(backend.seen().len(), 2);
}

#[tokio::test]
async fn a_key_counts_only_for_who_may_send_offers_and_only_if_it_is_one() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let stranger = [("api-key", "wrong"), ("idempotency-key", "k")];
    let refused = request(gateway.address, Method::POST, "/skin/webrtc/offer", &stranger, OFFER).await;
    assert_eq!(refused.status, 401);
    gateway
        .offer(&[("idempotency-key", "a b")], OFFER)
        .await
        .assert_problem(400, "idempotency_key_malformed");

    assert!(gateway.shows("turnpike_gateway_idempotent_requests_total{result=\"first\"} 0"));
    assert!(gateway.shows("turnpike_gateway_idempotent_answers_bytes 0"));
    assert!(backend.seen().is_empty());
}
