//! Metrics take no more memory whoever comes: no name, key, path, address or status of strangers becomes a series.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::harness::{self, KEY, Running, SDP_IN_JSON, TestBackend, json_response};
use crate::gateway::{LimitSettings, PassthroughSettings, ProxyFields, ProxySettings, RateLimit};

#[tokio::test]
async fn strangers_leave_no_series_behind() {
    let backend = TestBackend::start(async |seen| {
        // Backends answer with whatever status.
        let wanted = seen.headers.get("x-status").and_then(|status| status.to_str().ok()?.parse().ok());
        json_response(wanted.unwrap_or(200), harness::ANSWER)
    })
    .await;
    let running = harness::start(backend.address, |settings| {
        settings.proxies =
            ProxySettings { trusted: vec!["127.0.0.0/8".parse().unwrap()], fields: ProxyFields::XForwarded };
        settings.passthrough = vec![PassthroughSettings {
            prefix: "/live/".to_owned(),
            is_public: true,
            allows_web_sockets: false,
            body_limit_bytes: PassthroughSettings::DEFAULT_BODY_LIMIT_BYTES,
        }];
        let limit = Some(RateLimit { period: Duration::from_secs(60), burst: NonZeroU32::new(3).unwrap() });
        settings.limits = LimitSettings { per_user: limit, per_source: None, refused_keys: limit };
    })
    .await;
    let mut random = StdRng::seed_from_u64(7);

    come(&running, &mut random).await;
    let before = series(&running);
    assert_eq!(requests(&running), 1100, "all that came are counted");
    for _ in 0..3 {
        come(&running, &mut random).await;
    }

    assert_eq!(series(&running), before);
}

/// A hundred strangers, each with everything of their own.
async fn come(running: &Running, random: &mut StdRng) {
    for _ in 0..100 {
        let text = format!("x{:x}", random.random::<u64>());
        let address = format!("2001:db8:{:x}::{:x}", random.random::<u16>(), random.random::<u16>());
        let status = random.random_range(200..=599_u16).to_string();
        let own = [
            ("x-forwarded-for", &*address),
            ("user-agent", &text),
            ("x-request-id", &text),
            ("traceparent", &text),
            ("origin", "https://stranger.example"),
            ("idempotency-key", &text),
            ("x-status", &status),
        ];
        let with_key = |key| own.into_iter().chain([("api-key", key)]).collect::<Vec<_>>();
        running.relay_for(&text, random.random_range(1..1_000_000)).await;
        let offer = json!({"sdp": SDP_IN_JSON.replace(r"\r\n", "\r\n"), "type": "offer", "user_id": text});
        running.offer(&own, offer.to_string()).await;
        running.offer(&own, json!({"sdp": text, "type": "offer"}).to_string()).await;
        running.offer(&own, text.clone()).await;
        running.request(Method::POST, "/skin/webrtc/offer", &with_key(&text), "").await;
        let method = Method::from_bytes(text.to_uppercase().as_bytes()).unwrap();
        for path in [format!("/{text}"), format!("/live/{text}?{text}"), format!("/whip/{text}")] {
            running.request(Method::GET, &path, &own, "").await;
            running.request(method.clone(), &path, &with_key(KEY), "").await;
        }
    }
}

/// How many requests were counted in all.
fn requests(running: &Running) -> u64 {
    let text = running.metrics.exposition().unwrap();
    let counted = text.lines().filter(|line| line.starts_with("turnpike_gateway_requests_total{"));
    counted.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// The names of all series with their labels.
fn series(running: &Running) -> BTreeSet<String> {
    let text = running.metrics.exposition().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}
