//! The admin listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::harness::{self, Answer, OFFER, TestBackend, TestOperations, request};
use crate::gateway::{
    Admin, AdminSettings, ApiKey, ClientLimits, Controls, Gateway, Operations, PartReadiness, RateLimit,
    Settings, StartError,
};
use crate::secret::Secret;
use crate::telemetry::Metrics;

#[tokio::test]
async fn serves_the_metrics_as_text() {
    let (admin, _) = start().await;

    let answer = get(admin, "/metrics").await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("turnpike_build_info{"), "{text}");
}

#[tokio::test]
async fn is_alive_whether_ready_or_not() {
    let (admin, relay_is_ready) = start().await;
    relay_is_ready.store(false, Ordering::SeqCst);

    let answer = get(admin, "/livez").await;

    assert_eq!((answer.status, answer.json()), (200, json!({"status": "alive"})));
}

#[tokio::test]
async fn names_the_part_that_is_not_ready() {
    let (admin, relay_is_ready) = start().await;

    let ready = get(admin, "/readyz").await;
    relay_is_ready.store(false, Ordering::SeqCst);
    let unready = get(admin, "/readyz").await;

    assert_eq!(ready.status, 200);
    let parts = json!([{"part": "gateway", "ready": true}, {"part": "relay", "ready": true}]);
    assert_eq!(ready.json(), json!({"status": "ready", "parts": parts}));
    assert_eq!(unready.status, 503);
    assert_eq!(unready.json()["status"], "not ready");
    assert_eq!(unready.json()["parts"][1], json!({"part": "relay", "ready": false, "reason": "it drains"}));
}

#[tokio::test]
async fn refuses_what_it_does_not_serve() {
    let (admin, _) = start().await;

    get(admin, "/nowhere").await.assert_problem(404, "not_found");
    let posted = send(admin, Method::POST, "/metrics", &[], "").await;
    posted.assert_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn says_at_once_that_its_port_is_in_use() {
    let (taken, _) = start().await;

    let settings = AdminSettings { listen: taken, ..AdminSettings::default() };
    let controls = controls(&gateway().await, &Arc::default());
    let error = Admin::bind(&settings, &Metrics::new(), Arc::new(Vec::new), controls).await.unwrap_err();

    assert!(matches!(error, StartError::PortInUse { address, .. } if address == taken), "{error}");
}

#[tokio::test]
async fn lists_shows_and_ends_sessions() {
    let backend = TestBackend::agreeable().await;
    let running = harness::start(backend.address, |_| {}).await;
    let admin = start_for(&running.controls(), None).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(running.offer(&[], OFFER).await.header("x-session-id").to_owned());
    }

    let list = get(admin, "/admin/v1/sessions?limit=2&state=answered").await.json();
    let next = list["next"].as_str().unwrap();
    let rest = get(admin, &format!("/admin/v1/sessions?after={next}")).await.json();
    let shown = get(admin, &format!("/admin/v1/sessions/{}", ids[0])).await.json();
    let path = format!("/admin/v1/sessions/{}", ids[1]);
    let ended = send(admin, Method::DELETE, &path, &[], "").await;

    assert_eq!((list["sessions"].as_array().unwrap().len(), &list["total"]), (2, &json!(3)));
    assert_eq!((&rest["sessions"][0]["id"], rest.get("next")), (&json!(ids[2]), None));
    assert_eq!((&shown["key"], &shown["state"]), (&json!("app"), &json!("answered")));
    assert_eq!(shown["address"], "127.0.0.1");
    assert_eq!(ended.status, 204);
    get(admin, &path).await.assert_problem(404, "not_found");
    send(admin, Method::DELETE, &path, &[], "").await.assert_problem(404, "not_found");
    assert!(running.shows(r#"turnpike_sessions_ended_total{reason="operator"} 1"#));
}

#[tokio::test]
async fn lists_the_users_for_whom_the_most_was_relayed() {
    let backend = TestBackend::agreeable().await;
    let running = harness::start(backend.address, |_| {}).await;
    let admin = start_for(&running.controls(), None).await;
    for (user_id, bytes) in [("<b>ann</b>", 100), ("bob", 300), ("ann", 100)] {
        running.relay_for(user_id, bytes).await;
    }

    let all = get(admin, "/admin/v1/users").await.json();
    let first = get(admin, "/admin/v1/users?limit=1").await.json();

    assert_eq!(all["total_bytes"], 500);
    let user = |user_id: &str, bytes: u64, share: f64| json!({"client": "app", "user_id": user_id, "bytes": bytes, "error_bytes": 0, "share": share});
    let bob = user("bob", 300, 0.6);
    assert_eq!(all["users"], json!([bob, user("<b>ann</b>", 100, 0.2), user("ann", 100, 0.2)]));
    assert_eq!(first["users"], json!([bob]));
    for (rank, bytes) in [("1", 300), ("2", 100), ("4", 0), ("other", 0)] {
        let line = format!("turnpike_user_relayed_bytes{{rank=\"{rank}\"}} {bytes}");
        assert!(running.shows(&line), "{line}");
    }
    for limit in ["0", "101"] {
        let refused = get(admin, &format!("/admin/v1/users?limit={limit}")).await;
        refused.assert_problem(422, "parameter_invalid");
    }
}

#[tokio::test]
async fn lists_keys_and_revokes_one_with_its_sessions() {
    let backend = TestBackend::agreeable().await;
    let running = harness::start(backend.address, |settings| {
        let next = ApiKey { client: "app".to_owned(), ..ApiKey::new("app-next", "the-next-key") };
        settings.keys.push(next);
    })
    .await;
    let admin = start_for(&running.controls(), None).await;
    assert_eq!(running.offer(&[], OFFER).await.status, 200);
    let next = [("api-key", "the-next-key")];
    assert_eq!(running.request(Method::POST, "/skin/webrtc/offer", &next, OFFER).await.status, 200);

    let listed = get(admin, "/admin/v1/keys").await.json();
    let revoked = send(admin, Method::POST, "/admin/v1/keys/app/revoke", &[], "").await;
    let again = send(admin, Method::POST, "/admin/v1/keys/app/revoke", &[], "").await;

    let ids: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(ids, ["app", "app-next"]);
    assert_eq!((&listed["keys"][1]["client"], &listed["keys"][0]["state"]), (&json!("app"), &json!("valid")));
    assert!(listed["keys"][0]["last_used"].as_u64().unwrap() > 0);
    assert_eq!(revoked.json(), json!({"ended_sessions": 1}));
    assert_eq!(again.json(), json!({"ended_sessions": 0}));
    assert_eq!(get(admin, "/admin/v1/keys").await.json()["keys"][0]["state"], "revoked");
    assert_eq!(get(admin, "/admin/v1/sessions").await.json()["total"], 1);
    assert!(running.shows(r#"turnpike_sessions_ended_total{reason="key_revoked"} 1"#));
    running.offer(&[], OFFER).await.assert_problem(401, "api_key_invalid");
    let nobodys = send(admin, Method::POST, "/admin/v1/keys/none/revoke", &[], "").await;
    nobodys.assert_problem(404, "not_found");
}

#[tokio::test]
async fn says_what_is_wrong_with_a_parameter() {
    let (admin, _) = start().await;

    for query in ["limit=0", "limit=1001", "limit=x", "after=x", "state=gone", "unknown=1"] {
        let answer = get(admin, &format!("/admin/v1/sessions?{query}")).await;
        answer.assert_problem(422, "parameter_invalid");
    }
    let level = send(admin, Method::PUT, "/admin/v1/log-level", &[JSON], r#"{"level":"loud=="}"#).await;
    level.assert_problem(422, "parameter_invalid");
    let body = send(admin, Method::PUT, "/admin/v1/process", &[JSON], r#"{"draining":1}"#).await;
    body.assert_problem(422, "parameter_invalid");
}

#[tokio::test]
async fn shows_and_drains_a_backend() {
    let backend = TestBackend::agreeable().await;
    let running = harness::start(backend.address, |_| {}).await;
    let admin = start_for(&running.controls(), None).await;
    assert_eq!(running.offer(&[], OFFER).await.status, 200);

    let shown = get(admin, "/admin/v1/backends").await.json();
    let drained = send(admin, Method::POST, "/admin/v1/backends/default/drain", &[], "").await;
    let refused = running.offer(&[], OFFER).await;
    let while_draining = get(admin, "/admin/v1/backends").await.json();
    let resumed = send(admin, Method::POST, "/admin/v1/backends/default/resume", &[], "").await;

    let one = &shown["backends"][0];
    assert_eq!((&one["name"], &one["state"]), (&json!("default"), &json!("healthy")));
    assert_eq!((&one["sessions"], &one["requests"]), (&json!(1), &json!(1)));
    assert_eq!(
        (drained.json(), while_draining["backends"][0]["state"].as_str()),
        (json!({"sessions": 1}), Some("draining"))
    );
    refused.assert_problem(503, "no_backend");
    assert_eq!(resumed.status, 200);
    assert_eq!(running.offer(&[], OFFER).await.status, 200);
    let unknown = send(admin, Method::POST, "/admin/v1/backends/other/drain", &[], "").await;
    unknown.assert_problem(404, "not_found");
}

#[tokio::test]
async fn refuses_offers_while_it_drains() {
    let backend = TestBackend::agreeable().await;
    let running = harness::start(backend.address, |_| {}).await;
    let admin = start_for(&running.controls(), None).await;

    let begun = send(admin, Method::PUT, "/admin/v1/process", &[JSON], r#"{"draining":true}"#).await;
    let refused = running.offer(&[], OFFER).await;
    let ended = send(admin, Method::PUT, "/admin/v1/process", &[JSON], r#"{"draining":false}"#).await;

    assert_eq!(begun.json()["draining"], true);
    refused.assert_problem(503, "draining");
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(ended.json()["draining"], false);
    assert_eq!(running.offer(&[], OFFER).await.status, 200);
}

#[tokio::test]
async fn asks_for_the_token_but_not_for_metrics() {
    let gateway = gateway().await;
    let admin = start_for(&controls(&gateway, &Arc::default()), Some("0123456789abcdef")).await;

    let refused = get(admin, "/admin/v1/sessions").await;
    let bearer = ("authorization", "Bearer 0123456789abcdef");
    let served = send(admin, Method::GET, "/admin/v1/sessions", &[bearer], "").await;

    refused.assert_problem(401, "token_missing");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert_eq!(served.json(), json!({"sessions": [], "total": 0}));
    assert_eq!(get(admin, "/metrics").await.status, 200);
    assert_eq!(get(admin, "/openapi.json").await.json()["openapi"], "3.1.0");
}

#[tokio::test]
async fn changes_the_log_level_and_reloads() {
    let operations = Arc::<TestOperations>::default();
    let admin = start_for(&controls(&gateway().await, &operations), None).await;

    let level = send(admin, Method::PUT, "/admin/v1/log-level", &[JSON], r#"{"level":"debug"}"#).await;
    let reloaded = send(admin, Method::POST, "/admin/v1/reload", &[], "").await;
    operations.is_broken.store(true, Ordering::SeqCst);
    let broken = send(admin, Method::POST, "/admin/v1/reload", &[], "").await;

    assert_eq!(level.json(), json!({"level": "debug"}));
    assert_eq!(get(admin, "/admin/v1/log-level").await.json(), json!({"level": "debug"}));
    assert_eq!(reloaded.json(), json!({"changed": ["gateway.sessions.total"], "needs_restart": []}));
    broken.assert_problem(409, "configuration_invalid");
    assert_eq!(broken.json()["detail"], "turnpike.toml:1:1: turn: no table");
}

async fn start() -> (SocketAddr, Arc<AtomicBool>) {
    let relay_is_ready = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&relay_is_ready);
    let readiness = Arc::new(move || {
        let ready = asked.load(Ordering::SeqCst);
        let reason = (!ready).then(|| "it drains".to_owned());
        vec![
            PartReadiness { part: "gateway", ready: true, reason: None },
            PartReadiness { part: "relay", ready, reason },
        ]
    });
    let settings = AdminSettings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), token: None };
    let controls = controls(&gateway().await, &Arc::default());
    let admin = Admin::bind(&settings, &Metrics::new(), readiness, controls).await.unwrap();
    let address = admin.local_addr().unwrap();
    tokio::spawn(admin.serve(std::future::pending()));
    (address, relay_is_ready)
}

async fn start_for(controls: &Controls, token: Option<&str>) -> SocketAddr {
    let settings =
        AdminSettings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), token: token.map(Secret::new) };
    let admin = Admin::bind(&settings, &Metrics::new(), Arc::new(Vec::new), controls.clone()).await.unwrap();
    let address = admin.local_addr().unwrap();
    tokio::spawn(admin.serve(std::future::pending()));
    address
}

/// A gateway that nobody asks anything.
async fn gateway() -> Gateway {
    let settings = Settings { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..Settings::default() };
    Gateway::bind(&settings, &Metrics::new()).await.unwrap()
}

fn controls(gateway: &Gateway, operations: &Arc<TestOperations>) -> Controls {
    Controls::new(gateway, Arc::clone(operations) as Arc<dyn Operations>)
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, Method::GET, path, &[], "").await
}

/// Sends a request as somebody on this machine does.
async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Answer {
    let headers: Vec<_> = headers.iter().copied().chain([("host", "localhost:9090")]).collect();
    request(address, method, path, &headers, body).await
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn shows_limits_and_what_clients_have() {
    let backend = TestBackend::agreeable().await;
    let rate = RateLimit { period: Duration::from_millis(500), burst: 20.try_into().unwrap() };
    let running = harness::start(backend.address, |settings| {
        settings.limits.per_user = Some(rate);
        settings.keys[0].limits =
            ClientLimits { rate: Some(rate), max_sessions: Some(7), max_sessions_per_user: None };
        let next = ApiKey { client: "app".to_owned(), ..ApiKey::new("app-next", "the-next-key") };
        settings.keys.push(next);
    })
    .await;
    let admin = start_for(&running.controls(), None).await;
    assert_eq!(running.offer(&[], OFFER).await.status, 200);

    let limits = get(admin, "/admin/v1/limits").await.json();

    let rate = json!({"per_second": 2.0, "burst": 20});
    let client = json!({"client": "app", "rate": rate, "sessions": 1, "most_sessions": 7});
    assert_eq!(limits["clients"], json!([client]));
    assert_eq!((&limits["per_user"], limits.get("per_source")), (&rate, None));
    assert_eq!(limits["refused_keys_per_source"], json!({"per_second": 10.0, "burst": 100}));
    get(admin, "/admin/v1/usage?group_by=key").await.assert_problem(404, "not_found");
}
