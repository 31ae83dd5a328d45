//! The admin listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use serde_json::json;

use super::harness::{Answer, request};
use crate::gateway::{Admin, AdminSettings, PartReadiness, StartError};
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
    let posted = request(admin, Method::POST, "/metrics", &[], "").await;
    posted.assert_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn says_at_once_that_its_port_is_in_use() {
    let (taken, _) = start().await;

    let settings = AdminSettings { listen: taken };
    let error = Admin::bind(&settings, &Metrics::new(), Arc::new(Vec::new)).await.unwrap_err();

    assert!(matches!(error, StartError::PortInUse { address, .. } if address == taken), "{error}");
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
    let settings = AdminSettings { listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let admin = Admin::bind(&settings, &Metrics::new(), readiness).await.unwrap();
    let address = admin.local_addr().unwrap();
    tokio::spawn(admin.serve(std::future::pending()));
    (address, relay_is_ready)
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, Method::GET, path, &[], "").await
}
