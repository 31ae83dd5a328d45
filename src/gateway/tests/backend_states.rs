//! Backends that drain, fail their health checks, or are exchanged.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;

use super::backends::{offer_at_once, offer_until, state, with_backends};
use super::harness::{
    ANSWER, OFFER, Running, TestBackend, json_response, nobody, raw_backend, read_request, start, url_of,
    within, write,
};
use crate::gateway::{BackendSettings, BackendsSettings, HealthCheckSettings, KeyToBackend};
use crate::secret::Secret;
use crate::telemetry::BackendState;

#[tokio::test]
async fn drains_and_resumes_a_backend() {
    let (a, mut reaches, go) = TestBackend::held().await;
    let gateway = start(a.address, |_| {}).await;

    let mut offer = offer_at_once(&gateway, 1);
    within(reaches.recv()).await.unwrap();
    assert_eq!(gateway.backends.drain("default"), Ok(1));
    let refused = gateway.offer(&[], OFFER).await;
    refused.assert_problem(503, "no_backend");
    assert_eq!(refused.header("retry-after"), "5");
    let health = gateway.request(Method::GET, "/skin/webrtc/health", &[], "").await;
    health.assert_problem(503, "no_backend");
    assert!(gateway.shows("turnpike_gateway_backend_failures_total{cause=\"no_backend\"} 2"));
    assert_eq!(state(&gateway, 0), BackendState::Draining);
    go.add_permits(2);
    assert_eq!(within(offer.join_next()).await.unwrap().unwrap().status, 200);

    // The session lives on.
    assert_eq!(gateway.backends.resume("default"), Ok(1));
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    assert!(gateway.backends.drain("nobody").is_err());
}

#[tokio::test]
async fn gives_no_offers_to_a_backend_that_fails_its_health_checks() {
    let (backend, health) = TestBackend::of_status(200).await;
    let gateway = start(backend.address, |settings| {
        settings.backends.backends[0].key = KeyToBackend::Own(Secret::new("ours"));
        settings.backends.health_check = Some(HealthCheckSettings {
            path: "/well".to_owned(),
            body: Some("\"answer\"".to_owned()),
            interval: Duration::from_millis(10),
            ..HealthCheckSettings::default()
        });
    })
    .await;
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);

    health.store(503, Ordering::SeqCst);
    becomes(&gateway, 0, BackendState::Unhealthy).await;
    let refused = gateway.offer(&[], OFFER).await;
    refused.assert_problem(503, "no_backend");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(gateway.backends.views()[0].last_failure.unwrap().cause, "health_check");
    health.store(200, Ordering::SeqCst);
    becomes(&gateway, 0, BackendState::Healthy).await;

    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    let checks: Vec<_> = backend.seen().into_iter().filter(|seen| seen.uri.path() == "/well").collect();
    assert!(checks.iter().all(|seen| seen.method == Method::GET && seen.headers["api-key"] == "ours"));
}

#[tokio::test]
async fn a_health_check_must_be_answered_with_what_is_expected() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.backends.health_check = Some(HealthCheckSettings {
            body: Some("something else".to_owned()),
            ..HealthCheckSettings::default()
        });
    })
    .await;

    becomes(&gateway, 0, BackendState::Unhealthy).await;

    assert!(gateway.shows("turnpike_gateway_backend_health_checks_failed_total{backend=\"default\"} 1"));
}

#[tokio::test]
async fn a_change_of_the_settings_keeps_what_is_known_and_the_connections() {
    let (backend, connections) = raw_backend(async |mut stream| {
        while read_request(&mut stream).await.is_some() {
            write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        }
    })
    .await;
    let b = TestBackend::agreeable().await;
    let gateway = start(backend, |_| {}).await;
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);

    let mut changed = BackendsSettings::of_one(url_of(backend));
    changed.backends[0].weight = 7;
    changed.backends.push(BackendSettings::new("b", url_of(b.address)));
    gateway.backends.update(&changed).unwrap();
    gateway.backends.drain("b").unwrap();
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    gateway.backends.update(&changed).unwrap();

    let [first, second] = &gateway.backends.views()[..] else { panic!() };
    assert_eq!((first.weight, first.requests, first.state), (7, 2, BackendState::Healthy));
    assert_eq!(second.state, BackendState::Draining);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_backend_that_is_removed_finishes_what_it_has() {
    let (a, mut reaches, go) = TestBackend::held().await;
    let b = TestBackend::start(async |_| json_response(200, "new")).await;
    let gateway = start(a.address, |_| {}).await;

    let mut offer = offer_at_once(&gateway, 1);
    within(reaches.recv()).await.unwrap();
    let backends = vec![BackendSettings::new("b", url_of(b.address))];
    gateway.backends.update(&BackendsSettings { backends, ..BackendsSettings::default() }).unwrap();
    assert_eq!(gateway.offer(&[], OFFER).await.body, "new");
    go.add_permits(1);

    assert_eq!(within(offer.join_next()).await.unwrap().unwrap().body, ANSWER);
    assert!(!gateway.metrics.exposition().unwrap().contains("backend=\"default\""));
}

#[tokio::test]
async fn a_backend_that_moves_is_judged_anew() {
    let a = TestBackend::agreeable().await;
    let down = nobody().await;
    let gateway = start(down, |settings| {
        *settings = with_backends(settings, &[("a", down), ("b", a.address)]);
    })
    .await;
    offer_until(&gateway, 0, BackendState::Ejected).await;

    let mut moved = BackendsSettings::of_one(url_of(a.address));
    moved.backends[0].name = "a".to_owned();
    gateway.backends.update(&moved).unwrap();

    assert_eq!(state(&gateway, 0), BackendState::Healthy);
}

async fn becomes(gateway: &Running, index: usize, wanted: BackendState) {
    within(async {
        while state(gateway, index) != wanted {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
