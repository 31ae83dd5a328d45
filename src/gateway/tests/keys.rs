//! Which keys open what, and how refusals look.

use std::time::{Duration, SystemTime};

use http::Method;

use super::harness::{KEY, OFFER, TestBackend, nobody, start};
use crate::gateway::{ApiKey, KeyState, Scope};

#[tokio::test]
async fn takes_a_key_from_each_place_and_leaves_it_there() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let bearer = format!("Bearer {KEY}");

    for headers in [
        &[("api-key", KEY)][..],
        &[("X-API-Key", KEY)],
        &[("authorization", &bearer)],
        &[("api-key", KEY), ("x-api-key", KEY), ("authorization", &bearer)],
    ] {
        let answer = gateway.request(Method::POST, "/skin/webrtc/offer", headers, OFFER).await;
        assert_eq!(answer.status, 200, "{headers:?}");
    }

    for seen in backend.seen() {
        for name in ["api-key", "x-api-key", "authorization"] {
            assert!(!seen.headers.contains_key(name), "{name}");
        }
    }
}

#[tokio::test]
async fn refuses_two_keys_in_one_request() {
    let gateway = start(nobody().await, |_| {}).await;

    let answer = gateway.offer(&[("authorization", "Bearer another-key")], OFFER).await;

    answer.assert_problem(400, "api_key_ambiguous");
    assert!(gateway.shows("turnpike_gateway_keys_refused_total{cause=\"ambiguous\"} 1"));
}

#[tokio::test]
async fn keys_that_are_not_valid_look_alike_to_clients_and_not_to_operators() {
    let day = Duration::from_secs(86_400);
    let now = wall_clock();
    let gateway = start(nobody().await, |settings| {
        settings.keys.push(ApiKey { expires_at: Some(now - day), ..ApiKey::new("old", "the-old-key") });
        settings.keys.push(ApiKey { not_before: Some(now + day), ..ApiKey::new("next", "the-next-key") });
        settings.keys.push(ApiKey::new("lost", "the-lost-key"));
    })
    .await;
    assert!(gateway.controls().gate.keyring.revoke("lost"));

    let mut answers = Vec::new();
    for key in ["the-old-key", "the-next-key", "the-lost-key", "nobodys-key"] {
        let answer = gateway.request(Method::POST, "/skin/webrtc/offer", &[("api-key", key)], OFFER).await;
        answer.assert_problem(401, "api_key_invalid");
        let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges, ["APIKey", "Bearer"]);
        let mut problem = answer.json();
        problem.as_object_mut().unwrap().remove("request_id");
        answers.push(problem);
    }

    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    for cause in ["expired", "not_yet_valid", "revoked", "unknown"] {
        assert!(gateway.shows(&format!("turnpike_gateway_keys_refused_total{{cause=\"{cause}\"}} 1")));
    }
    let states: Vec<KeyState> =
        gateway.controls().gate.keyring.list(now).iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Valid, KeyState::Expired, KeyState::NotYetValid, KeyState::Revoked]);
    assert!(gateway.shows("turnpike_gateway_key_last_used_timestamp_seconds{key=\"old\"} 0"));
    assert!(gateway.shows("turnpike_gateway_key_requests_total{class=\"4xx\",key=\"old\"} 1"));
}

#[tokio::test]
async fn refuses_what_a_key_is_not_for() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.health_needs_key = true;
        settings.keys[0].scopes = [Scope::Turn, Scope::Admin].into_iter().collect();
    })
    .await;

    let answer = gateway.offer(&[], OFFER).await;

    answer.assert_problem(403, "api_key_out_of_scope");
    assert!(!answer.headers.contains_key("www-authenticate"));
    assert!(gateway.shows("turnpike_gateway_keys_refused_total{cause=\"out_of_scope\"} 1"));
    assert!(backend.seen().is_empty());
    let health = gateway.request(Method::GET, "/skin/webrtc/health", &[("api-key", KEY)], "").await;
    assert_eq!(health.status, 200, "any key will do for health");
}

#[tokio::test]
async fn keys_are_exchanged_while_requests_are_served() {
    let backend = TestBackend::agreeable().await;
    let mut settings = None;
    let gateway = start(backend.address, |started| settings = Some(started.clone())).await;
    let mut settings = settings.unwrap();
    let offer = async |key: &str| {
        gateway.request(Method::POST, "/skin/webrtc/offer", &[("api-key", key)], OFFER).await.status
    };
    assert_eq!((offer(KEY).await, offer("the-next-key").await), (200, 401));

    settings.keys.push(ApiKey::new("next", "the-next-key"));
    gateway.updater.update(&settings).unwrap();
    assert_eq!((offer(KEY).await, offer("the-next-key").await), (200, 200));

    settings.keys.remove(0);
    gateway.updater.update(&settings).unwrap();
    assert_eq!((offer(KEY).await, offer("the-next-key").await), (401, 200));
    let text = gateway.metrics.exposition().unwrap();
    assert!(text.contains("turnpike_gateway_key_last_used_timestamp_seconds{key=\"next\"} 1"));
    assert!(!text.contains("{key=\"app\"}"));
}

#[expect(clippy::disallowed_methods, reason = "the gateway looks at the same clock")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
