//! Too many requests: who is refused, for how long, and who is not.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;

use super::harness::{Answer, KEY, OFFER, Running, SDP_IN_JSON, TestBackend, nobody, start};
use crate::gateway::{ApiKey, RateLimit};

#[tokio::test]
async fn keys_of_one_client_share_its_rate() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        let next = ApiKey { client: "app".to_owned(), ..ApiKey::new("app-next", "the-next-key") };
        settings.keys.extend([next, ApiKey::new("other", "the-other-key")]);
        settings.keys[0].limits.rate = minute(2);
        settings.keys[1].limits.rate = minute(2);
    })
    .await;

    let first = offer_with(&gateway, KEY).await;
    assert_eq!((first.status, first.header("ratelimit-policy")), (200, "\"client\";q=2;w=120"));
    assert_eq!(first.header("ratelimit"), "\"client\";r=1;t=60");
    let second = offer_with(&gateway, "the-next-key").await;
    assert_eq!((second.status, second.header("ratelimit")), (200, "\"client\";r=0;t=120"));
    let third = offer_with(&gateway, KEY).await;
    assert_too_many(&third, "\"client\";q=2;w=120", "\"client\";r=0;t=60");
    assert_eq!(third.json()["detail"], "Too many requests with the keys of this client; try again in 60 s");
    let other = offer_with(&gateway, "the-other-key").await;
    assert_eq!((other.status, other.headers.get("ratelimit")), (200, None));

    assert_eq!(backend.seen().len(), 3);
    assert!(gateway.shows("turnpike_gateway_rate_limited_total{limit=\"client\"} 1"));
    assert!(gateway.shows("turnpike_gateway_requests_total{route=\"offer\",status=\"429\"} 1"));
}

#[tokio::test]
async fn whoever_waits_as_told_is_served() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| settings.keys[0].limits.rate = minute(1)).await;
    assert_eq!(offer_with(&gateway, KEY).await.status, 200);
    let refused = offer_with(&gateway, KEY).await;
    let wait = Duration::from_secs(refused.header("retry-after").parse().unwrap());

    tokio::time::pause();
    tokio::time::advance(wait).await;
    tokio::time::resume();

    assert_eq!(offer_with(&gateway, KEY).await.status, 200);
}

#[tokio::test]
async fn users_are_limited_by_what_a_valid_body_says() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.limits.per_user = minute(1);
        settings.limits.per_source = minute(100);
    })
    .await;
    let offer_of = async |user_id: &str| {
        let body = format!(r#"{{"sdp": "{SDP_IN_JSON}", "type": "offer", "user_id": "{user_id}"}}"#);
        gateway.offer(&[], body).await
    };

    let first = offer_of("ann").await;
    assert_eq!(first.header("ratelimit"), "\"source\";r=99;t=60, \"user\";r=0;t=60");
    let second = offer_of("ann").await;
    second.assert_problem(429, "rate_limited");
    assert_eq!(second.header("ratelimit-policy"), "\"source\";q=100;w=6000, \"user\";q=1;w=60");
    assert_eq!(second.json()["detail"], "Too many offers of this user; try again in 60 s");
    assert_eq!(offer_of("bob").await.status, 200);
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200, "nobody's offers are not counted");
    assert_eq!(gateway.offer(&[], r#"{"user_id": "cat"}"#).await.status, 422);

    assert!(gateway.shows("turnpike_gateway_rate_buckets{limit=\"user\"} 2"));
    assert!(gateway.shows("turnpike_gateway_rate_limited_total{limit=\"user\"} 1"));
}

#[tokio::test]
async fn clients_and_users_have_so_many_sessions_at_once() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.keys[0].limits.max_sessions = Some(3);
        settings.keys[0].limits.max_sessions_per_user = Some(1);
    })
    .await;
    let offer_of = async |user_id: &str| {
        let body = format!(r#"{{"sdp": "{SDP_IN_JSON}", "type": "offer", "user_id": "{user_id}"}}"#);
        gateway.offer(&[], body).await
    };

    assert_eq!(offer_of("ann").await.status, 200);
    offer_of("ann").await.assert_problem(429, "too_many_sessions");
    assert_eq!(offer_of("bob").await.status, 200);
    assert_eq!(offer_of("cat").await.status, 200);
    let fourth = offer_of("dan").await;

    fourth.assert_problem(429, "too_many_sessions");
    assert_eq!(fourth.header("retry-after"), "5");
    assert!(gateway.shows("turnpike_sessions_refused_total{cause=\"client\"} 1"));
    assert!(gateway.shows("turnpike_sessions_refused_total{cause=\"user\"} 1"));
}

#[tokio::test]
async fn a_source_is_limited_whatever_it_asks_for() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| settings.limits.per_source = minute(2)).await;

    let health = gateway.request(Method::GET, "/skin/webrtc/health", &[], "").await;
    assert_eq!((health.status, health.header("ratelimit")), (200, "\"source\";r=1;t=60"));
    offer_with(&gateway, "a-wrong-key").await.assert_problem(401, "api_key_invalid");
    let third = offer_with(&gateway, KEY).await;

    assert_too_many(&third, "\"source\";q=2;w=120", "\"source\";r=0;t=60");
    assert!(gateway.shows("turnpike_gateway_rate_limited_total{limit=\"source\"} 1"));
}

#[tokio::test]
async fn wrong_keys_are_limited_and_lock_nobody_out() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| settings.limits.refused_keys = minute(2)).await;

    let wrong = [(); 2].map(|()| "a-wrong-key");
    for key in wrong {
        offer_with(&gateway, key).await.assert_problem(401, "api_key_invalid");
    }
    let third = offer_with(&gateway, "another-wrong-key").await;
    assert_too_many(&third, "\"refused_key\";q=2;w=120", "\"refused_key\";r=0;t=60");
    let good = offer_with(&gateway, KEY).await;
    assert_eq!((good.status, good.headers.get("ratelimit")), (200, None));
    let missing = gateway.request(Method::POST, "/skin/webrtc/offer", &[], OFFER).await;
    missing.assert_problem(401, "api_key_missing");

    assert!(gateway.shows("turnpike_gateway_keys_refused_total{cause=\"unknown\"} 3"));
    assert!(gateway.shows("turnpike_gateway_rate_limited_total{limit=\"refused_key\"} 1"));
    assert!(gateway.shows("turnpike_gateway_rate_buckets{limit=\"refused_key\"} 1"));
}

#[tokio::test]
async fn by_default_only_wrong_keys_are_limited() {
    let gateway = start(nobody().await, |_| {}).await;

    for _ in 0..100 {
        let answer = offer_with(&gateway, "a-wrong-key").await;
        assert_eq!((answer.status, answer.headers.get("ratelimit")), (401, None));
    }
    let mut answers = Vec::new();
    for _ in 0..50 {
        answers.push(offer_with(&gateway, "a-wrong-key").await.status);
    }
    assert!(answers.contains(&429), "{answers:?}");
    assert_eq!(gateway.offer(&[], OFFER).await.status, 502);
}

async fn offer_with(gateway: &Running, key: &str) -> Answer {
    gateway.request(Method::POST, "/skin/webrtc/offer", &[("api-key", key)], OFFER).await
}

fn assert_too_many(answer: &Answer, policy: &str, state: &str) {
    answer.assert_problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "60");
    assert_eq!((answer.header("ratelimit-policy"), answer.header("ratelimit")), (policy, state));
}

/// One a minute, so that the time that a test takes makes no difference.
fn minute(burst: u32) -> Option<RateLimit> {
    NonZeroU32::new(burst).map(|burst| RateLimit { period: Duration::from_secs(60), burst })
}
